"""The stages of an extraction: decode, detect, mark, and cut, measure and write. Each takes what the one before it gives."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from bianlian import align
from bianlian.detect import Detector
from bianlian.errors import InputError, PluginError, VideoError
from bianlian.faceset.header import Header
from bianlian.faceset.inputs import Footage
from bianlian.faceset.quality import Rules, sharpness
from bianlian.faceset.record import FaceRecord
from bianlian.faceset.writer import FacesetWriter, Pass, crop_name
from bianlian.landmark import Landmarker
from bianlian.landmark.pose import head_pose
from bianlian.landmark.schemes import convert
from bianlian.types import Crop, Face, Frame, Landmarks, Note, Progress
from bianlian.video.read import frames

BATCH = 4
"""Frames that are searched at a time, fewer where they are large."""


@dataclass(frozen=True)
class Job:
    """One input that is to be done. every: frame step. first: frames before it are done."""

    footage: Footage
    pass_: Pass
    every: int
    first: int = 0


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame on its way through the stages, with what was found in it; no frame marks the end of its input.

    strange: for each face why it is not the wanted person's, None where it is; empty where anybody is wanted.
    """

    job: Job
    frame: Frame | None
    faces: tuple[Face, ...] = ()
    strange: tuple[str | None, ...] = ()


def decode(jobs: Sequence[Job], note: Note) -> Generator[Shot, None, None]:
    """Read the frames of all inputs; one that cannot be read is noted, unless the user named it. Raises VideoError then."""
    for job in jobs:
        any_frame = False
        try:
            for frame in frames(job.footage.path, every=job.every, damaged=note):
                any_frame = True
                if frame.index >= job.first:
                    yield Shot(job, frame)
        except VideoError as error:
            if job.footage.named:
                raise
            note(f"{error}; skipped")
        if any_frame:
            yield Shot(job, None)


def _batched(shots: Iterator[Shot], size: int) -> Iterator[list[Shot]]:
    batch: list[Shot] = []
    for shot in shots:
        batch.append(shot)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def detect(shots: Generator[Shot, None, None], detector: Detector, *, batch: int = BATCH) -> Generator[Shot, None, None]:
    """Find the faces of the frames, some at a time."""
    with closing(shots):
        for some in _batched(shots, batch):
            found = iter(detector.detect([s.frame.image for s in some if s.frame is not None]))
            for shot in some:
                yield shot if shot.frame is None else replace(shot, faces=tuple(next(found)))


def mark(shots: Generator[Shot, None, None], landmarker: Landmarker) -> Generator[Shot, None, None]:
    """Mark the faces; what the landmarker does not take for a face is left out."""
    with closing(shots):
        for shot in shots:
            if shot.frame is None or not shot.faces:
                yield shot
                continue
            marked = landmarker.mark(shot.frame.image, shot.faces)
            yield replace(shot, faces=tuple(face for face in marked if face is not None))


def write(shots: Iterator[Shot], writer: FacesetWriter, rules: Rules, total: int | None, progress: Progress, note: Note) -> None:
    """Cut the faces out, measure them, and add them to the faceset."""
    done = 0
    progress("extract", 0, total)
    for shot in shots:
        if writer.begun != shot.job.pass_:
            writer.begin(shot.job.pass_)
        if shot.frame is None:
            writer.finish()
            continue
        cuts: list[tuple[FaceRecord, Crop]] = []
        name = shot.job.footage.name
        reasons = rules.why_not(shot.faces, *shot.frame.image.shape[1::-1], strange=shot.strange)
        for face, reason in zip(shot.faces, reasons, strict=True):
            try:
                cuts.append(_cut(face, shot.frame, name, writer.next_id + len(cuts), writer.header, reason))
            except InputError as error:
                note(f"{name}, frame {shot.frame.index}: a face is left out, its landmarks make no sense ({error})")
        if cuts:
            writer.add([record for record, _ in cuts], [crop for _, crop in cuts])
        done += 1
        progress("extract", done, total)


def _cut(face: Face, frame: Frame, name: str, number: int, header: Header, reason: str | None) -> tuple[FaceRecord, Crop]:
    """Cut the crop of a face and describe it. Coordinates are rounded to hundredths of a pixel first."""
    marked = face.landmarks
    if marked is None:
        raise PluginError("the landmarker gave a face without landmarks; use another one")
    if marked.scheme != "five":
        marked = convert(marked, "ibug68")
    landmarks = Landmarks(marked.points.round(2), marked.scheme)
    crop = align.cut(frame.image, align.crop_from_frame(landmarks, header.size, header.coverage), header.size)
    yaw, pitch, roll = (round(float(angle), 2) for angle in head_pose(landmarks))
    record = FaceRecord(
        id=number,
        file=name,
        frame=frame.index,
        pts=frame.pts,
        time_base=frame.time_base,
        box=np.concatenate([np.floor(face.box[:2] * 100), np.ceil(face.box[2:] * 100)]) / 100,
        score=round(float(face.score), 4),
        landmarks=landmarks,
        crop_from_frame=crop.crop_from_frame,
        crop=crop_name(number, header.format),
        sharpness=round(sharpness(crop.image, header.coverage), 2),
        pose=(yaw, pitch, roll),
        kept=reason is None,
        reason=reason,
    )
    return record, crop

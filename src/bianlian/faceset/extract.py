"""Footage of one person -> their faceset: decode, detect, mark, cut, measure, write; the stages overlap, memory stays flat."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bianlian import align
from bianlian.detect import Detector
from bianlian.errors import ConfigError, FacesetError, InputError, Interrupted, NoFaceError, PluginError, VideoError
from bianlian.faceset.ahead import ahead
from bianlian.faceset.header import CROP_SIZE, FACESET_COVERAGE, FORMATS, Header, check_person
from bianlian.faceset.inputs import Footage, list_footage
from bianlian.faceset.quality import KEEP_LARGEST, Rules, sharpness
from bianlian.faceset.record import FaceRecord
from bianlian.faceset.store import Faceset
from bianlian.faceset.writer import FacesetWriter, Pass, crop_name, is_free, remove
from bianlian.landmark import Landmarker
from bianlian.landmark.pose import head_pose
from bianlian.landmark.schemes import convert
from bianlian.types import Crop, Face, Frame, Landmarks, Note, Progress, silent
from bianlian.video.read import frames

_BATCH, _AHEAD = 4, 2


@dataclass(frozen=True)
class _Job:
    """One input that is to be done. every: frame step. first: frames before it are done."""

    footage: Footage
    pass_: Pass
    every: int
    first: int = 0


@dataclass(frozen=True, eq=False)
class _Shot:
    """One frame on its way through the stages, with what was found in it; no frame marks the end of its input."""

    job: _Job
    frame: Frame | None
    faces: tuple[Face, ...] = ()


def extract(
    inputs: Sequence[Path],
    person: str,
    out: Path,
    *,
    detector: Detector,
    landmarker: Landmarker,
    every: int = 6,
    size: int = CROP_SIZE,
    coverage: float = FACESET_COVERAGE,
    format: str = FORMATS[0],
    rules: Rules = KEEP_LARGEST,
    consent: str | None = None,
    force: bool = False,
    progress: Progress = silent,
    note: Note = silent,
) -> Faceset:
    """Cut the faces out of videos, pictures and folders of them into the faceset ``out``; go on where an earlier run stopped.

    every: frame step, of videos only. size, coverage, format: of the crops, see ``Header``. rules: which faces are kept; the
    others are recorded too, with the reason. Landmarks with more points are stored as ``ibug68``. consent: in the user's words.
    force: remove the faceset that is there and start again. note: told of what is skipped.

    Raises, before any work: InputError, VideoError, ConfigError or FacesetError for inputs, settings or a folder that do not
    fit. NoFaceError when nothing shows a face; the folder is then removed. Interrupted on Ctrl-C: what is done is kept.
    """
    if every < 1:
        raise ConfigError(f"every must be 1 or more, got {every}")
    header = Header(check_person(person), size, coverage, format, consent=consent)
    footage = list_footage(inputs, note)
    if force and not is_free(out):
        remove(out)
    how = f"{type(detector).__qualname__}, {type(landmarker).__qualname__}, {rules}"
    jobs = [_job(one, every, how) for one in footage]
    with FacesetWriter(out, header, planned=[job.pass_ for job in jobs], note=note) as writer:
        jobs = _plan(jobs, writer, note)
        stages = _find(ahead(_decode(jobs, note), _AHEAD), detector, landmarker)
        try:
            with closing(ahead(stages, _AHEAD)) as shots:
                _write(shots, writer, rules, _count(jobs), progress, note)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped with {writer.next_id} faces in {out}; the same command goes on from there") from None
    faceset = Faceset.open(out, note=note)
    if len(faceset) == 0:
        remove(out)
        raise NoFaceError(f"found no face in {', '.join(map(str, inputs))}; check the footage, or try another detector")
    if faceset.kept_count == 0:
        note(f"found faces, but none to keep: {', '.join(faceset.dropped)}")
    return faceset


def _job(footage: Footage, every: int, how: str) -> _Job:
    if footage.picture:
        return _Job(footage, Pass(footage.name, footage.fingerprint, how), 1)
    return _Job(footage, Pass(footage.name, footage.fingerprint, f"every {every} frames, {how}"), every)


def _plan(jobs: Sequence[_Job], writer: FacesetWriter, note: Note) -> list[_Job]:
    """Choose what is not done yet, the input that was interrupted first. Raises FacesetError where content or settings changed."""
    names, contents = {done.file: done for done in writer.done}, {done.fingerprint: done for done in writer.done}
    left: list[_Job] = []
    for job in jobs:
        one = job.pass_
        there = contents.get(one.fingerprint) or names.get(one.file)
        if there is None:
            left.append(replace(job, first=writer.first_frame if one == writer.begun else 0))
        elif there.fingerprint != one.fingerprint:
            raise FacesetError(f"{writer.path} has faces of another {one.file}; rename the new one, or --force to start again")
        elif there.settings != one.settings:
            changed = f"with {there.settings}; now it is {one.settings}"
            raise FacesetError(f"{writer.path} has faces of {there.file} made {changed}; repeat that, or --force to start again")
        elif there.file != one.file:
            note(f"{job.footage.path} was done before as {there.file}; skipped")
    return sorted(left, key=lambda job: job.pass_ != writer.begun)


def _count(jobs: Sequence[_Job]) -> int | None:
    """Estimate the frames to be looked at; None when an input does not say."""
    counts = [j.footage.frames and max(1, -(-(j.footage.frames - j.first) // j.every)) for j in jobs]
    return None if None in counts else sum(c for c in counts if c is not None)


def _decode(jobs: Sequence[_Job], note: Note) -> Generator[_Shot, None, None]:
    for job in jobs:
        any_frame = False
        try:
            for frame in frames(job.footage.path, every=job.every, damaged=note):
                any_frame = True
                if frame.index >= job.first:
                    yield _Shot(job, frame)
        except VideoError as error:
            if job.footage.named:
                raise
            note(f"{error}; skipped")
        if any_frame:
            yield _Shot(job, None)


def _batched(shots: Iterator[_Shot]) -> Iterator[list[_Shot]]:
    batch: list[_Shot] = []
    for shot in shots:
        batch.append(shot)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _find(shots: Generator[_Shot, None, None], detector: Detector, landmarker: Landmarker) -> Generator[_Shot, None, None]:
    with closing(shots):
        for batch in _batched(shots):
            found = iter(detector.detect([s.frame.image for s in batch if s.frame is not None]))
            for shot in batch:
                if shot.frame is None:
                    yield shot
                    continue
                marked = landmarker.mark(shot.frame.image, next(found))
                yield _Shot(shot.job, shot.frame, tuple(face for face in marked if face is not None))


def _write(shots: Iterator[_Shot], writer: FacesetWriter, rules: Rules, total: int | None, progress: Progress, note: Note) -> None:
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
        for face, reason in zip(shot.faces, rules.why_not(shot.faces, *shot.frame.image.shape[1::-1]), strict=True):
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

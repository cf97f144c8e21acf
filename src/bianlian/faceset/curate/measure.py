"""Measure the faces of a faceset, one crop at a time; what was measured before is not measured again."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bianlian.detect import Detector
from bianlian.errors import FacesetError, Interrupted
from bianlian.faceset.ahead import ahead
from bianlian.faceset.curate import cache
from bianlian.faceset.curate.look import Look, look
from bianlian.faceset.curate.table import Entry, Seen, Table
from bianlian.faceset.record import FaceRecord
from bianlian.faceset.store import Faceset
from bianlian.geometry import apply, box_of, iou
from bianlian.identity import Describer
from bianlian.types import Face, Image, Landmarks, Note, Progress

_AHEAD, _SAVE_EVERY = 8, 5000
_SAME_PLACE = 0.3  # least overlap of the landmarks' box and the face that is found again
_UNREADABLE = Look(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)


@dataclass(frozen=True)
class Eyes:
    """What looks at a face beyond its pixels; None where that is not asked for."""

    detector: Detector | None = None
    describer: Describer | None = None


@dataclass(frozen=True, eq=False)
class _Job:
    entry: Entry
    record: FaceRecord
    crop: Image | None = None
    look: Look = _UNREADABLE


def measure(faceset: Faceset, eyes: Eyes, progress: Progress, note: Note) -> tuple[list[Entry], Table]:
    """Measure every face, streaming -> what the records tell, and the table of all numbers.

    A crop that cannot be read is named and counts as no face. Raises Interrupted on Ctrl-C, with what was measured saved.
    """
    known = cache.load(faceset.path, note)
    entries: list[Entry] = []
    seen: dict[int, Seen] = {}
    fresh = 0
    try:
        with closing(ahead(_look(faceset, known, eyes, note), _AHEAD)) as jobs:
            progress("measure", 0, len(faceset))
            for job in jobs:
                entries.append(job.entry)
                before = known.get(job.entry.id)
                if before is not None and not _missing(before, job.entry, eyes):
                    seen[job.entry.id] = before
                else:
                    seen[job.entry.id] = _see(job, eyes, before)
                    fresh += 1
                    if fresh % _SAVE_EVERY == 0:
                        cache.save(faceset.path, known | seen)
                progress("measure", len(seen), len(faceset))
    except KeyboardInterrupt:
        raise Interrupted(f"stopped with {len(seen)} of {len(faceset)} faces measured; the same command goes on") from None
    finally:
        if fresh:
            cache.save(faceset.path, seen if len(seen) == len(faceset) else known | seen)
    return entries, Table.of(entries, list(seen.values()))


def _look(faceset: Faceset, known: dict[int, Seen], eyes: Eyes, note: Note) -> Generator[_Job, None, None]:
    """Read the records, and the crops of those that are to be measured."""
    for record in faceset.records():
        entry = Entry.of(record, faceset.header, _size(faceset.path / record.crop))
        before = known.get(record.id)
        if before is not None and not _missing(before, entry, eyes):
            yield _Job(entry, record)
            continue
        try:
            crop = faceset.load_crop(record)
        except FacesetError as error:
            note(f"{error}; it counts as no face")
            yield _Job(entry, record)
            continue
        points = apply(record.crop_from_frame, record.landmarks.points)
        yield _Job(entry, record, crop, look(crop, points, record.crop_from_frame, faceset.header.coverage))


def _missing(seen: Seen, entry: Entry, eyes: Eyes) -> bool:
    asked = (eyes.detector is not None and seen.face is None) or (eyes.describer is not None and seen.who is None)
    return seen.stamp != entry.stamp or (asked and seen.look != _UNREADABLE)


def _see(job: _Job, eyes: Eyes, before: Seen | None) -> Seen:
    """Ask the detector and the describer about a crop; what an earlier run asked is taken over."""
    if job.crop is None:
        return Seen(job.entry.stamp, job.look, 0.0)
    old = before if before is not None and before.stamp == job.entry.stamp else Seen("", job.look)
    landmarks = Landmarks(apply(job.record.crop_from_frame, job.record.landmarks.points), job.record.scheme)
    face, who = old.face, old.who
    if eyes.detector is not None and face is None:
        face = round(_found(eyes.detector, job.crop, landmarks), 4)
    if eyes.describer is not None and who is None:
        marked = Face(box_of(landmarks.points), 1.0, landmarks)
        who = np.asarray(eyes.describer.describe(job.crop, [marked])[0], np.float32)
    return Seen(job.entry.stamp, job.look, face, who)


def _found(detector: Detector, crop: Image, landmarks: Landmarks) -> float:
    """Look for the face again -> the score of the one that lies where the landmarks are, 0 when there is none."""
    wanted = box_of(landmarks.points)
    return max(_scores(detector.detect([crop])[0], wanted), default=0.0)


def _scores(faces: list[Face], wanted: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Iterator[float]:
    return (float(face.score) for face in faces if iou(face.box, wanted) > _SAME_PLACE)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

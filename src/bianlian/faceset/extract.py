"""Footage of one person -> their faceset: decode, detect, mark, cut, measure, write; the stages overlap, memory stays flat."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from bianlian.detect import Detector
from bianlian.errors import ConfigError, FacesetError, Interrupted, NoFaceError
from bianlian.faceset.ahead import ahead, depth_for
from bianlian.faceset.header import CROP_SIZE, FACESET_COVERAGE, FORMATS, Header, check_person
from bianlian.faceset.inputs import Footage, list_footage
from bianlian.faceset.quality import KEEP_LARGEST, Rules
from bianlian.faceset.stages import BATCH, Job, decode, detect, mark, write
from bianlian.faceset.store import Faceset
from bianlian.faceset.who import Wanted
from bianlian.faceset.writer import FacesetWriter, Pass, is_free, remove
from bianlian.landmark import Landmarker
from bianlian.types import Note, Progress, silent

_AHEAD, _TURN = 6, 0.0005


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
    wanted: Wanted | None = None,
    consent: str | None = None,
    force: bool = False,
    progress: Progress = silent,
    note: Note = silent,
) -> Faceset:
    """Cut the faces out of videos, pictures and folders of them into the faceset ``out``; go on where an earlier run stopped.

    every: frame step, of videos only. size, coverage, format: of the crops, see ``Header``. rules: which faces are kept; the
    others are recorded too, with the reason. wanted: whose faces are kept, anybody's when None. Landmarks with more points are
    stored as ``ibug68``. consent: in the user's words. force: remove the faceset that is there and start again. note: told of
    what is skipped.

    Raises, before any work: InputError, VideoError, ConfigError or FacesetError for inputs, settings or a folder that do not
    fit. NoFaceError when nothing shows a face; the folder is then removed. Interrupted on Ctrl-C: what is done is kept.
    """
    if every < 1:
        raise ConfigError(f"every must be 1 or more, got {every}")
    header = Header(check_person(person), size, coverage, format, consent=consent)
    footage = list_footage(inputs, note)
    if force and not is_free(out):
        remove(out)
    how = f"{type(detector).__qualname__}, {type(landmarker).__qualname__}, {rules}" + (f", {wanted}" if wanted else "")
    jobs = [_job(one, every, how) for one in footage]
    with FacesetWriter(out, header, planned=[job.pass_ for job in jobs], note=note) as writer:
        jobs = _plan(jobs, writer, note)
        pixels = max((job.footage.pixels for job in jobs), default=1)
        depth, batch = depth_for(pixels, 1, _AHEAD), depth_for(pixels, 1, BATCH)
        found = detect(ahead(decode(jobs, note), depth), detector, batch=batch)
        try:
            marked = mark(ahead(found, depth), landmarker)  # in this thread: with one more they wait for each other longer
            with _brisk(), closing(marked if wanted is None else wanted.recognise(marked)) as shots:
                write(shots, writer, rules, _count(jobs), progress, note)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped with {writer.next_id} faces in {out}; the same command goes on from there") from None
    faceset = Faceset.open(out, note=note)
    if len(faceset) == 0:
        remove(out)
        raise NoFaceError(f"found no face in {', '.join(map(str, inputs))}; check the footage, or try another detector")
    if faceset.kept_count == 0:
        note(f"found faces, but none to keep: {', '.join(faceset.dropped)}")
    return faceset


@contextmanager
def _brisk() -> Iterator[None]:
    """Let the stages' threads take turns ten times as often as Python does: their steps take a millisecond or so each."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _job(footage: Footage, every: int, how: str) -> Job:
    if footage.picture:
        return Job(footage, Pass(footage.name, footage.fingerprint, how), 1)
    return Job(footage, Pass(footage.name, footage.fingerprint, f"every {every} frames, {how}"), every)


def _plan(jobs: Sequence[Job], writer: FacesetWriter, note: Note) -> list[Job]:
    """Choose what is not done yet, the input that was interrupted first. Raises FacesetError where content or settings changed."""
    names, contents = {done.file: done for done in writer.done}, {done.fingerprint: done for done in writer.done}
    left: list[Job] = []
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


def _count(jobs: Sequence[Job]) -> int | None:
    """Estimate the frames to be looked at; None when an input does not say."""
    counts = [j.footage.frames and max(1, -(-(j.footage.frames - j.first) // j.every)) for j in jobs]
    return None if None in counts else sum(c for c in counts if c is not None)

"""First pass over a target: decode, find cuts, detect, landmark, link into tracks."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.detect import Detector, Glancing
from bianlian.errors import ConfigError
from bianlian.faceset.ahead import ahead, depth_for
from bianlian.faceset.inputs import fingerprint as file_fingerprint
from bianlian.geometry import nms
from bianlian.identity import Describer
from bianlian.landmark import Landmarker
from bianlian.swap.report import Clock
from bianlian.swap.tracks import Analysis
from bianlian.track import Linker, join_shots, name_people
from bianlian.types import Face, Frame, Image, Note, Progress, silent
from bianlian.video import VideoInfo, frames, list_pictures

CUT = 20.0
"""Mean difference of two neighbouring frames' thumbnails, grey levels, from which on they belong to different shots."""
SAME = 0.5
"""Two faces of one frame that overlap more than this (IoU) are one face."""
MEMORY_SECONDS = 5.0
"""A lost face is awaited so long where it was last seen."""

LOOK_SECONDS = 2.0
"""A face that is followed without doubt is described so often."""

BATCH = 8
"""Frames that are searched at a time."""

_THUMB = (32, 18)


def analyse(
    target: Path,
    info: VideoInfo,
    detector: Detector,
    landmarker: Landmarker,
    describer: Describer,
    *,
    names: tuple[str, str, str],
    gap: float = 0.3,
    clock: Clock | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> Analysis:
    """Find every face of a target, follow it, and tell the people apart.

    target: video, picture or folder; info: its probe. names: of detector, landmarker and describer, for the record. gap: seconds
    without a detection that are bridged. Raises VideoError for a target that yields no frame, ConfigError for a landmarker whose
    points do not say where the face ends.
    """
    clock = clock or Clock()
    rate = info.average_rate if info.kind == "video" else None
    bridge, memory, pace = (round(float(s * (rate or 0))) for s in (gap, MEMORY_SECONDS, LOOK_SECONDS))

    def describe(image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
        with clock("describe"):
            return describer.describe(image, faces)

    linker = Linker(gap=bridge, memory=memory, pace=pace, describe=describe)
    cuts: list[int] = []
    before: Image | None = None
    done = last = 0
    empty = False
    fit = partial(depth_for, info.width, info.height)
    with closing(ahead(_decode(target, clock, note), fit(2 * BATCH))) as decoded:
        for batch in _batched(decoded, fit(BATCH)):
            thumbs = [np.asarray(cv2.resize(f.image, _THUMB, interpolation=cv2.INTER_AREA), np.uint8) for f in batch]
            cut = [b is not None and _is_cut(b, thumb) for b, thumb in zip([before, *thumbs], thumbs, strict=False)]
            before = thumbs[-1]
            with clock("detect"):
                found = None
                if empty and rate is not None and not any(cut):
                    found = _nobody(detector, batch)
                boxes = found or detector.detect([f.image for f in batch])
            empty = not any(boxes)
            for frame, faces, new in zip(batch, boxes, cut, strict=True):
                if new:
                    cuts.append(frame.index)
                with clock("landmark"):
                    marked = _mark(landmarker, frame, faces)
                linker.add(frame.index, marked, frame.image, cut=new)
                done, last = done + 1, frame.index
            progress("analyse", done, info.frames)
    progress("analyse", done, done)
    tracks = tuple(join_shots(name_people(linker.tracks()), cuts, gap=bridge))
    return Analysis(target.name, fingerprint(target), info.width, info.height, last + 1, rate, *names, tuple(cuts), tracks)


def _nobody(detector: Detector, batch: Sequence[Frame]) -> list[list[Face]] | None:
    """Make sure at little cost that nobody is seen in some frames either, after others in which nobody was -> no faces; None: look.

    A quick look at each frame and a thorough one at the last must find nobody. What can be missed is a face too small or too much
    turned for the quick look that is gone again within the batch.
    """
    if not isinstance(detector, Glancing) or any(detector.glance([f.image for f in batch])):
        return None
    return None if any(detector.detect([batch[-1].image])) else [[] for _ in batch]


def fingerprint(target: Path) -> str:
    """Tell targets apart without reading all of them: a hash in hex, of a folder over its pictures' names and ends."""
    if not target.is_dir():
        return file_fingerprint(target)
    digest = hashlib.sha256()
    for picture in list_pictures(target):
        digest.update(f"{picture.name} {file_fingerprint(picture)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _decode(target: Path, clock: Clock, note: Note) -> Generator[Frame, None, None]:
    source = frames(target, damaged=note)
    while True:
        with clock("decode"):
            frame = next(source, None)
        if frame is None:
            return
        yield frame


def _batched(items: Iterator[Frame], size: int) -> Iterator[list[Frame]]:
    while batch := list(islice(items, size)):
        yield batch


def _is_cut(before: Image, now: Image) -> bool:
    return float(np.abs(before.astype(np.float32) - now).mean()) > CUT


def _mark(landmarker: Landmarker, frame: Frame, faces: Sequence[Face]) -> list[Face]:
    marked = [f for f in landmarker.mark(frame.image, faces) if f is not None and f.landmarks is not None]
    if any(f.landmarks is not None and f.landmarks.scheme == "five" for f in marked):
        raise ConfigError("a swap wants landmarks with the face's outline, the landmarker gives five points; use facemesh")
    if len(marked) < 2:
        return marked
    kept = nms(np.stack([f.box for f in marked]), np.array([f.score for f in marked]), SAME)
    return [marked[k] for k in kept]

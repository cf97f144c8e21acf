"""First pass over a target: decode, find cuts, detect, landmark, link into tracks."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from functools import partial as bound
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.detect import Detector, Glancing
from bianlian.errors import ConfigError
from bianlian.faceset.ahead import ahead, depth_for
from bianlian.faceset.inputs import fingerprint as file_fingerprint
from bianlian.geometry import iou, nms
from bianlian.identity import Describer
from bianlian.landmark import Landmarker
from bianlian.swap.partial import Batch, Partial, Seen
from bianlian.swap.report import Clock
from bianlian.swap.tracks import Analysis, rounded, settled
from bianlian.track import Linker, join_shots, name_people
from bianlian.track.link import between
from bianlian.types import Face, Frame, Image, Note, Progress, Track, silent
from bianlian.video import WHOLE, Span, VideoInfo, frames, list_pictures

CUT = 20.0
"""Mean difference of two neighbouring frames' thumbnails, grey levels, from which on they belong to different shots."""
SAME = 0.5
"""Two faces of one frame that overlap more than this (IoU) are one face."""
STRIDE = 4
"""Frames from one that is searched to the next, while the faces of both are surely the same: a landmarker needs but a rough box."""
SURE, STAYS = 0.8, 0.6
"""They are, when the detector scores each this much and their boxes overlap this much (IoU)."""
MEMORY_SECONDS = 5.0
"""A lost face is awaited so long where it was last seen."""

LOOK_SECONDS = 2.0
"""A face that is followed without doubt is described so often."""

BATCH = 8
"""Frames that are searched at a time."""

DEPTH = 2
"""Batches between detection and linking."""

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
    span: Span = WHOLE,
    partial: Partial | None = None,
    clock: Clock | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> Analysis:
    """Find every face of a target, follow it, and tell the people apart.

    target: video, picture or folder; info: its probe. names: of detector, landmarker and describer, for the record. gap: seconds
    without a detection that are bridged. span: the part to look at. partial: where it is written down on the way, and from where
    it goes on. Raises VideoError for a target that yields no frame, ConfigError for a landmarker whose points do not say where the
    face ends, OutputError when ``partial`` cannot be written.
    """
    search = Search.of(info, detector, landmarker, describer, gap=gap, clock=clock or Clock())
    with nullcontext() if partial is None else closing(partial):
        for batch in () if partial is None else partial.read():
            search.replay(batch)
        if search.done:
            note(f"analysis goes on at frame {search.next}")
        fit = bound(depth_for, info.width, info.height)
        decoded = ahead(_decode(target, span, search.next, search.clock, note), fit(2 * BATCH))
        with closing(ahead(_searched(decoded, search, fit(BATCH)), fit(DEPTH))) as batches:
            for found in batches:
                seen = search.link(found)
                if partial is not None:
                    partial.add(seen)
                progress("analyse", search.done, info.frames if span.whole else None)
    progress("analyse", search.done, search.done)
    return settled(
        Analysis(
            target=target.name,
            fingerprint=fingerprint(target),
            width=info.width,
            height=info.height,
            frames=search.next,
            rate=search.rate,
            detector=names[0],
            landmarker=names[1],
            describer=names[2],
            cuts=tuple(search.cuts),
            tracks=search.tracks(),
            span=span,
            first=search.first,
        )
    )


@dataclass(frozen=True, eq=False)
class Found:
    """Frames that were searched together. boxes: the faces of each; cut: whether a shot begins with it; thumb: of the last one."""

    frames: Sequence[Frame]
    boxes: Sequence[Sequence[Face]]
    cut: Sequence[bool]
    thumb: Image


class Search:
    """Where the search of a target stands: ``detect`` and ``link`` take its frames in turn, and may run in two threads.

    done: frames linked; first: index of the first of them; next: of the first one after them; cuts: so far. rate: frames a second,
    None outside a video.
    """

    def __init__(
        self, detector: Detector, landmarker: Landmarker, linker: Linker, bridge: int, rate: Fraction | None, clock: Clock
    ) -> None:
        """Start at the first frame; ``of`` is the way to make one. bridge: frames without a detection that are bridged."""
        self._detector, self._landmarker, self._linker, self._bridge = detector, landmarker, linker, bridge
        self.rate, self.clock = rate, clock
        self.cuts: list[int] = []
        self.done = self.first = self.next = 0
        self._before: Image | None = None
        self._empty = False

    @classmethod
    def of(
        cls, info: VideoInfo, detector: Detector, landmarker: Landmarker, describer: Describer, *, gap: float, clock: Clock
    ) -> Search:
        """Set up the search of a target: see ``analyse``."""
        rate = info.average_rate if info.kind == "video" else None
        bridge, memory, pace = (round(float(s * (rate or 0))) for s in (gap, MEMORY_SECONDS, LOOK_SECONDS))

        def describe(image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
            with clock("describe"):
                return describer.describe(image, faces)

        linker = Linker(gap=bridge, memory=memory, pace=pace, describe=describe)
        return cls(detector, landmarker, linker, bridge, rate, clock)

    def detect(self, batch: Sequence[Frame]) -> Found:
        """Find the faces and cuts of the next frames."""
        thumbs = [np.asarray(cv2.resize(f.image, _THUMB, interpolation=cv2.INTER_AREA), np.uint8) for f in batch]
        cut = [b is not None and _is_cut(b, thumb) for b, thumb in zip([self._before, *thumbs], thumbs, strict=False)]
        with self.clock("detect"):
            found = _nobody(self._detector, batch) if self._empty and self.rate is not None and not any(cut) else None
            boxes = found or self._boxes(batch, sure=self.rate is not None and not any(cut))
        self._before, self._empty = thumbs[-1], not any(boxes)
        return Found(batch, boxes, cut, thumbs[-1])

    def _boxes(self, batch: Sequence[Frame], *, sure: bool) -> list[list[Face]]:
        """Find the faces of each frame. sure: those between two frames that surely show the same faces need not be searched."""
        keys = sorted({*range(0, len(batch), STRIDE), len(batch) - 1}) if sure else list(range(len(batch)))
        known = dict(zip(keys, self._detector.detect([batch[k].image for k in keys]), strict=True))
        for a, b in pairwise(keys):
            pairs = _pairs(known[a], known[b])
            rest = range(a + 1, b)
            if pairs is None and rest:
                known.update(zip(rest, self._detector.detect([batch[k].image for k in rest]), strict=True))
            elif pairs is not None:
                known.update((k, [between(x, y, (k - a) / (b - a)) for x, y in pairs]) for k in rest)
        return [known[k] for k in range(len(batch))]

    def link(self, found: Found) -> Batch:
        """Mark the faces that were found, and link them to those before -> what was seen."""
        seen = []
        for frame, faces, new in zip(found.frames, found.boxes, found.cut, strict=True):
            with self.clock("landmark"):
                marked = tuple(_mark(self._landmarker, frame, faces))
            seen.append(Seen(frame.index, new, marked, self._linker.add(frame.index, marked, frame.image, cut=new)))
        return self._counted(Batch(tuple(seen), not any(found.boxes), found.thumb))

    def replay(self, batch: Batch) -> None:
        """Take what an earlier run saw."""
        for seen in batch.frames:
            self._linker.replay(seen.frame, seen.faces, seen.sight, cut=seen.cut)
        self._before, self._empty = batch.thumb, batch.empty
        self._counted(batch)

    def tracks(self) -> tuple[Track, ...]:
        """Tell the people apart in all that was linked."""
        return tuple(join_shots(name_people(self._linker.tracks()), self.cuts, gap=self._bridge))

    def _counted(self, batch: Batch) -> Batch:
        self.cuts += [seen.frame for seen in batch.frames if seen.cut]
        self.first = self.first if self.done else batch.frames[0].frame
        self.done += len(batch.frames)
        self.next = batch.frames[-1].frame + 1
        return batch


def _searched(decoded: Generator[Frame, None, None], search: Search, size: int) -> Generator[Found, None, None]:
    with closing(decoded):
        for batch in _batched(decoded, size):
            yield search.detect(batch)


def _pairs(before: Sequence[Face], after: Sequence[Face]) -> list[tuple[Face, Face]] | None:
    """Pair the faces of two frames that are a little apart; None unless all are surely the same, and there are some."""
    if not before or len(before) != len(after):
        return None
    pairs, left = [], list(after)
    for face in before:
        nearest = max(left, key=lambda other: iou(face.box, other.box))
        if min(face.score, nearest.score) < SURE or iou(face.box, nearest.box) < STAYS:
            return None
        left.remove(nearest)
        pairs.append((face, nearest))
    return pairs


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


def _decode(target: Path, span: Span, first: int, clock: Clock, note: Note) -> Generator[Frame, None, None]:
    source = frames(target, first=first, start=span.start, stop=span.stop, rough=True, damaged=note)
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
    marked = [rounded(f) for f in landmarker.mark(frame.image, faces) if f is not None and f.landmarks is not None]
    if any(f.landmarks is not None and f.landmarks.scheme == "five" for f in marked):
        raise ConfigError("a swap wants landmarks with the face's outline, the landmarker gives five points; use facemesh")
    if len(marked) < 2:
        return marked
    kept = nms(np.stack([f.box for f in marked]), np.array([f.score for f in marked]), SAME)
    return [marked[k] for k in kept]

"""Second pass over a target: decode and cut, swap in batches, fit and paste, encode; each in its own thread, a few frames apart."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian import align, plugins
from bianlian.errors import InputError
from bianlian.faceset.ahead import ahead
from bianlian.geometry import compose
from bianlian.model import Swapper
from bianlian.swap.color import Recolor
from bianlian.swap.front import Front, Seen, calmed
from bianlian.swap.paste import Finish, paste
from bianlian.swap.plan import Place, Plan
from bianlian.swap.refine import CompiledRefiner, refined_size
from bianlian.swap.report import Clock
from bianlian.swap.settings import SwapSettings
from bianlian.swap.steady import SteadyColor
from bianlian.swap.tracks import Analysis
from bianlian.swap.work import Work
from bianlian.types import Crop, Frame, Image, Mask, Note, Progress, silent
from bianlian.video import VideoInfo, frames
from bianlian.video.segments import SegmentWriter, open_segments

Pixel = TypeVar("Pixel", np.uint8, np.float32)

DEPTH = 8
"""Frames between two stages: enough to keep both busy, few enough for 4K."""


@dataclass(frozen=True, eq=False)
class _Job:
    """A frame on its way. For each place, crops: what the network sees; under: the same at the size of the finished face; after
    the networks, faces and weights of that size. seen: where the faces show, by track; empty when nobody looked."""

    frame: Frame
    places: tuple[Place, ...]
    crops: tuple[Crop, ...]
    under: tuple[Crop, ...]
    faces: tuple[Image, ...] = ()
    weights: tuple[Mask, ...] = ()
    seen: Seen = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Done:
    """A finished frame. places: that changed it. led: how colour is led before it (by track), where a segment begins with it."""

    frame: Frame
    places: tuple[Place, ...]
    led: Mapping[str, Any] | None


@dataclass(frozen=True)
class Rendered:
    """What was rendered. frames: written; resumed: of them by earlier runs; swapped, filled: of them; reasons: (frame index, why)
    of all others."""

    frames: int
    resumed: int
    swapped: int
    filled: int
    reasons: tuple[tuple[int, str], ...]


def render(
    target: Path,
    info: VideoInfo,
    analysis: Analysis,
    plan: Plan,
    swappers: Sequence[Swapper],
    out: Path,
    settings: SwapSettings,
    *,
    work: Work,
    clock: Clock | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> Rendered:
    """Write the swapped target; ``out`` appears whole or not at all. swappers: of each part of the cast, all of one size.

    work: gets the finished segments; those that it holds are not made again. The first exception of any stage, Ctrl-C too, stops
    all of them and is raised here. Raises VideoError, OutputError, and what the network raises.
    """
    clock = clock or Clock()
    tally = _Tally(work, plan, settings.segment)
    if work.records:
        note(f"the first {tally.count} frames are those of an interrupted run")
    stages = _stages(target, analysis, plan, swappers, settings, work, clock)
    segments = [record["video"] for record in work.records]
    with open_segments(out, info, settings.encoding, work.folder, segments, note) as writer, closing(stages) as done:
        for item in done:
            with clock("encode"):
                if item.led is not None:
                    tally.cut(writer, item.led)
                writer.write(item.frame)
            tally.add(item)
            progress("swap", tally.count, analysis.frames)
        with clock("encode"):
            tally.cut(writer, {})
        progress("swap", tally.count, tally.count)
    return tally.total()


class _Tally:
    """Counts what was rendered, and hands each finished segment over to the work."""

    def __init__(self, work: Work, plan: Plan, segment: int) -> None:
        self._work, self._plan, self._segment = work, plan, segment
        self._before = [record["count"] for record in work.records]
        self._fresh()
        self._next = work.frames
        self.count = self._resumed = sum(count["frames"] for count in self._before)

    def _fresh(self) -> None:
        self._now: dict[str, Any] = {"frames": 0, "swapped": 0, "filled": 0, "skipped": []}

    def add(self, item: _Done) -> None:
        """Count a frame."""
        self.count += 1
        self._next = self._segment * (item.frame.index // self._segment + 1)
        self._now["frames"] += 1
        if item.places:
            self._now["swapped"] += 1
            self._now["filled"] += any(p.filled for p in item.places)
        else:
            self._now["skipped"].append(item.frame.index)

    def cut(self, writer: SegmentWriter, led: Mapping[str, Any]) -> None:
        """End a segment. led: how colour is led after it. The work remembers it, as soon as its frames are safe."""
        if self._now["frames"]:
            self._work.add({"next": self._next, "video": writer.cut(), "count": self._now, "led": led})
            self._before.append(self._now)
            self._fresh()

    def total(self) -> Rendered:
        """Sum up all segments."""
        frames, swapped, filled = (sum(count[key] for count in self._before) for key in ("frames", "swapped", "filled"))
        skipped = [index for count in self._before for index in count["skipped"]]
        return Rendered(frames, self._resumed, swapped, filled, tuple((k, self._plan.reason(k)) for k in skipped))


def _stages(
    target: Path,
    analysis: Analysis,
    plan: Plan,
    swappers: Sequence[Swapper],
    settings: SwapSettings,
    work: Work,
    clock: Clock,
) -> Generator[_Done, None, None]:
    """Join the stages from decoding to pasting, each a few frames ahead of the next in its own thread."""
    seen, coverage = swappers[0].size, swappers[0].coverage
    size = seen if settings.refine <= 0 else refined_size(plan, seen)
    first, led = work.frames, work.records[-1]["led"] if work.records else {}
    cut = ahead(_cut(target, plan, seen, size, max(0, first - 1), clock), DEPTH)
    front = Front(coverage) if settings.mask == "learned" else None
    if front is not None:
        cut = ahead(_look(cut, front, clock), DEPTH)
    drawn = ahead(_draw(_from(cut, first), _Artist(swappers, size, settings, clock), settings.batch, settings.segment), DEPTH)
    return ahead(_join(drawn, front, settings, analysis, led, clock), DEPTH)


def _cut(target: Path, plan: Plan, size: int, finished: int, first: int, clock: Clock) -> Generator[_Job, None, None]:
    source = frames(target, first=first)
    while True:
        with clock("decode"):
            frame = next(source, None)
        if frame is None:
            return
        places = plan.places.get(frame.index, ())
        with clock("cut"):
            crops = tuple(align.cut(frame.image, p.crop_from_frame, size) for p in places)
            under = tuple(_cut_under(frame.image, crop, finished) for crop in crops)
        yield _Job(frame, places, crops, under)


def _from(jobs: Generator[_Job, None, None], first: int) -> Generator[_Job, None, None]:
    """Leave out the frame before the first one, which was looked at for the sake of the first one's mask alone."""
    with closing(jobs):
        for job in jobs:
            if job.frame.index >= first:
                yield job


def _cut_under(image: Image, crop: Crop, size: int) -> Crop:
    """Cut what a crop shows again, with another number of pixels."""
    if size == crop.size:
        return crop
    factor = size / crop.size
    finer = np.array([[factor, 0.0, (factor - 1) / 2], [0.0, factor, (factor - 1) / 2]])  # pixels' centres, not corners
    return align.cut(image, compose(finer, crop.crop_from_frame), size)


def _look(jobs: Generator[_Job, None, None], front: Front, clock: Clock) -> Generator[_Job, None, None]:
    """See what is in front of the faces."""

    def look(job: _Job) -> tuple[_Job, int, Seen]:
        with clock("mask"):
            return (
                job,
                job.frame.index,
                front.look(job.frame.image, {p.track: c for p, c in zip(job.places, job.crops, strict=True)}),
            )

    with closing(jobs):
        for job, seen in calmed(map(look, jobs)):
            yield replace(job, seen=seen)


class _Artist:
    """Draws and refines the faces of a few crops at a time. size: of the finished faces."""

    def __init__(self, swappers: Sequence[Swapper], size: int, settings: SwapSettings, clock: Clock) -> None:
        self._swappers, self._size, self._share, self._clock = swappers, size, settings.refine, clock
        self._refiner = CompiledRefiner(size) if settings.refine > 0 else None

    def draw(self, part: int, crops: NDArray[np.uint8], under: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Swap crops (N, S, S, 3) of which under (N, T, T, 3) shows the same -> faces (N, T, T, 3), weights (N, T, T).

        part: of the cast. Raises InputError for a model of other shapes.
        """
        with self._clock("network"):
            drawn, own = self._swappers[part].swap(crops)
        if drawn.shape != crops.shape or drawn.dtype != np.uint8 or own.shape != crops.shape[:3]:
            raise InputError(f"the model must give {crops.shape} uint8 and masks, got {drawn.dtype} {drawn.shape} and {own.shape}")
        if self._refiner is not None:
            with self._clock("refine"):
                drawn, own = enlarge(drawn, self._size, cv2.INTER_CUBIC), enlarge(own, self._size, cv2.INTER_LINEAR)
                drawn = self._refiner(drawn, under, self._share)
        return drawn, own


def enlarge(pictures: NDArray[Pixel], size: int, how: int) -> NDArray[Pixel]:
    """Resize a batch (N, S, S) or (N, S, S, C) to another side; the same one when it has that side."""
    if pictures.shape[1] == size:
        return pictures
    return np.stack([cv2.resize(picture, (size, size), interpolation=how) for picture in pictures])


def _draw(jobs: Generator[_Job, None, None], artist: _Artist, batch: int, segment: int) -> Generator[_Job, None, None]:
    """Run the networks over the crops of several frames at once; frames keep their order."""
    with closing(jobs):
        waiting: list[_Job] = []
        for job in jobs:
            # no batch lies in two segments: a run that goes on makes the same ones
            if waiting and waiting[-1].frame.index // segment != job.frame.index // segment:
                yield from _drawn(waiting, artist, batch)
                waiting = []
            waiting.append(job)
            if sum(len(j.crops) for j in waiting) >= batch or len(waiting) >= 2 * batch:
                yield from _drawn(waiting, artist, batch)
                waiting = []
        yield from _drawn(waiting, artist, batch)


def _drawn(jobs: list[_Job], artist: _Artist, batch: int) -> Iterator[_Job]:
    """Draw all faces of some frames, each part of the cast by itself."""
    places = [(j, k, place.part) for j, job in enumerate(jobs) for k, place in enumerate(job.places)]
    faces: dict[tuple[int, int], tuple[Image, Mask]] = {}
    for part in sorted({part for _, _, part in places}):
        mine = [(j, k) for j, k, other in places if other == part]
        for start in range(0, len(mine), batch):
            some = mine[start : start + batch]
            crops = np.stack([jobs[j].crops[k].image for j, k in some])
            drawn, own = artist.draw(part, crops, np.stack([jobs[j].under[k].image for j, k in some]))
            faces.update(zip(some, zip(drawn, own, strict=True), strict=True))
    for j, job in enumerate(jobs):
        done = [faces[j, k] for k in range(len(job.places))]
        yield replace(job, faces=tuple(face for face, _ in done), weights=tuple(own for _, own in done))


def _join(
    jobs: Generator[_Job, None, None],
    front: Front | None,
    settings: SwapSettings,
    analysis: Analysis,
    led: Mapping[str, Any],
    clock: Clock,
) -> Generator[_Done, None, None]:
    """Fit each face to its frame and paste it. led: how colour was led before the first of these frames, by track."""
    finish = _finish(settings)
    window = settings.steady * float(analysis.rate or 0)
    steady: dict[int, SteadyColor] = {}
    for track, value in led.items():
        steady[int(track)] = SteadyColor(finish.color, window)
        steady[int(track)].led = value
    before: int | None = None
    with closing(jobs):
        for job in jobs:
            begins = before is not None and before // settings.segment != job.frame.index // settings.segment
            now = {str(track): color.led for track, color in steady.items()} if begins else None
            before, image, changed = job.frame.index, job.frame.image, []
            for place, crop, face, weights in zip(job.places, job.under, job.faces, job.weights, strict=True):
                color = steady.setdefault(place.track, SteadyColor(finish.color, window))
                with clock("paste"):
                    if front is not None:
                        weights = np.minimum(weights, front.over(job.seen[place.track], crop))
                    new = paste(image, crop, face, weights, place.outline, replace(finish, color=color), place.share)
                if new is not image:
                    changed.append(place)
                image = new
            yield _Done(replace(job.frame, image=image), tuple(changed), now)


def _finish(settings: SwapSettings) -> Finish:
    recolor: Recolor = plugins.load("color", settings.color)
    return Finish(
        color=recolor,
        blend=plugins.load("blend", settings.blend),
        erode=settings.erode,
        feather=settings.feather,
        shade=settings.shade,
        sharpen=settings.sharpen,
        grain=settings.grain,
    )

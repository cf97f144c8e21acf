"""Second pass over a target: decode and cut, swap in batches, fit and paste, encode; each in its own thread, a few frames apart."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian import align, plugins
from bianlian.errors import InputError
from bianlian.faceset.ahead import ahead, depth_for
from bianlian.geometry import compose
from bianlian.model import Swapper
from bianlian.provenance.mark import Marker
from bianlian.swap.color import Recolor
from bianlian.swap.front import Front, Seen, calmed
from bianlian.swap.paste import Finish, paste
from bianlian.swap.plan import Place, Plan
from bianlian.swap.refine import CompiledRefiner, refined_size
from bianlian.swap.report import Clock
from bianlian.swap.settings import SwapSettings
from bianlian.swap.steady import SteadyColor
from bianlian.swap.tracks import Analysis
from bianlian.types import Crop, Frame, Image, Mask, Note, Progress, silent
from bianlian.video import VideoInfo, frames, open_writer

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


@dataclass(frozen=True)
class Rendered:
    """What was rendered. frames: written; swapped, filled: of them; reasons: (frame index, why) of all others."""

    frames: int
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
    marker: Marker,
    clock: Clock | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> Rendered:
    """Write the swapped target; ``out`` appears whole or not at all. swappers: of each part of the cast, all of one size;
    marker: of this output.

    The first exception of any stage, Ctrl-C too, stops all of them and is raised here. Raises VideoError, OutputError, and what
    the network raises.
    """
    clock = clock or Clock()
    count = swapped = filled = 0
    reasons: list[tuple[int, str]] = []
    seen, coverage = swappers[0].size, swappers[0].coverage
    size = seen if settings.refine <= 0 else refined_size(plan, seen)
    depth = depth_for(info.width, info.height, DEPTH)
    cut = ahead(_cut(target, plan, seen, size, clock), depth)
    front = Front(coverage) if settings.mask == "learned" else None
    if front is not None:
        cut = ahead(_look(cut, front, clock), depth)
    drawn = ahead(_draw(cut, _Artist(swappers, size, settings, clock), settings.batch), depth)
    joined = ahead(_join(drawn, front, settings, analysis, clock), depth)
    with open_writer(out, info, settings.encoding, note, marks=marker.marks) as writer, closing(joined) as done:
        for frame, places in done:
            with clock("mark"):
                frame = marker.frame(frame, swapped=bool(places))
            with clock("encode"):
                writer.write(frame)
            count += 1
            if places:
                swapped += 1
                filled += any(p.filled for p in places)
            else:
                reasons.append((frame.index, plan.reason(frame.index)))
            progress("swap", count, analysis.frames)
        progress("swap", count, count)
    return Rendered(count, swapped, filled, tuple(reasons))


def _cut(target: Path, plan: Plan, size: int, finished: int, clock: Clock) -> Generator[_Job, None, None]:
    source = frames(target)
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


def _draw(jobs: Generator[_Job, None, None], artist: _Artist, batch: int) -> Generator[_Job, None, None]:
    """Run the networks over the crops of several frames at once; frames keep their order."""
    with closing(jobs):
        waiting: list[_Job] = []
        for job in jobs:
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
    jobs: Generator[_Job, None, None], front: Front | None, settings: SwapSettings, analysis: Analysis, clock: Clock
) -> Generator[tuple[Frame, tuple[Place, ...]], None, None]:
    """Fit each face to its frame and paste it -> (frame, places that changed it)."""
    recolor: Recolor = plugins.load("color", settings.color)
    finish = Finish(
        color=recolor,
        blend=plugins.load("blend", settings.blend),
        erode=settings.erode,
        feather=settings.feather,
        shade=settings.shade,
        sharpen=settings.sharpen,
        grain=settings.grain,
    )
    window = settings.steady * float(analysis.rate or 0)
    steady: dict[int, SteadyColor] = {}
    with closing(jobs):
        for job in jobs:
            image = job.frame.image
            changed = []
            for place, crop, face, weights in zip(job.places, job.under, job.faces, job.weights, strict=True):
                color = steady.setdefault(place.track, SteadyColor(recolor, window))
                with clock("paste"):
                    if front is not None:
                        weights = np.minimum(weights, front.over(job.seen[place.track], crop))
                    new = paste(image, crop, face, weights, place.outline, replace(finish, color=color))
                if new is not image:
                    changed.append(place)
                image = new
            yield replace(job.frame, image=image), tuple(changed)

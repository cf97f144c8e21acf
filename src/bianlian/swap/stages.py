"""The stages of a swap's second pass: decode and cut, see what is in front, draw, fit and paste; each a generator."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian import align, plugins
from bianlian.errors import InputError
from bianlian.geometry import apply, compose
from bianlian.model import Swapper, SwapsAt
from bianlian.swap.color import Recolor
from bianlian.swap.fine import resized
from bianlian.swap.front import Front, Seen, calmed
from bianlian.swap.layers import Done, Layer
from bianlian.swap.paste import Finish, fit
from bianlian.swap.plan import Place, Plan
from bianlian.swap.refine import CompiledRefiner
from bianlian.swap.report import Clock
from bianlian.swap.settings import SwapSettings
from bianlian.swap.steady import SteadyColor
from bianlian.swap.tracks import Analysis
from bianlian.types import Crop, Frame, Image, Mask, Note, Points
from bianlian.video import Span, frames


@dataclass(frozen=True, eq=False)
class Job:
    """A frame on its way. For each place, crops: what the network sees; under: the same at the size of the finished face; after
    the networks, faces and weights of that size. seen: where the faces show, by track; empty when nobody looked."""

    frame: Frame
    places: tuple[Place, ...]
    crops: tuple[Crop, ...]
    under: tuple[Crop, ...]
    faces: tuple[Image, ...] = ()
    weights: tuple[Mask, ...] = ()
    seen: Seen = field(default_factory=dict)


def cut(
    target: Path, span: Span, plan: Plan, size: int, finished: int, first: int, clock: Clock, note: Note
) -> Generator[Job, None, None]:
    """Decode a part of a target, from the frame ``first`` on, and cut its faces: size and finished are the sides of the crops."""
    source = frames(target, first=first, start=span.start, stop=span.stop, damaged=note)
    while True:
        with clock("decode"):
            frame = next(source, None)
        if frame is None:
            return
        places = plan.places.get(frame.index, ())
        with clock("cut"):
            crops = tuple(align.cut(frame.image, p.crop_from_frame, size) for p in places)
            under = tuple(cut_under(frame.image, crop, finished) for crop in crops)
        yield Job(frame, places, crops, under)


def start_at(jobs: Generator[Job, None, None], first: int) -> Generator[Job, None, None]:
    """Leave out the frame before the first one, which was looked at for the sake of the first one's mask alone."""
    with closing(jobs):
        for job in jobs:
            if job.frame.index >= first:
                yield job


def cut_under(image: Image, crop: Crop, size: int) -> Crop:
    """Cut what a crop shows again, with another number of pixels."""
    if size == crop.size:
        return crop
    factor = size / crop.size
    finer = np.array([[factor, 0.0, (factor - 1) / 2], [0.0, factor, (factor - 1) / 2]])  # pixels' centres, not corners
    return align.cut(image, compose(finer, crop.crop_from_frame), size)


def look(jobs: Generator[Job, None, None], front: Front, clock: Clock) -> Generator[Job, None, None]:
    """See what is in front of the faces."""

    def look(job: Job) -> tuple[Job, int, Seen]:
        with clock("mask"):
            return (
                job,
                job.frame.index,
                front.look(job.frame.image, {p.track: c for p, c in zip(job.places, job.crops, strict=True)}),
            )

    with closing(jobs):
        for job, seen in calmed(map(look, jobs)):
            yield replace(job, seen=seen)


class Artist:
    """Draws and refines the faces of a few crops at a time. size: of the finished faces."""

    def __init__(self, swappers: Sequence[Swapper], size: int, settings: SwapSettings, clock: Clock) -> None:
        self._swappers, self._size, self._share, self._clock = swappers, size, settings.refine, clock
        self._refiner = CompiledRefiner(size) if settings.refine > 0 else None

    def draw(
        self, part: int, crops: NDArray[np.uint8], points: Points, under: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Swap crops (N, S, S, 3) of which under (N, T, T, 3) shows the same -> faces (N, T, T, 3), weights (N, T, T).

        part: of the cast; points (N, 68, 2): iBUG, pixels of the crops. Raises InputError for a model of other shapes.
        """
        swapper = self._swappers[part]
        with self._clock("network"):
            fine = isinstance(swapper, SwapsAt)
            drawn, own = swapper.swap_at(crops, points, under) if isinstance(swapper, SwapsAt) else swapper.swap(crops)
        wanted = under.shape if fine else crops.shape
        if drawn.shape != wanted or drawn.dtype != np.uint8 or own.shape != wanted[:3]:
            raise InputError(f"the model must give {wanted} uint8 and masks, got {drawn.dtype} {drawn.shape} and {own.shape}")
        drawn, own = resized(drawn, self._size, cv2.INTER_CUBIC), resized(own, self._size, cv2.INTER_LINEAR)
        if self._refiner is not None:
            with self._clock("refine"):
                drawn = self._refiner(drawn, under, self._share)
        return drawn, own


def draw(jobs: Generator[Job, None, None], artist: Artist, batch: int, segment: int) -> Generator[Job, None, None]:
    """Run the networks over the crops of several frames at once; frames keep their order."""
    with closing(jobs):
        waiting: list[Job] = []
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


def _drawn(jobs: list[Job], artist: Artist, batch: int) -> Iterator[Job]:
    """Draw all faces of some frames, each part of the cast by itself."""
    places = [(j, k, place.part) for j, job in enumerate(jobs) for k, place in enumerate(job.places)]
    faces: dict[tuple[int, int], tuple[Image, Mask]] = {}
    for part in sorted({part for _, _, part in places}):
        mine = [(j, k) for j, k, other in places if other == part]
        for start in range(0, len(mine), batch):
            some = mine[start : start + batch]
            crops = np.stack([jobs[j].crops[k].image for j, k in some])
            points = np.stack([apply(jobs[j].crops[k].crop_from_frame, jobs[j].places[k].points) for j, k in some])
            drawn, own = artist.draw(part, crops, points, np.stack([jobs[j].under[k].image for j, k in some]))
            faces.update(zip(some, zip(drawn, own, strict=True), strict=True))
    for j, job in enumerate(jobs):
        done = [faces[j, k] for k in range(len(job.places))]
        yield replace(job, faces=tuple(face for face, _ in done), weights=tuple(own for _, own in done))


def join(
    jobs: Generator[Job, None, None],
    front: Front | None,
    settings: SwapSettings,
    analysis: Analysis,
    led: Mapping[str, Any],
    clock: Clock,
    *,
    layered: bool,
) -> Generator[Done, None, None]:
    """Fit each face to its frame and paste it. led: how colour was led before the first of these frames, by track. layered: hand on
    the layers, which are large."""
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
            before, image, places, layers = job.frame.index, job.frame.image, [], []
            for place, crop, face, weights in zip(job.places, job.under, job.faces, job.weights, strict=True):
                color = steady.setdefault(place.track, SteadyColor(finish.color, window))
                with clock("paste"):
                    if front is not None:
                        weights = np.minimum(weights, front.over(job.seen[place.track], crop))
                    fitted = fit(image, crop, face, weights, place.outline, replace(finish, color=color), place.share)
                    if fitted is not None:
                        image = fitted.into(image)
                        places.append(place)
                        if layered:
                            layers.append(Layer(place, crop.crop_from_frame, face, weights, fitted))
            yield Done(replace(job.frame, image=image), tuple(places), tuple(layers), now)


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

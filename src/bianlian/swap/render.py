"""Second pass over a target: decode and cut, swap in batches, fit and paste, encode; each in its own thread, a few frames apart."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bianlian import align, plugins
from bianlian.errors import InputError
from bianlian.faceset.ahead import ahead
from bianlian.model import Swapper
from bianlian.swap.color import Recolor, SteadyColor
from bianlian.swap.paste import Finish, paste
from bianlian.swap.plan import Place, Plan
from bianlian.swap.report import Clock
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import Analysis
from bianlian.types import Crop, Frame, Image, Mask, Note, Progress, silent
from bianlian.video import VideoInfo, frames, open_writer

DEPTH = 8
"""Frames between two stages: enough to keep both busy, few enough for 4K."""


@dataclass(frozen=True, eq=False)
class _Job:
    """A frame on its way. crops: one for each place; after the network, faces and weights of each too."""

    frame: Frame
    places: tuple[Place, ...]
    crops: tuple[Crop, ...]
    faces: tuple[Image, ...] = ()
    weights: tuple[Mask, ...] = ()


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
    swapper: Swapper,
    out: Path,
    settings: SwapSettings,
    *,
    clock: Clock | None = None,
    progress: Progress = silent,
    note: Note = silent,
) -> Rendered:
    """Write the swapped target; ``out`` appears whole or not at all.

    The first exception of any stage, Ctrl-C too, stops all of them and is raised here. Raises VideoError, OutputError, and what
    the network raises.
    """
    clock = clock or Clock()
    count = swapped = filled = 0
    reasons: list[tuple[int, str]] = []
    cut = ahead(_cut(target, plan, swapper.size, clock), DEPTH)
    drawn = ahead(_draw(cut, swapper, settings.batch, clock), DEPTH)
    joined = ahead(_join(drawn, settings, analysis, clock), DEPTH)
    with open_writer(out, info, settings.encoding, note) as writer, closing(joined) as done:
        for frame, places in done:
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


def _cut(target: Path, plan: Plan, size: int, clock: Clock) -> Generator[_Job, None, None]:
    source = frames(target)
    while True:
        with clock("decode"):
            frame = next(source, None)
        if frame is None:
            return
        places = plan.places.get(frame.index, ())
        with clock("cut"):
            crops = tuple(align.cut(frame.image, p.crop_from_frame, size) for p in places)
        yield _Job(frame, places, crops)


def _draw(jobs: Generator[_Job, None, None], swapper: Swapper, batch: int, clock: Clock) -> Generator[_Job, None, None]:
    """Run the network over the crops of several frames at once; frames keep their order."""
    with closing(jobs):
        waiting: list[_Job] = []
        for job in jobs:
            waiting.append(job)
            if sum(len(j.crops) for j in waiting) >= batch or len(waiting) >= 2 * batch:
                yield from _drawn(waiting, swapper, batch, clock)
                waiting = []
        yield from _drawn(waiting, swapper, batch, clock)


def _drawn(jobs: list[_Job], swapper: Swapper, batch: int, clock: Clock) -> Iterator[_Job]:
    crops = [c.image for j in jobs for c in j.crops]
    faces: list[Image] = []
    weights: list[Mask] = []
    for start in range(0, len(crops), batch):
        some = np.stack(crops[start : start + batch])
        with clock("network"):
            drawn, own = swapper.swap(some)
        if drawn.shape != some.shape or drawn.dtype != np.uint8 or own.shape != some.shape[:3]:
            raise InputError(f"the model must give {some.shape} uint8 and masks, got {drawn.dtype} {drawn.shape} and {own.shape}")
        faces += list(drawn)
        weights += list(own)
    at = 0
    for job in jobs:
        end = at + len(job.crops)
        yield replace(job, faces=tuple(faces[at:end]), weights=tuple(weights[at:end]))
        at = end


def _join(
    jobs: Generator[_Job, None, None], settings: SwapSettings, analysis: Analysis, clock: Clock
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
            for place, crop, face, weights in zip(job.places, job.crops, job.faces, job.weights, strict=True):
                color = steady.setdefault(place.track, SteadyColor(recolor, window))
                with clock("paste"):
                    new = paste(image, crop, face, weights, place.outline, replace(finish, color=color))
                if new is not image:
                    changed.append(place)
                image = new
            yield replace(job.frame, image=image), tuple(changed)

"""Show those whose faces go in some of the faces that they will replace, before anything is drawn.

A swapper that knows its person from a photo alone can fit itself to the footage (``swap.liken``). It is shown crops as it will get
them, spread over the first minute in which its part is seen, and gives the swapper that draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from bianlian import align
from bianlian.geometry import apply
from bianlian.landmark.schemes import convert
from bianlian.model import Swapper
from bianlian.swap.plan import Place, Plan
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import Analysis
from bianlian.types import Image, Note, Points, Progress
from bianlian.video import Span, frames

FACES = 16
"""Faces that a swapper is shown."""
SPREAD = 1500
"""Frames from the first face of a part on, of which they are taken: a minute, or all of a short clip."""


@dataclass(frozen=True, eq=False)
class Met:
    """A face that will be replaced. crop (S, S, 3) RGB uint8, as the network gets it; points (68, 2): iBUG, in its pixels."""

    crop: Image
    points: Points


@runtime_checkable
class Meets(Protocol):
    """A swapper that wants to see whom it replaces."""

    def meet(self, faces: Sequence[Met], settings: SwapSettings, *, progress: Progress, note: Note) -> Swapper:
        """Give the swapper that draws; itself when it changed nothing. faces: one or more."""
        ...


def introduced(
    swappers: Sequence[Swapper],
    plan: Plan,
    analysis: Analysis,
    target: Path,
    span: Span,
    settings: SwapSettings,
    *,
    progress: Progress,
    note: Note,
) -> list[Swapper]:
    """Show each swapper that asks for it, by its place in the cast, faces that the plan gives it -> those that draw.

    A swapper whose faces cannot be read again, as in files whose times jump, stays as it is. Raises VideoError.
    """
    wanted = {part: _chosen(plan, part) for part, swapper in enumerate(swappers) if isinstance(swapper, Meets)}
    crops = {part: _seen(target, span, analysis, places, swappers[part].size) for part, places in wanted.items() if places}
    return [
        swapper.meet(crops[part], settings, progress=progress, note=note)
        if isinstance(swapper, Meets) and crops.get(part)
        else swapper
        for part, swapper in enumerate(swappers)
    ]


def _chosen(plan: Plan, part: int) -> dict[int, Place]:
    """Choose frames and the face in each: those that were found and not filled in, where there are such."""
    mine = {frame: place for frame, places in sorted(plan.places.items()) for place in places if place.part == part}
    mine = {frame: place for frame, place in mine.items() if not place.filled} or mine
    if not mine:
        return {}
    near = [frame for frame in mine if frame < min(mine) + SPREAD]
    spread = np.unique(np.linspace(0, len(near) - 1, min(FACES, len(near))).round().astype(int))
    return {near[k]: mine[near[k]] for k in spread}


def _seen(target: Path, span: Span, analysis: Analysis, places: Mapping[int, Place], size: int) -> list[Met]:
    """Cut the chosen faces out of the target."""
    points = {
        (track.id, point.frame): point.face.landmarks
        for track in analysis.tracks
        for point in track.points
        if point.frame in places and point.face.landmarks is not None
    }
    start = span.start
    if analysis.rate and min(places) > SPREAD:  # what lies far before is not decoded; a second more, as times may be uneven
        start = max(start or Fraction(0), min(places) / analysis.rate - 1)
    found: list[Met] = []
    for frame in frames(target, first=min(places), start=start, stop=span.stop):
        place = places.get(frame.index)
        marks = None if place is None else points.get((place.track, frame.index))
        if place is not None and marks is not None:
            seen = apply(place.crop_from_frame, convert(marks, "ibug68").points)
            found.append(Met(align.cut(frame.image, place.crop_from_frame, size).image, seen))
        if frame.index >= max(places):
            break
    return found

"""How much of a new face shows in each frame: faces that come, go or turn to profile fade over a few frames rather than pop.

Both passes are known, so a face fades out before it is lost. At a cut, and where the footage begins or ends, nothing fades: there
the picture itself changes at once. A face that another track goes on with, in the same place, is not lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from bianlian.geometry import box_of, iou
from bianlian.types import Points

PROFILE = (70.0, 85.0)
"""Degrees of yaw at which a face begins to fade, and is gone: beyond, half of it cannot be seen and its points are guessed."""
SAME = 0.4
"""Two outlines of neighbouring frames that overlap more than this (IoU of their boxes) are one face."""


def fades(outlines: Mapping[int, Sequence[tuple[int, Points]]], length: int, starts: Collection[int]) -> dict[int, list[float]]:
    """Say how much of each face shows, by its distance in time from where it comes and goes -> shares in (0, 1] by frame.

    outlines: (track, outline (N, 2)) of the faces to swap by frame index. length: frames that a fade takes, 0 for none. starts:
    indices of the first frame of each shot, and of the first one after the last.
    """
    order = sorted(outlines)
    since = _ages(outlines, order, 1, lambda frame: frame in starts, length)
    until = _ages(outlines, order[::-1], -1, lambda frame: frame + 1 in starts, length)
    return {
        frame: [min(a, b, length + 1) / (length + 1) for a, b in zip(since[frame], until[frame], strict=True)] for frame in order
    }


def turned(yaw: float) -> float:
    """Say how much of a face shows when the head is turned by ``yaw`` degrees -> share in [0, 1]."""
    return float(np.interp(abs(yaw), PROFILE, (1.0, 0.0)))


def _ages(
    outlines: Mapping[int, Sequence[tuple[int, Points]]],
    order: Sequence[int],
    step: int,
    begins: Callable[[int], bool],
    length: int,
) -> dict[int, list[int]]:
    """Count for how many frames each face has been there, going by ``step`` through ``order``, as far as it matters."""
    ages: dict[int, list[int]] = {}
    for frame in order:
        before = outlines.get(frame - step, ())
        mine = []
        for track, outline in outlines[frame]:
            known = [k for k, (other, there) in enumerate(before) if other == track or _same(outline, there)]
            if begins(frame):
                mine.append(length + 1)
            elif known:
                mine.append(min(length + 1, 1 + max(ages[frame - step][k] for k in known)))
            else:
                mine.append(1)
        ages[frame] = mine
    return ages


def _same(outline: Points, other: Points) -> bool:
    return iou(box_of(outline), box_of(other)) > SAME

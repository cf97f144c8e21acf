"""One BlazeFace network: look at a square view of a picture, decode what it says, merge what overlaps.

Source: V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv 1907.05047. Every cell of the
output grids has one or more anchors of fixed size; a network gives for each a score and, relative to the cell's centre, a box and
six points. Overlapping answers are averaged with their scores as weights, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bianlian.detect.pyramid import Pyramid
from bianlian.geometry import apply, invert, ious, scale_of
from bianlian.runtime import compile_file
from bianlian.types import Matrix, Points
from bianlian.weights import CARDS, locate

OVERLAP = 0.3
"""Boxes that share more than this (intersection over union) are one face."""

GRIDS = {"blazeface_short": (128, ((16, 2), (8, 6))), "blazeface_full": (192, ((48, 1),))}
"""Network -> side of its input in pixels, and (cells a side, anchors a cell) of each output grid: 896 and 2304 anchors."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One possible face, in frame pixels.

    score in [0, 1]; centre (2,) and side of its square box, which is turned as the view was; points (6, 2): right eye, left eye,
    nose tip, middle of the mouth, right ear, left ear (the person's own right and left).
    """

    score: float
    centre: NDArray[np.float64]
    side: float
    points: Points

    @property
    def square(self) -> NDArray[np.float64]:
        """The box as x1, y1, x2, y2, its turn left out."""
        return np.concatenate([self.centre - self.side / 2, self.centre + self.side / 2])

    @property
    def axis(self) -> NDArray[np.float64]:
        """Unit vector from the right eye to the left one."""
        along = self.points[1] - self.points[0]
        length = float(np.hypot(*along))
        return along / length if length > 1e-6 else np.array([1.0, 0.0])


class BlazeNet:
    """One of the two networks (a key of GRIDS). For one thread at a time."""

    def __init__(self, name: str) -> None:
        """Load the network. Raises WeightsError when its weights cannot be had."""
        self._side, grids = GRIDS[name]
        self._anchors = _anchors(grids)
        self._network = compile_file(locate(CARDS[name]))

    def look(
        self, pyramid: Pyramid, centre: NDArray[np.float64], extent: float, axis: NDArray[np.float64], floor: float
    ) -> list[Candidate]:
        """Look at a square of the picture -> candidates that score above ``floor``, best first, overlaps merged.

        centre (2,), extent: middle and side of the square in frame pixels. axis: unit vector that shall lie level in the view.
        """
        view_from_frame = _view(centre, extent, axis, self._side)
        view = pyramid.view(view_from_frame, self._side)
        answers, logits = self._network((view.astype(np.float32) / 127.5 - 1)[None])
        scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -60, 60)))
        found = np.flatnonzero((scores > floor) & (answers[0, :, 2:4].min(axis=1) > 0))
        if len(found) == 0:
            return []
        values = answers[0, found].astype(np.float64)
        corner = self._anchors[found, None] * self._side - 0.5
        spots = corner + np.concatenate([values[:, None, :2], values[:, 4:].reshape(-1, 6, 2)], axis=1)
        spots = apply(invert(view_from_frame), spots.reshape(-1, 2)).reshape(-1, 7, 2)
        sides = values[:, 2:4].mean(axis=1) / scale_of(view_from_frame)
        return merge(scores[found].astype(np.float64), sides, spots)


def merge(scores: NDArray[np.float64], sides: NDArray[np.float64], spots: NDArray[np.float64]) -> list[Candidate]:
    """Average answers that overlap, weighted by score -> best first; each keeps the best score of its group.

    scores (N,); sides (N,) of the square boxes; spots (N, 7, 2): centre of the box, then its six points.
    """
    corners = np.concatenate([spots[:, 0] - sides[:, None] / 2, spots[:, 0] + sides[:, None] / 2], axis=1)
    order, merged = np.argsort(-scores, kind="stable"), []
    while len(order):
        near = ious(corners[order], corners[order[0]]) > OVERLAP
        near[0] = True  # whatever the network said of its place: each turn takes one away
        group = order[near]
        weights = scores[group] / scores[group].sum()
        mean = np.tensordot(weights, spots[group], axes=1)
        merged.append(Candidate(float(scores[order[0]]), mean[0], float(weights @ sides[group]), mean[1:]))
        order = order[~near]
    return merged


def _anchors(grids: Sequence[tuple[int, int]]) -> Points:
    """Place the anchors' centres, row by row, in units of the view's side -> (N, 2)."""
    placed = []
    for cells, repeats in grids:
        ticks = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(ticks, ticks)
        placed.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(placed)


def _view(centre: NDArray[np.float64], extent: float, axis: NDArray[np.float64], side: int) -> Matrix:
    """Map a square of the frame to a view of ``side`` pixels, ``axis`` level -> ``view_from_frame`` (2, 3)."""
    linear = side / max(extent, 1e-3) * np.array([[axis[0], axis[1]], [-axis[1], axis[0]]])
    return np.concatenate([linear, ((side - 1) / 2 - linear @ centre)[:, None]], axis=1)

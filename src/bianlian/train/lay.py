"""Lay photos over a face: bend each so that brows, eyes, nose and mouth come to lie where that face has its own.

What a decoder draws is soft and what a photo shows is sharp; laid over the face that is replaced, the photo lends skin, brows and
beard at their places. The outline's points are not used: as a head turns they slide over it. The photo's light, its open or closed
mouth and what is hidden on it are wrong, which is for a network to judge. A photo serves both ways round: mirrored it looks the
other way, and is taken where it fits much better. Of all of them the nearest in pose counts, and as a head turns from one to the
next the two are mixed, so that nothing jumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.geometry import apply, thin_plate, umeyama
from bianlian.landmark.schemes import INNER, MIRRORED68
from bianlian.types import Image, Points

TURNED = 0.05
"""Misfit that a mirrored view is counted to have besides: nobody's halves are the same."""
SOFT = 0.02
"""Difference in misfit over which one view gives way to another."""
LEAST = 0.02
"""A view of less weight beside the nearest one is left out."""
GRID = 24
"""Cells a side in which the spline is evaluated."""
STIFF = 1e-3
"""How far the spline gives way where points disagree, see ``geometry.thin_plate``."""
_RING = np.array([(x, y) for x in np.linspace(-0.15, 1.15, 4) for y in np.linspace(-0.15, 1.15, 4) if {x, y} & {-0.15, 1.15}])
"""Places around a picture, in its sides, that are moved by the similarity alone."""


@dataclass(frozen=True, eq=False)
class View:
    """A photo's face. picture (H, W, 3) RGB uint8; points (68, 2): iBUG, in its pixels; turned: left and right are."""

    picture: Image
    points: Points
    turned: bool = False

    def at(self, width: int) -> View:
        """Shrink to a width in pixels; itself where it is no wider."""
        height, own = self.picture.shape[:2]
        if own <= width:
            return self
        factor = width / own
        small = cv2.resize(self.picture, (width, round(height * factor)), interpolation=cv2.INTER_AREA)
        return View(np.asarray(small, np.uint8), (self.points + 0.5) * factor - 0.5, self.turned)

    def mirrored(self) -> View:
        """Turn left and right."""
        points = self.points[list(MIRRORED68)] * (-1, 1) + (self.picture.shape[1] - 1, 0)
        return View(np.ascontiguousarray(self.picture[:, ::-1]), points, not self.turned)


def misfit(points: Points, moved: Points) -> float:
    """Say how far one shape (N, 2) is from another one: mean distance (RMS) under the best similarity, in the other's spread."""
    return float(_misfits(points[None], moved)[0])


def laid(views: Sequence[View], moved: Points, side: int) -> Image:
    """Lay views over a face -> (side, side, 3) RGB uint8.

    views: one or more of one person, mirrored ones among them; moved (68, 2): iBUG points of the face in a picture of that side.
    """
    moved = moved[INNER]
    far = _misfits(np.stack([view.points[INNER] for view in views]), moved) + [TURNED * view.turned for view in views]
    weights = np.exp((far.min() - far) / SOFT)
    weights[weights < LEAST] = 0
    weights /= weights.sum()
    used = [(view, float(weight)) for view, weight in zip(views, weights, strict=True) if weight]
    if len(used) == 1:
        return _carried(used[0][0], moved, side)
    mixed = sum(np.float32(weight) * _carried(view, moved, side) for view, weight in used)
    return np.asarray(mixed + np.float32(0.5), np.uint8)


def _misfits(shapes: NDArray[np.float64], moved: Points) -> NDArray[np.float64]:
    """The same for several shapes (V, N, 2) -> (V,). A point is a complex number, and a similarity a product with one."""
    ours, theirs = (_complex(x - x.mean(-2, keepdims=True)) for x in (shapes, moved))
    alike = np.abs(ours.conj() @ theirs) ** 2 / ((np.abs(ours) ** 2).sum(-1) * (np.abs(theirs) ** 2).sum())
    return np.asarray(np.sqrt(np.maximum(0, 1 - alike)))


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def _carried(view: View, moved: Points, side: int) -> Image:
    """Bend a view by a similarity, and by a spline for the rest."""
    points, ring = view.points[INNER], _RING * side
    to_view = umeyama(moved, points)
    rest = np.vstack([points - apply(to_view, moved), np.zeros((len(ring), 2))])
    coarse = thin_plate(np.vstack([moved, ring]) / side, rest, GRID, stiff=STIFF)
    push = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    places = np.arange(side, dtype=np.float32)
    at_x, at_y = (
        push[..., k] + row[0] * places + (row[1] * places + row[2])[:, None] for k, row in enumerate(to_view.astype(np.float32))
    )
    image, factor = view.picture, float(np.hypot(*to_view[:, 0]))
    if factor > 4 / 3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 * factor), np.uint8)
    return np.asarray(cv2.remap(image, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)

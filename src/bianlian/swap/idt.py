"""Match the whole distribution of colours, step by step: turn the axes of RGB, match the histogram of each, turn back, again.

Source: F. Pitie, A. Kokaram, R. Dahyot, "Automated colour grading using colour distribution transfer", CVIU 2007. Different
here: it starts from the linear map of ``swap.mkl``, so that a few turns are enough; the turns are fixed, so that a picture has one
answer; the curves are smooth and their slopes are bounded; what the turns add to the linear map is kept as a table of
colours, in which the picture is looked up.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.color import trust
from bianlian.swap.histogram import matched
from bianlian.swap.mkl import monge
from bianlian.swap.moments import moments, under
from bianlian.types import Image, Mask

SAMPLES = 4096
"""Pixels of each side that are looked at in the turns."""
SLOPE = 1.25
"""Steepest curve of one turn."""

_NODES = 17  # of the table, along each of R, G, B
_REACH = 3.5  # standard deviations around the mean that the table spans
_BIN = 2.0  # grey levels
_BINS = 192  # so that the axes reach as far as colours do, from the middle: 1.5 times 128
_BLUR = 1.5  # bins


def _turn(angles: tuple[float, float, float]) -> NDArray[np.float64]:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turn = turn @ step
    return turn


_ROTATIONS = tuple(_turn(angles) for angles in ((0.0, 0.0, 0.0), (0.79, 0.62, 0.0), (0.35, 1.1, 0.8), (1.2, 0.3, 0.5)))
"""The turns, from angles in radians: the axes themselves first, then three that lie far from them and from each other."""


def idt(face: Image, target: Image, mask: Mask) -> Image:
    """Give the face the target's distribution of colours: see ``Recolor`` for the shapes."""
    weights, (ours, theirs) = under(mask, face, target)
    aim = moments(theirs, weights)
    share = trust(aim.pixels)
    if share <= 0:
        return face.copy()
    spread = moments(ours, weights)
    linear = monge(spread, aim)
    low = np.clip(spread.mean - _REACH * spread.std - 4, 0, 255)
    step = (np.clip(spread.mean + _REACH * spread.std + 4, 0, 255) - low) / (_NODES - 1)
    grid = np.stack(np.meshgrid(*[np.arange(_NODES)] * 3, indexing="ij"), -1)[..., ::-1].reshape(-1, 3) * step + low
    every = -(-len(weights) // SAMPLES)
    ours, theirs, weights = ours[::every], theirs[::every], weights[::every]
    start = np.concatenate([ours, grid]) @ linear[:, :3].T + linear[:, 3]
    both = start
    for rotation in _ROTATIONS:
        both = _matched_along(rotation, both, theirs.astype(np.float64), weights)
    change = share * (both - start)[len(weights) :]
    linearly = np.asarray(cv2.transform(face, linear), np.uint8)
    return np.asarray(cv2.add(linearly, _looked_up(face, change, low, step), dtype=cv2.CV_8U), np.uint8)


def _matched_along(
    rotation: NDArray[np.float64],
    colors: NDArray[np.float64],
    aim: NDArray[np.float64],
    weights: NDArray[np.float32],
) -> NDArray[np.float64]:
    """One turn. colors (M, 3): the first N are pixels of the face; aim (N, 3): of the target; weights (N,): of both."""
    middle = weights @ aim / weights.sum()
    places, wanted = (((x - middle) @ rotation.T / _BIN + _BINS / 2) for x in (colors, aim))
    for axis in range(3):
        ours, theirs = (_counted(x[:, axis], weights) for x in (places[: len(aim)], wanted))
        curve = matched(ours, theirs, _BLUR, SLOPE)
        places[:, axis] = _along(curve, places[:, axis])
    return np.asarray((places - _BINS / 2) * _BIN @ rotation + middle, np.float64)


def _along(curve: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read a curve between its bins; beyond its ends it goes on with slope 1."""
    inside = np.clip(places, 0, _BINS - 1.001)
    low = inside.astype(np.intp)
    return np.asarray(curve[low] + (inside - low) * np.diff(curve)[low] + (places - inside), np.float64)


def _counted(places: NDArray[np.float64], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.bincount(np.clip(places + 0.5, 0, _BINS - 1).astype(np.intp), weights, _BINS).astype(np.float64)


def _looked_up(
    image: Image, change: NDArray[np.float64], low: NDArray[np.float64], step: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Look up the change of each colour: trilinear, as two bilinear looks into slices of B that lie below one another.

    change (_NODES**3, 3), R running fastest; low, step (3,): of each channel, first node and spacing; beyond its edges
    the table goes on with what is there.
    """
    table = change.reshape(_NODES * _NODES, _NODES, 3).astype(np.float32)
    levels = np.clip((np.arange(256)[:, None] - low) / np.maximum(step, 1e-6), 0, _NODES - 1).astype(np.float32)
    slices = np.minimum(np.floor(levels[:, 2]), _NODES - 2)
    red, green, blue = cv2.split(image)
    x, y, near, share = (
        np.asarray(cv2.LUT(plane, np.ascontiguousarray(line)), np.float32)
        for plane, line in (
            (red, levels[:, 0]),
            (green, levels[:, 1]),
            (blue, slices * _NODES),
            (blue, levels[:, 2] - slices),
        )
    )
    y += near
    below = cv2.remap(table, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    y += _NODES
    above = cv2.remap(table, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.blendLinear(above, below, share, 1 - share), np.float32)

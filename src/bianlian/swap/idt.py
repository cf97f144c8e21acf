"""Match the whole distribution of colours, step by step: turn the axes of RGB, match the histogram of each, turn back, again.

Source: F. Pitie, A. Kokaram, R. Dahyot, "Automated colour grading using colour distribution transfer", CVIU 2007. Different here: it
starts from the linear map of ``swap.mkl``, so that a few turns are enough; the turns are fixed, so that a picture has one answer;
the curves are smooth and their slopes are bounded; the map is kept as a table of colours, with which the picture is looked up.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.color import trust
from bianlian.swap.histogram import matched
from bianlian.swap.mkl import moments, monge
from bianlian.types import Image, Mask

TURNS = 4
"""Rotations; after that the picture hardly changes."""
SAMPLES = 6000
"""Pixels of each side that are looked at in the turns."""
SLOPE = 1.5
"""Steepest curve of one turn."""

_NODES = 17  # of the table, along each of R, G, B
_BIN = 2.0  # grey levels
_BINS = 192  # so that the axes reach as far as colours do, from the middle: 1.5 times 128
_BLUR = 2.0  # bins


def _turn(angles: tuple[float, float, float]) -> NDArray[np.float64]:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turn = turn @ step
    return turn


_ANGLES = ((0.0, 0.0, 0.0), (0.79, 0.62, 0.0), (0.35, 1.1, 0.8), (1.2, 0.3, 0.5))
"""Of the turns, radians: the axes themselves first, then three that lie far from them and from each other."""
_ROTATIONS = tuple(_turn(angles) for angles in _ANGLES[:TURNS])
_STEP = 255 / (_NODES - 1)
_GRID = np.stack(np.meshgrid(*[np.arange(_NODES) * _STEP] * 3, indexing="ij"), -1)[..., ::-1].reshape(-1, 3)
"""The table's colours, R running fastest."""


def idt(face: Image, target: Image, mask: Mask) -> Image:
    """Give the face the target's distribution of colours: see ``Recolor`` for the shapes."""
    inside = mask > 0
    weights = mask[inside]
    share = trust(float(weights.sum(dtype=np.float64)))
    if share <= 0:
        return face.copy()
    ours, theirs = face[inside], target[inside]
    linear = monge(moments(ours, weights), moments(theirs, weights))
    every = -(-len(weights) // SAMPLES)
    sampled = weights[::every]
    pixels = ours[::every] @ linear[:, :3].T + linear[:, 3]
    nodes = _GRID @ linear[:, :3].T + linear[:, 3]
    aim = theirs[::every].astype(np.float64)
    both = np.concatenate([pixels, nodes])
    for rotation in _ROTATIONS:
        both = _matched_along(rotation, both, len(pixels), aim, sampled, share)
    return _looked_up(face, both[len(pixels) :] - _GRID)


def _matched_along(
    rotation: NDArray[np.float64],
    colors: NDArray[np.float64],
    count: int,
    aim: NDArray[np.float64],
    weights: NDArray[np.float32],
    share: float,
) -> NDArray[np.float64]:
    """One turn. colors (M, 3): the first ``count`` are the pixels that ``weights`` weigh, as they do those of aim (count, 3)."""
    middle = weights @ aim / weights.sum()
    places, wanted = (((x - middle) @ rotation.T / _BIN + _BINS / 2) for x in (colors, aim))
    for axis in range(3):
        ours, theirs = (_counted(x[:, axis], weights) for x in (places[:count], wanted))
        curve = matched(ours, theirs, _BLUR, SLOPE, share)
        line = places[:, axis]
        places[:, axis] = line + np.interp(line, np.arange(_BINS), curve - np.arange(_BINS))
    return np.asarray((places - _BINS / 2) * _BIN @ rotation + middle, np.float64)


def _counted(places: NDArray[np.float64], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.bincount(np.clip(places + 0.5, 0, _BINS - 1).astype(np.intp), weights, _BINS)


def _looked_up(image: Image, change: NDArray[np.float64]) -> Image:
    """Change colours by a table: trilinear, as two bilinear looks into its slices of B, laid below one another."""
    table = change.reshape(_NODES * _NODES, _NODES, 3).astype(np.float32)
    scaled = image.astype(np.float32) * np.float32(1 / _STEP)
    red, green, blue = (np.ascontiguousarray(scaled[..., k]) for k in range(3))
    low = np.minimum(np.floor(blue), _NODES - 2)
    rows = low * _NODES + green
    near, far = (
        np.asarray(cv2.remap(table, red, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)) for y in (rows, rows + _NODES)
    )
    changed = image + near + (far - near) * (blue - low)[..., None]
    return np.asarray(np.clip(changed + 0.5, 0, 255), np.uint8)

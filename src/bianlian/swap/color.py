"""Match the colour of a swapped face to the picture it goes into: mean and spread of each Lab channel.

Source: E. Reinhard, M. Ashikhmin, B. Gooch, P. Shirley, "Color transfer between images", IEEE CG&A 2001. Different here: CIE Lab
in place of l-alpha-beta; statistics weighted by the face's mask; spreads are shrunk towards each other's when few pixels or a flat
region measure them, and the gain is bounded. ``swap.steady`` leads any colour function over time, so that colour follows the light
and does not pump with each blink.

Every colour function of the table keeps one signature, ``Recolor``. The swap engine calls it on crops of the network's own size, so
that a soft picture is compared with an equally soft one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.moments import moments, under
from bianlian.types import Image, Mask

GAIN_LIMIT = 1.6
"""A channel's contrast is raised at most by this factor, lowered at most by its inverse."""
PRIOR_STD = 1.0
"""Spread (Lab units) that is added to both sides before their ratio is taken: flat regions keep a gain near 1."""
PRIOR_PIXELS = 64.0
"""Weight of the prior "no change" against the pixels measured: tiny masks change little."""


class Recolor(Protocol):
    """Contract of the colour functions."""

    def __call__(self, face: Image, target: Image, mask: Mask) -> Image:
        """Recolour. face, target (H, W, 3) RGB uint8 of one place; mask (H, W) float32 in [0, 1] -> new face, same shape."""
        ...


@dataclass(frozen=True, eq=False)
class Statistics:
    """Colour of a masked region. mean, std: (3,) float64, L in [0, 100], a and b about [-128, 127]; pixels: sum of weights."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    pixels: float


@dataclass(frozen=True, eq=False)
class Transfer:
    """An affine map of each Lab channel, new = gain * old + offset. gain, offset: (3,) float64."""

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]


def unchanged(face: Image, target: Image, mask: Mask) -> Image:
    """Keep the colours of the network: see ``Recolor`` for the shapes."""
    return face


def lab_mean_std(face: Image, target: Image, mask: Mask) -> Image:
    """Give the face the target's mean and spread in Lab: see ``Recolor`` for the shapes."""
    return recolor(face, transfer(statistics(face, mask), statistics(target, mask)))


def trust(pixels: float) -> float:
    """Say how far a measurement on so many pixels (a sum of weights) is believed, in [0, 1)."""
    return pixels / (pixels + PRIOR_PIXELS)


def statistics(image: Image, mask: Mask) -> Statistics:
    """Measure the colour under a mask. image (H, W, 3) RGB uint8, mask (H, W) in [0, 1]; an empty mask gives zeros."""
    weights, (colors,) = under(mask, image)
    if not len(weights):
        return Statistics(np.zeros(3), np.zeros(3), 0.0)
    spread = moments(_lab(colors[None])[0], weights)
    return Statistics(spread.mean, spread.std, spread.pixels)


def transfer(face: Statistics, target: Statistics) -> Transfer:
    """Take the face's statistics to the target's, with the bounds and priors named above."""
    share = trust(target.pixels)
    ratio = (target.std + PRIOR_STD) / (face.std + PRIOR_STD)
    gain = np.clip(1.0 + share * (ratio - 1.0), 1.0 / GAIN_LIMIT, GAIN_LIMIT)
    aim = face.mean + share * (target.mean - face.mean)
    return Transfer(gain, aim - gain * face.mean)


def recolor(face: Image, change: Transfer) -> Image:
    """Apply a transfer. face (H, W, 3) RGB uint8 -> a new picture of that shape, clipped to the colours RGB can show."""
    lab = cv2.transform(_lab(face), np.column_stack([np.diag(change.gain), change.offset]))
    rgb = np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), np.float32)
    return np.asarray(cv2.convertScaleAbs(np.maximum(rgb, 0.0, out=rgb), alpha=255.0), np.uint8)


def _lab(image: Image) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(np.divide(image, 255, dtype=np.float32), cv2.COLOR_RGB2Lab), np.float32)

"""Match colour by the one linear map that takes the face's spread of RGB to the target's and moves colours least.

Source: F. Pitie, A. Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", CVMP 2007.
Different here: pixels are weighted by the mask; both covariances get a prior, so that flat and grey regions keep their contrast;
the stretch along any axis is bounded; few pixels change little.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.color import GAIN_LIMIT, trust
from bianlian.types import Image, Mask

PRIOR_STD = 2.0
"""Spread (grey levels) that is added to every direction of both sides, about one Lab unit."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Spread of colours. mean (3,), covariance (3, 3): float64; pixels: sum of weights."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    pixels: float


def mkl(face: Image, target: Image, mask: Mask) -> Image:
    """Give the face the target's mean and covariance of RGB: see ``Recolor`` for the shapes."""
    weights = mask[mask > 0]
    change = monge(moments(face[mask > 0], weights), moments(target[mask > 0], weights))
    return np.asarray(cv2.transform(face, change), np.uint8)


def moments(colors: NDArray[np.uint8] | NDArray[np.float32], weights: NDArray[np.float32]) -> Moments:
    """Measure colours (N, 3) with weights (N,) above 0; none gives zeros."""
    total = float(weights.sum(dtype=np.float64))
    if total <= 0:
        return Moments(np.zeros(3), np.zeros((3, 3)), 0.0)
    flat = colors.astype(np.float32)
    mean = weights @ flat / np.float32(total)
    flat -= mean
    return Moments(mean.astype(np.float64), ((flat * weights[:, None]).T @ flat).astype(np.float64) / total, total)


def monge(face: Moments, target: Moments) -> NDArray[np.float64]:
    """Find the map of the face's colours to the target's -> (3, 4): a symmetric matrix and an offset."""
    share = trust(target.pixels)
    prior = PRIOR_STD**2 * np.eye(3)
    root = _power(face.covariance + prior, 0.5)
    inverse = np.linalg.inv(root)
    gain = inverse @ _power(root @ (target.covariance + prior) @ root, 0.5) @ inverse
    values, axes = np.linalg.eigh((gain + gain.T) / 2)
    values = 1.0 + share * (np.clip(values, 1.0 / GAIN_LIMIT, GAIN_LIMIT) - 1.0)
    gain = (axes * values) @ axes.T
    aim = face.mean + share * (target.mean - face.mean)
    return np.column_stack([gain, aim - gain @ face.mean])


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    values, axes = np.linalg.eigh(matrix)
    return np.asarray((axes * np.maximum(values, 0.0) ** exponent) @ axes.T, np.float64)

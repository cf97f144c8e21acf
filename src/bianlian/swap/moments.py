"""Mean and covariance of the colours under a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bianlian.types import Image, Mask


@dataclass(frozen=True, eq=False)
class Moments:
    """Spread of C channels. mean (C,), covariance (C, C): float64; pixels: sum of weights."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    pixels: float

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation of each channel (C,)."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))


def under(mask: Mask, *images: Image) -> tuple[NDArray[np.float32], list[NDArray[np.uint8]]]:
    """Pick the pixels that a mask (H, W) weighs -> their weights (N,), and of each picture (H, W, 3) their colours (N, 3)."""
    flat = mask.reshape(-1)
    chosen = np.flatnonzero(flat)
    return flat.take(chosen), [image.reshape(-1, 3).take(chosen, 0) for image in images]


def moments(colors: NDArray[np.uint8] | NDArray[np.float32], weights: NDArray[np.float32]) -> Moments:
    """Measure colours (N, C) with weights (N,); no pixel, or no weight, gives zeros."""
    total = float(weights.sum(dtype=np.float64))
    count = colors.shape[1]
    if total <= 0:
        return Moments(np.zeros(count), np.zeros((count, count)), 0.0)
    planes = np.array(colors.T, np.float32, order="C")
    mean = planes @ weights / np.float32(total)
    planes -= mean[:, None]
    covariance = np.empty((count, count))
    for i, weighted in enumerate(planes * weights):  # vector by vector: matrix products are slow in this shape
        for j in range(i, count):
            covariance[i, j] = covariance[j, i] = float(np.vdot(weighted, planes[j])) / total
    return Moments(mean.astype(np.float64), covariance, total)


def power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Raise a symmetric matrix without negative eigenvalues to a power."""
    values, axes = np.linalg.eigh(matrix)
    return np.asarray((axes * np.maximum(values, 0.0) ** exponent) @ axes.T, np.float64)

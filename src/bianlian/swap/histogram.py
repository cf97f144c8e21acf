"""Match the histogram of each of R, G and B: a curve a channel that gives the face the target's distribution of levels.

Source: R. Gonzalez, R. Woods, "Digital Image Processing", histogram specification. Different here: pixels are weighted by the mask;
both histograms are smoothed; the curve's slope is bounded, so that a flat target does not wipe out the face's features and noise
is not torn up; the mean is the target's all the same; few pixels change little.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.color import trust
from bianlian.swap.moments import under
from bianlian.types import Image, Mask

SLOPE = 2.0
"""A curve is at most so steep, and at least as its inverse."""
BLUR = 3.0
"""Sigma of the histograms' smoothing, in grey levels."""

Curve = NDArray[np.float64]


def histogram(face: Image, target: Image, mask: Mask) -> Image:
    """Give each channel of the face the target's distribution of levels: see ``Recolor`` for the shapes."""
    weights, (ours, theirs) = under(mask, face, target)
    share = trust(float(weights.sum(dtype=np.float64)))
    if share <= 0:
        return face.copy()
    table = np.empty((256, 3), np.uint8)
    for channel in range(3):
        now, aim = (np.bincount(x[:, channel], weights, 256).astype(np.float64) for x in (ours, theirs))
        table[:, channel] = np.clip(matched(now, aim, BLUR, SLOPE, share) + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(face, table[None]), np.uint8)


def matched(ours: Curve, theirs: Curve, blur: float, slope: float, share: float = 1.0) -> Curve:
    """Find the rising curve that takes one histogram (N,) to another (N,), as a new place for each bin -> (N,), in bins.

    blur: sigma of the smoothing of both, in bins. slope: highest; its inverse is the lowest. share: of the change. The histograms
    must not be empty.
    """
    bins = np.arange(len(ours), dtype=np.float64)
    below = [np.cumsum(smooth / smooth.sum()) for smooth in (_blurred(x, blur) for x in (ours, theirs))]
    places = np.interp(below[0], below[1], bins)
    steps = np.diff(places)
    steps[(below[0][1:] < 0.005) | (below[0][:-1] > 0.995)] = 1.0  # hardly a pixel is there
    steps = 1.0 + share * (np.clip(steps, 1 / slope, slope) - 1.0)
    curve = np.concatenate([[0.0], np.cumsum(steps)])
    mean, aim = (float(x @ bins / x.sum()) for x in (ours, theirs))
    return np.asarray(curve + mean + share * (aim - mean) - ours @ curve / ours.sum(), np.float64)


def _blurred(counts: Curve, sigma: float) -> Curve:
    kernel = cv2.getGaussianKernel(2 * int(np.ceil(3 * sigma)) + 1, sigma)[:, 0]
    padding = len(kernel) // 2
    return np.convolve(np.pad(counts, padding), kernel, "same")[padding:-padding] + 1e-9

"""SSIM of the inner face against the truth.

Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 2004: Gaussian window of 11
pixels (sigma 1.5), K1 = 0.01, K2 = 0.03, on the grey picture, averaged over the pixels inside the face.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.score.metric import Card, Metric
from bianlian.score.pair import Grey, Pair, Seen
from bianlian.score.truth import against_truth, exact

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

CARD = Card(
    name="truth_ssim",
    title="SSIM to the truth",
    unit="",
    better="up",
    ideal=None,
    says="structural similarity to the truth inside the face",
    source="Wang et al. 2004",
    digits=3,
)


def ssim(a: Grey, b: Grey) -> Grey:
    """Compare two grey pictures (H, W) float32 of 0..255 -> the map (H, W), at most 1."""
    mean_a, mean_b = _window(a), _window(b)
    var_a, var_b = _window(a * a) - mean_a**2, _window(b * b) - mean_b**2
    both = _window(a * b) - mean_a * mean_b
    return np.asarray(
        (2 * mean_a * mean_b + _C1) * (2 * both + _C2) / ((mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2)), np.float32
    )


def _window(x: Grey) -> Grey:
    return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5), np.float32)


def _compare(now: Pair, seen: Seen) -> float:
    if now.truth is None or not now.region.inner.any():
        return float("nan")
    x1, y1, x2, y2 = now.region.box
    ours, right = (np.asarray(s.grey[y1:y2, x1:x2], np.float32) for s in (seen, now.truth))
    return float(ssim(ours, right)[now.region.inner].mean())


METRIC = Metric(CARD, against_truth(_compare), exact(1.0, 1e-3), width=2)

"""Background PSNR: whether everything but the face is as it was filmed.

Definition: peak signal-to-noise ratio of output and target outside the whole face's outline, grown by 12 % of the face's size. The
codec's own loss is in it: the control "codec" says how much that is, and 99 dB stand for no difference at all.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.score.metric import Card, Metric, near
from bianlian.score.pair import Pair

GROW = 0.12
"""How far beyond the face's outline the background begins, in face sizes."""
NONE = 99.0
"""What no difference scores, dB."""

CARD = Card(
    name="background_psnr",
    title="Background",
    unit="dB",
    better="up",
    ideal=NONE,
    says="peak signal-to-noise ratio of output and target outside the face",
    source="PSNR; compare with the codec's own",
    digits=1,
)


def psnr(squared: float) -> float:
    """Turn a mean squared error of 8-bit values into decibels, 99 at most."""
    return float(min(NONE, 10 * np.log10(255**2 / max(squared, 1e-12))))


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    del before
    outside = np.ones(now.out.image.shape[:2], np.uint8)
    ring = np.round(cv2.convexHull(now.region.whole.astype(np.float32))[:, 0]).astype(np.int32)
    cv2.fillConvexPoly(outside, ring, 0)
    cv2.polylines(outside, [ring], True, 0, thickness=max(1, round(2 * GROW * now.region.size)))
    count = int(cv2.countNonZero(outside))
    if count < 64:
        return (np.nan,)
    return (psnr(cv2.norm(now.out.image, now.target.image, cv2.NORM_L2SQR, outside) / (3 * count)),)


METRIC = Metric(CARD, _look, near(NONE, 0.0, NONE))

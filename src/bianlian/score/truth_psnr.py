"""PSNR of the inner face against the truth, in decibels, over all three channels."""

from __future__ import annotations

import numpy as np

from bianlian.score.background import NONE, psnr
from bianlian.score.metric import Card, Metric
from bianlian.score.pair import Pair, Seen
from bianlian.score.truth import against_truth, exact

CARD = Card(
    name="truth_psnr",
    title="PSNR to the truth",
    unit="dB",
    better="up",
    ideal=None,
    says="peak signal-to-noise ratio to the truth inside the face",
    source="PSNR",
)


def _compare(now: Pair, seen: Seen) -> float:
    if now.truth is None or not now.region.inner.any():
        return float("nan")
    ours, right = (now.region.cut(s.image)[now.region.inner].astype(np.float32) for s in (seen, now.truth))
    return psnr(float(((ours - right) ** 2).mean()))


METRIC = Metric(CARD, against_truth(_compare), exact(NONE, 0.0), width=2)

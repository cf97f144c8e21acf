"""Mean absolute difference of the inner face from the truth, in grey levels, over all three channels."""

from __future__ import annotations

import numpy as np

from bianlian.score.metric import Card, Metric
from bianlian.score.pair import Pair, Seen
from bianlian.score.truth import against_truth, exact

CARD = Card(
    name="truth_l1",
    title="difference from the truth",
    unit="grey levels",
    better="down",
    ideal=None,
    says="mean absolute difference from the truth inside the face",
    source="L1",
)


def _compare(now: Pair, seen: Seen) -> float:
    if now.truth is None or not now.region.inner.any():
        return float("nan")
    ours, right = (now.region.cut(s.image)[now.region.inner].astype(np.float32) for s in (seen, now.truth))
    return float(np.abs(ours - right).mean())


METRIC = Metric(CARD, against_truth(_compare), exact(0.0, 0.0), width=2)
"""See ``CARD``; grey levels are 0 to 255."""

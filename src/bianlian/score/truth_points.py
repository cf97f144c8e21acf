"""Landmark error against the truth: where eyes, nose and mouth are, and what they do, beside where they should be.

Definition: mean distance of the inner 51 points, over the distance of the truth's outer eye corners (normalised mean error, as in
the 300-W challenge, C. Sagonas et al. 2013).
"""

from __future__ import annotations

import numpy as np

from bianlian.landmark.schemes import INNER
from bianlian.score.metric import Card, Metric
from bianlian.score.pair import Pair, Seen, eye_distance
from bianlian.score.truth import against_truth, exact

CARD = Card(
    name="truth_landmarks",
    title="Landmarks off the truth",
    unit="% of the eye distance",
    better="down",
    ideal=None,
    says="mean distance of 51 points of the face from the truth's",
    source="normalised mean error, 300-W",
)


def _compare(now: Pair, seen: Seen) -> float:
    ours, right = seen.points, None if now.truth is None else now.truth.points
    if ours is None or right is None:
        return float("nan")
    return float(100 * np.hypot(*(ours - right)[INNER].T).mean() / eye_distance(right))


METRIC = Metric(CARD, against_truth(_compare), exact(0.0, 1e-6), width=2)

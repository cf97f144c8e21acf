"""Pose error: how much the head is turned otherwise than the target's.

Definition: geodesic angle between the two head rotations, arccos((trace(A^T B) - 1) / 2), each from the 68 points
(``landmark.pose``); D. Huynh, "Metrics for 3D Rotations", J. Math. Imaging and Vision 2009. Another person's face shape explains 1
to 2 degrees.
"""

from __future__ import annotations

import numpy as np

from bianlian.errors import InputError
from bianlian.landmark.pose import head_rotation
from bianlian.score.metric import Card, Metric, near
from bianlian.score.pair import Pair

CARD = Card(
    name="pose_error",
    title="Pose error",
    unit="°",
    better="down",
    ideal=0.0,
    says="angle between the head's rotation in output and target",
    source="geodesic angle, Huynh 2009",
    part="expression",
    bad=5.0,
    good=1.0,
)


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    del before
    if now.out.landmarks is None or now.target.landmarks is None:
        return (np.nan,)
    try:
        a, b = head_rotation(now.out.landmarks), head_rotation(now.target.landmarks)
    except InputError:
        return (np.nan,)
    # the angle by the chord, which stays exact near 0 where the arccos of a trace does not
    return (float(np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b) / np.sqrt(8), 0, 1)))),)


METRIC = Metric(CARD, _look, near(0.0, 0.01, 2.0))

"""Place error: how far the new face lies from where the target's was.

Definition: distance between the middles of the eye corners, nose base and mouth corners of output and target, over the distance of
the target's outer eye corners. Ours; a face pasted beside its place is caught by nothing else here.
"""

from __future__ import annotations

import numpy as np

from bianlian.score.metric import Card, Metric, near
from bianlian.score.pair import Pair, eye_distance

_RIGID = [36, 39, 42, 45, 31, 33, 35, 48, 54]

CARD = Card(
    name="place_error",
    title="Place error",
    unit="% of the eye distance",
    better="down",
    ideal=0.0,
    says="how far eyes, nose and mouth together lie from the target's",
    source="distance of centroids; ours",
    part="expression",
    bad=2.0,
    good=0.4,
)


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    del before
    ours, theirs = now.out.points, now.target.points
    if ours is None or theirs is None:
        return (np.nan,)
    return (100 * float(np.hypot(*(ours[_RIGID].mean(0) - theirs[_RIGID].mean(0)))) / eye_distance(theirs),)


METRIC = Metric(CARD, _look, near(0.0, 0.01, 2.0))

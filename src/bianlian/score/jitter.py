"""Jitter excess: whether the new face trembles on the head.

Definition: second difference over time of (output's landmarks - target's), the inner 51 points, root of the mean square over points
and frames, over the distance of the outer eye corners. The head's own motion cancels out. A true swap scores 1.0 to 1.5 %, the
landmarks' own noise. Ours.
"""

from __future__ import annotations

import numpy as np

from bianlian.landmark.schemes import INNER
from bianlian.score.metric import Card, Metric, Steps, near
from bianlian.score.pair import Array, Pair, eye_distance

_N = 51

CARD = Card(
    name="jitter_excess",
    title="Jitter",
    unit="% of the eye distance",
    better="down",
    ideal=0.0,
    says="how much the points tremble against the target's, from frame to frame",
    source="second difference of landmarks; ours",
    part="steadiness",
    bad=4.0,
    good=1.0,
)


def _look(now: Pair, before: Pair | None) -> Array:
    del before
    ours, theirs = now.out.points, now.target.points
    if ours is None or theirs is None:
        return np.full(2 * _N, np.nan)
    return (100 * (ours - theirs)[INNER] / eye_distance(theirs)).ravel()


def _series(rows: Array, steps: Steps) -> Array:
    out = np.full(len(rows), np.nan)
    if len(rows) > 2:
        bend = np.diff(rows, n=2, axis=0).reshape(-1, _N, 2)
        out[2:] = np.sqrt((bend**2).sum(-1).mean(-1))
        out[2:][~(steps[2:] & steps[1:-1])] = np.nan
    return out


def _value(series: Array, rows: Array, steps: Steps) -> float:
    del rows, steps
    return float(np.sqrt(np.nanmean(series**2))) if np.isfinite(series).any() else float("nan")


METRIC = Metric(CARD, _look, near(0.0, 0.01, 2.0), width=2 * _N, series=_series, value=_value)

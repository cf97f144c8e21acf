"""Stalls: frames that were dropped and filled by a repetition of the one before.

Definition: share of frames in which the target's face moves (mean change of its thumbnail of 40 pixels above one grey level) and
the output's changes less than a fifth as much. Ours.
"""

from __future__ import annotations

import numpy as np

from bianlian.score.metric import Card, Metric, near
from bianlian.score.pair import Pair
from bianlian.score.warp import squares

SIDE = 40
"""Side of the thumbnails: noise and grain are gone at it."""
MOVES, STILL = 1.0, 0.2
"""Grey levels that a moving face changes by, and the share of it below which the output stands still."""

CARD = Card(
    name="stalls",
    title="Dropped frames",
    unit="%",
    better="down",
    ideal=0.0,
    says="frames in which the target's face moves and the output's stands still",
    source="change of thumbnails; ours",
    digits=1,
    part="steadiness",
    bad=10.0,
    good=0.0,
)


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    if before is None:
        return (np.nan,)
    out, target, out_before, target_before, depth = squares(now, before, SIDE)
    inner = depth > 0.02
    if not inner.any():
        return (np.nan,)
    ours, theirs = float(np.abs(out - out_before)[inner].mean()), float(np.abs(target - target_before)[inner].mean())
    return (100.0 if theirs > MOVES and ours < STILL * theirs else 0.0,)


METRIC = Metric(CARD, _look, near(0.0, 0.0, 10.0))

"""What the truth metrics share: each row holds what the output scores against the truth, and what the target itself does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bianlian.score.metric import Check, Controls
from bianlian.score.pair import Pair, Seen

Compare = Callable[[Pair, Seen], float]
"""Compare one picture of a frame with the frame's truth."""


def against_truth(compare: Compare) -> Callable[[Pair, Pair | None], tuple[float, float]]:
    """Make a look that gives (output's, target's) figure; NaN without a truth."""

    def look(now: Pair, before: Pair | None) -> tuple[float, float]:
        del before
        if now.truth is None:
            return (np.nan, np.nan)
        return compare(now, now.out), compare(now, now.target)

    return look


def exact(ideal: float, slack: float) -> Check:
    """Demand that the truth against itself scores ``ideal`` within ``slack``."""

    def check(controls: Controls) -> str | None:
        if np.isfinite(controls.truth) and abs(controls.truth - ideal) > slack:
            return f"the truth against itself scores {controls.truth:.3g}, not {ideal:g}"
        return None

    return check

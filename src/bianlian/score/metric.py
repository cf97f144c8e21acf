"""What a metric is: a card that says what it measures, and functions that do it frame by frame and over the clip.

A metric looks at each frame once and keeps a row of numbers; from the rows of all frames come a value a frame (the series) and one
for the clip. So a clip of any length is scored in one pass with flat memory, and the same code scores the controls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bianlian.score.pair import Array, Pair

Better = Literal["up", "down", "one"]
"""Which way is better; ``one``: the nearer to 1 (by factor), the better."""
Part = Literal["identity", "expression", "sharpness", "seam", "steadiness", "truth"]
"""Parts of the summary score."""

Steps = NDArray[np.bool_]
"""(T,): whether the frame directly follows the scored one before it, with a face in both and no cut between."""


@dataclass(frozen=True)
class Card:
    """What a metric says of itself.

    name: its key in ``score.json``. title: for people. unit: '' for a plain number. better: direction. ideal: what the target
    scores against itself; None where that is no fixed number. says: definition in a sentence. source: paper, or where it comes
    from. digits: after the point. part: of the summary score that it belongs to. bad, good: values that count 0 and 1 there
    (for ``one`` factors away from 1).
    """

    name: str
    title: str
    unit: str
    better: Better
    ideal: float | None
    says: str
    source: str
    digits: int = 2
    part: Part | None = None
    bad: float = 0.0
    good: float = 1.0


@dataclass(frozen=True)
class Controls:
    """One metric's values of the controls; NaN where one could not be run.

    itself: the target as output. codec: the target, encoded anew, as output. held_out: real pictures of the source that its
    description was not made from (identity only). truth: the truth as output.
    """

    itself: float = np.nan
    codec: float = np.nan
    held_out: float = np.nan
    truth: float = np.nan


Look = Callable[[Pair, "Pair | None"], "Sequence[float] | Array"]
Series = Callable[[Array, Steps], Array]
Value = Callable[[Array, Array, Steps], float]
Check = Callable[[Controls], "str | None"]


def first(rows: Array, steps: Steps) -> Array:
    """Take the first number of each row as the series."""
    del steps
    return rows[:, 0]


def mean(series: Array, rows: Array, steps: Steps) -> float:
    """Average the series; NaN where nothing was measured."""
    del rows, steps
    return float(np.nanmean(series)) if np.isfinite(series).any() else float("nan")


def median(series: Array, rows: Array, steps: Steps) -> float:
    """Take the middle of the series; NaN where nothing was measured."""
    del rows, steps
    return float(np.nanmedian(series)) if np.isfinite(series).any() else float("nan")


def near(ideal: float, slack: float, codec: float) -> Check:
    """Demand that the target scores ``ideal`` against itself within ``slack``, and within ``codec`` when encoded anew."""

    def check(controls: Controls) -> str | None:
        if np.isfinite(controls.itself) and abs(controls.itself - ideal) > slack:
            return f"the target against itself scores {controls.itself:.3g}, not {ideal:g}"
        if np.isfinite(controls.codec) and abs(controls.codec - ideal) > codec:
            return f"encoding the target anew is enough to score {controls.codec:.3g}"
        return None

    return check


@dataclass(frozen=True)
class Metric:
    """A metric. width: numbers in a row that ``look`` gives. check: says why the controls make it invalid, or None."""

    card: Card
    look: Look
    check: Check
    width: int = 1
    series: Series = first
    value: Value = mean

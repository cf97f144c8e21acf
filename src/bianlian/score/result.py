"""What a metric found: value, spread, series, controls, and why it does not count where it does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bianlian.score.metric import Card, Controls, Metric, Steps
from bianlian.score.pair import Array


@dataclass(frozen=True, eq=False)
class Result:
    """One metric of one clip.

    value: the clip's figure. mean, median, p95: of the series (T,); p95 is what 95 % of the frames are no worse than. noop: what
    the target itself scores against the truth. gain: how much better than that the output is; both NaN but for truth metrics.
    invalid: which control it fails, None when it counts. NaN: not measured.
    """

    card: Card
    value: float
    mean: float
    median: float
    p95: float
    series: Array
    controls: Controls
    noop: float = float("nan")
    gain: float = float("nan")
    invalid: str | None = None


def result_of(metric: Metric, rows: Array, steps: Steps, controls: Controls) -> Result:
    """Sum up one metric's rows (T, width)."""
    series = metric.series(rows, steps) if len(rows) else np.zeros(0)
    value = metric.value(series, rows, steps) if len(rows) else float("nan")
    known = series[np.isfinite(series)]
    mean, median = (float(known.mean()), float(np.median(known))) if len(known) else (float("nan"), float("nan"))
    noop = gain = float("nan")
    if metric.card.name.startswith("truth_") and len(rows):
        noop = metric.value(rows[:, 1], rows, steps)
        gain = (value - noop) * (1 if metric.card.better == "up" else -1)
    invalid = metric.check(controls)
    return Result(metric.card, value, mean, median, _worse(metric.card, known), series, controls, noop, gain, invalid)


def badness(card: Card, series: Array) -> Array:
    """Order values: the larger, the worse; of the card's own unit, or the logarithm of the factor away from 1."""
    if card.better == "one":
        return np.asarray(np.abs(np.log(np.maximum(series, 1e-6))))
    # the series of a correlation is a deviation
    return np.asarray(-series if card.better == "up" and not card.name.endswith("_r") else series)


def _worse(card: Card, known: Array) -> float:
    if not len(known):
        return float("nan")
    order = np.argsort(badness(card, known), kind="stable")
    return float(known[order[min(len(known) - 1, int(np.ceil(0.95 * len(known))) - 1)]])

"""Choose the frames that are worst, and say of each by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bianlian.score.pair import Array
from bianlian.score.result import Result, badness


@dataclass(frozen=True)
class Worst:
    """place: in the series. name: of the metric that is worst there; value: its value."""

    place: int
    name: str
    value: float


def worst_frames(results: Mapping[str, Result], count: int, shown: set[int], *, apart: int = 4) -> list[Worst]:
    """Choose up to ``count`` frames of those ``shown`` (places), each at least ``apart`` from the others, the worst first.

    How bad a metric is in a frame is counted in its own deviations (of the middle half) from its median, so that all compare.
    """
    found = [(name, _standing(r)) for name, r in results.items() if r.invalid is None and np.isfinite(r.series).any()]
    if not found:
        return []
    table = np.stack([np.where(np.isfinite(s), s, -np.inf) for _, s in found])
    peak, which = table.max(0), table.argmax(0)
    chosen: list[Worst] = []
    for place in (int(k) for k in np.argsort(-peak, kind="stable")):
        if len(chosen) >= count or not np.isfinite(peak[place]):
            break
        if place in shown and all(abs(place - w.place) >= apart for w in chosen):
            name = found[which[place]][0]
            chosen.append(Worst(place, name, float(results[name].series[place])))
    return chosen


def _standing(result: Result) -> Array:
    bad = badness(result.card, result.series)
    known = bad[np.isfinite(bad)]
    low, middle, high = np.percentile(known, (25, 50, 75))
    # a metric that never changes has no worst frame; one that rarely leaves 0 counts by its whole range
    spread = max(high - low, 0.1 * float(np.ptp(known)), 1e-9)
    return np.asarray((bad - middle) / spread if np.ptp(known) > 0 else np.full(len(bad), -np.inf))

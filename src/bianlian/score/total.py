"""The summary score: six parts, one number, and which part holds it down.

A part is how good its metrics are, each 0 (``bad``) to 1 (``good`` and better) by its card; the mean and the worst of them
count half each, so that one dead metric is seen. The summary is 100 times the weighted geometric mean of the parts: nothing
makes up for a part that is missing. Identity is the share of the way from the target to real pictures of the source that the
margin goes; truth the share of the target's distance from the truth that is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from bianlian.score.metric import Card, Part
from bianlian.score.result import Result

WEIGHTS: Mapping[Part, float] = MappingProxyType(
    {"identity": 0.3, "expression": 0.3, "sharpness": 0.15, "seam": 0.1, "steadiness": 0.15, "truth": 0.4}
)
"""Weights of the parts; those that there are, are scaled to sum to 1."""
FLOOR = 0.01
"""A part counts so much at least, lest one zero hide all the others."""
UNLIKE, LIKE = 0.2, 0.75
"""Shares of the way to the source's own pictures: what another light or blur may do, and what a true swap of the inner face
does.
"""
NEAR = 0.6
"""Share of the distance from the truth whose going counts 1."""


@dataclass(frozen=True)
class Total:
    """score: 0 to 100, None when no part could be scored. parts: 0 to 1. held_by: the part that lowers it most."""

    score: float | None
    parts: Mapping[Part, float]
    held_by: Part | None


def total(results: Mapping[str, Result]) -> Total:
    """Sum up the valid metrics."""
    found: dict[Part, list[float]] = {}
    for result in results.values():
        part, value = result.card.part, goodness(result)
        if part is not None and value is not None:
            found.setdefault(part, []).append(value)
    parts = {part: float((np.mean(v) + np.min(v)) / 2) for part in WEIGHTS if (v := found.get(part))}
    if not parts:
        return Total(None, {}, None)
    costs = {part: -WEIGHTS[part] * float(np.log(max(value, FLOOR))) for part, value in parts.items()}
    score = 100 * float(np.exp(-sum(costs.values()) / sum(WEIGHTS[part] for part in parts)))
    worst = max(costs, key=lambda part: costs[part])
    return Total(score, parts, worst if costs[worst] > 1e-6 else None)


def goodness(result: Result) -> float | None:
    """Say how good a metric's value is, 0 to 1; None when it is invalid, was not measured, or is in no part."""
    if result.card.part is None or result.invalid is not None or not np.isfinite(result.value):
        return None
    card, controls = result.card, result.controls
    if card.part == "identity":
        top = controls.held_out if np.isfinite(controls.held_out) else -controls.itself
        way = (result.value - controls.itself) / max(top - controls.itself, 1e-6)
        return float(np.clip((way - UNLIKE) / (LIKE - UNLIKE), 0, 1))
    if card.part == "truth":
        return float(np.clip(result.gain / result.noop / NEAR, 0, 1)) if result.noop else None
    return scaled(card, result.value, controls.codec)


def scaled(card: Card, value: float, codec: float = float("nan")) -> float:
    """Place a value between ``bad`` and ``good`` -> 0 to 1. codec: what encoding alone scores; where that is worse than ``good``,
    both move there, so that what the codec costs counts for nothing.
    """
    if card.better == "one":
        away = abs(float(np.log(max(value, 1e-6))))
        return float(np.clip(1 - (away - np.log(card.good)) / (np.log(card.bad) - np.log(card.good)), 0, 1))
    moved = codec - card.good if np.isfinite(codec) else 0.0
    moved = max(0.0, moved) if card.better == "down" else min(0.0, moved)
    return float(np.clip((value - card.bad - moved) / (card.good - card.bad), 0, 1))

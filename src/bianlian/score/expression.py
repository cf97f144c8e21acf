"""Expression: whether eyes, mouth and brows do what the target's do.

``expression_error``: six coefficients of an aligned face (``faceset.curate.expression``: openings of eyes and mouth, width and
corners of the mouth, brows), each less its own median over the clip, so that another person's proportions cancel out; mean
absolute difference of output and target in shares of the face's width. ``expression_missed``: that, over the mean deviation of
the target's own coefficients from their median: a frozen face scores 100 %, however lively the target is. ``mouth_r`` and
``eyes_r``: Pearson correlation of the openings over time; their series is the deviation of the output's opening from the line
that fits the target's best. A correlation wants motion. Coefficients from landmarks instead of a fitted head model are ours.
"""

from __future__ import annotations

import numpy as np

from bianlian import align
from bianlian.errors import InputError
from bianlian.faceset.curate import expression as coefficients
from bianlian.geometry import apply
from bianlian.landmark.schemes import convert
from bianlian.score.metric import Card, Controls, Metric, Steps, Value, near
from bianlian.score.pair import Array, Pair, Seen
from bianlian.types import Landmarks

LEAST = 8
"""Frames that a correlation wants."""
MOVES = {"mouth": 0.006, "eyes": 0.003}
"""Standard deviation of the target's opening, in face widths, below which it does not move; a third is the landmarks' noise."""
ALIVE = 0.2
"""Mean deviation of the target's coefficients from their median, % of the face's width, below which its expression is one."""
_N = len(coefficients.NAMES)


def _coefficients(seen: Seen) -> Array:
    if seen.landmarks is None:
        return np.full(_N, np.nan)
    try:
        named = convert(seen.landmarks, "ibug68")
        level = apply(align.crop_from_frame(named, 256, align.COVERAGE), named.points)
    except InputError:
        return np.full(_N, np.nan)
    return coefficients.expression(Landmarks(level, "ibug68"), 256 * align.COVERAGE)


def _look(now: Pair, before: Pair | None) -> Array:
    del before
    return np.concatenate([_coefficients(now.out), _coefficients(now.target)])


def _series(rows: Array, steps: Steps) -> Array:
    del steps
    both = np.isfinite(rows).all(1)
    out = np.full(len(rows), np.nan)
    if both.sum() >= LEAST:
        known = rows[both] - np.median(rows[both], axis=0)
        out[both] = 100 * np.abs(known[:, :_N] - known[:, _N:]).mean(1)
    return out


def _missed(rows: Array, steps: Steps) -> Array:
    apart = _series(rows, steps)
    both = np.isfinite(apart)
    if not both.any():
        return apart
    theirs = rows[both, _N:]
    alive = 100 * float(np.abs(theirs - np.median(theirs, axis=0)).mean())
    return 100 * apart / alive if alive > ALIVE else np.full(len(rows), np.nan)


def _still(name: str, rows: Array) -> tuple[Array, Array, Array] | None:
    """Give which frames count, and both openings in them; None where the target's does not move."""
    columns = [coefficients.MOUTH] if name == "mouth" else [coefficients.RIGHT_EYE, coefficients.LEFT_EYE]
    ours, theirs = rows[:, columns].mean(1), rows[:, [c + _N for c in columns]].mean(1)
    both = np.isfinite(ours) & np.isfinite(theirs)
    if both.sum() < LEAST or theirs[both].std() < MOVES[name]:
        return None
    return both, ours[both], theirs[both]


def _correlation(name: str) -> Value:
    def value(series: Array, rows: Array, steps: Steps) -> float:
        del series, steps
        moving = _still(name, rows)
        if moving is None:
            return float("nan")
        _, ours, theirs = moving
        # an output that does not move at all follows nothing
        return float(np.corrcoef(ours, theirs)[0, 1]) if ours.std() > 1e-6 else 0.0

    return value


def _deviation(name: str) -> Metric:
    def series(rows: Array, steps: Steps) -> Array:
        del steps
        out = np.full(len(rows), np.nan)
        moving = _still(name, rows)
        if moving is not None:
            both, ours, theirs = moving
            slope = ((ours - ours.mean()) * (theirs - theirs.mean())).mean() / theirs.var()
            out[both] = 100 * np.abs(ours - ours.mean() - slope * (theirs - theirs.mean()))
        return out

    card = Card(
        name=f"{name}_r",
        title=f"{'Mouth' if name == 'mouth' else 'Blinks'} follow",
        unit="",
        better="up",
        ideal=1.0,
        says=f"correlation over time of the opening of the {name} with the target's",
        source="Pearson's r; a value a frame: deviation from the fit, % of the face's width",
        part="expression",
        bad=0.6,
        good=0.96,
    )
    return Metric(card, _look, _follows, width=2 * _N, series=series, value=_correlation(name))


def _follows(controls: Controls) -> str | None:
    if np.isfinite(controls.codec) and controls.codec < 0.7:
        return f"encoding the target anew is enough to lower it to {controls.codec:.2f}"
    return None


ERROR = Metric(
    Card(
        name="expression_error",
        title="Expression error",
        unit="% of the face's width",
        better="down",
        ideal=0.0,
        says="mean difference of six coefficients of eyes, mouth and brows, each less its own median over the clip",
        source="coefficients from landmarks; ours",
    ),
    _look,
    near(0.0, 0.01, 1.0),
    width=2 * _N,
    series=_series,
)
MISSED = Metric(
    Card(
        name="expression_missed",
        title="Expression missed",
        unit="% of the target's",
        better="down",
        ideal=0.0,
        says="expression error over how much the target's own expression changes; a frozen face scores 100",
        source="coefficients from landmarks; ours",
        digits=0,
        part="expression",
        bad=100.0,
        good=20.0,
    ),
    _look,
    near(0.0, 1.0, 80.0),
    width=2 * _N,
    series=_missed,
)
MOUTH, EYES = _deviation("mouth"), _deviation("eyes")

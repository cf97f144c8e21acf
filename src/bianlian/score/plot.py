"""Small drawings as SVG: a series over time, and a histogram of distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

import numpy as np

from bianlian.score.metric import Card
from bianlian.score.pair import Array
from bianlian.score.result import badness

_W, _H, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 130, 52, 10, 8, 20
_WIDE = 760
_POINTS = 600
_BINS = 36


def series_plot(card: Card, series: Array, times: Array, unit: str, marks: Sequence[float] = ()) -> str:
    """Draw a series (T,) over times (T,) -> SVG. unit: of the times. marks: times of frames to mark."""
    known = np.isfinite(series)
    if known.sum() < 2:
        return ""
    times_known, values = _thinned(card, times[known], series[known])
    low, high = _limits(card, values)
    x = _Scale(times[0], times[-1], _LEFT, _W - _RIGHT)
    y = _Scale(low, high, _H - _BOTTOM, _TOP)
    parts = [_open("plot", _W, _H, f"{card.title} over time")]
    for value in (low, high):
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y(value):.1f}" x2="{_W - _RIGHT}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.{card.digits}f}</text>')
    if card.ideal is not None and not card.name.endswith("_r") and low <= card.ideal <= high:
        parts.append(f'<line class="ideal" x1="{_LEFT}" y1="{y(card.ideal):.1f}" x2="{_W - _RIGHT}" y2="{y(card.ideal):.1f}"/>')
    parts += [f'<line class="mark" x1="{x(t):.1f}" y1="{_TOP}" x2="{x(t):.1f}" y2="{_H - _BOTTOM}"/>' for t in marks]
    line = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in zip(times_known, values, strict=True))
    parts.append(f'<polyline class="line" points="{line}"/>')
    for t in (times[0], times[-1]):
        parts.append(f'<text x="{x(t):.1f}" y="{_H - 4}" text-anchor="{"start" if t == times[0] else "end"}">{t:g} {unit}</text>')
    return "".join([*parts, "</svg>"])


def distance_plot(distances: Mapping[str, Array]) -> str:
    """Draw how far each group lies from the source, as one histogram a group -> SVG."""
    groups = {name: values for name, values in distances.items() if len(values)}
    if not groups:
        return ""
    low, high = 0.0, max(0.8, float(max(v.max() for v in groups.values())) + 0.05)
    row, width = 62, _WIDE
    height = row * len(groups) + 40
    x = _Scale(low, high, _LEFT + 40, width - _RIGHT)
    parts = [_open("plot", width, height, "Distances from the source's mean description")]
    for k, (name, values) in enumerate(groups.items()):
        base = _TOP + row * (k + 1) - 6
        counts, edges = np.histogram(values, bins=_BINS, range=(low, high))
        for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
            if count:
                tall = (row - 16) * count / counts.max()
                parts.append(
                    f'<rect class="{escape(name)}" x="{x(left) + 0.5:.1f}" y="{base - tall:.1f}" '
                    f'width="{x(right) - x(left) - 1:.1f}" height="{tall:.1f}"/>'
                )
        middle = float(np.median(values))
        parts.append(
            f'<line class="{escape(name)} middle" x1="{x(middle):.1f}" y1="{base - row + 14}" x2="{x(middle):.1f}" y2="{base}"/>'
        )
        parts.append(f'<text x="{_LEFT + 32}" y="{base - 4}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<line class="grid" x1="{_LEFT + 40}" y1="{base}" x2="{width - _RIGHT}" y2="{base}"/>')
    for value in np.arange(low, high, 0.1):
        parts.append(f'<text x="{x(value):.1f}" y="{height - 14}" text-anchor="middle">{value:.1f}</text>')
    return "".join([*parts, "</svg>"])


def _open(kind: str, width: float, height: float, label: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label, quote=True)}">'
    )


class _Scale:
    """A straight map of one range to another."""

    def __init__(self, low: float, high: float, first: float, last: float) -> None:
        self._low, self._first = float(low), first
        self._per = (last - first) / (float(high) - float(low)) if high > low else 0.0

    def __call__(self, value: float) -> float:
        return self._first + (float(value) - self._low) * self._per


def _limits(card: Card, values: Array) -> tuple[float, float]:
    """Choose the axis: all values, and the ideal where it is near."""
    low, high = float(values.min()), float(values.max())
    if card.ideal is not None and not card.name.endswith("_r") and card.better != "up":
        low, high = min(low, card.ideal), max(high, card.ideal)
    if card.unit == "%":
        low, high = min(low, 0.0), max(high, 100.0)
    edge = 0.05 * (high - low) or 0.5 * 10.0**-card.digits
    return low - (edge if low else 0.0), high + edge


def _thinned(card: Card, times: Array, values: Array) -> tuple[Array, Array]:
    """Keep the worst value of each of at most so many spans of time."""
    if len(values) <= _POINTS:
        return times, values
    edges = np.linspace(0, len(values), _POINTS + 1).astype(int)
    bad = badness(card, values)
    picked = [a + int(np.argmax(bad[a:b])) for a, b in pairwise(edges.tolist()) if b > a]
    return times[picked], values[picked]

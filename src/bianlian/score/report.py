"""``score.json`` and ``report.html``: all figures as data, and a page that asks nothing of the network."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from bianlian.files import replacing
from bianlian.score.metric import Controls
from bianlian.score.page import STYLE
from bianlian.score.pair import Array
from bianlian.score.plot import distance_plot, series_plot
from bianlian.score.result import Result
from bianlian.score.score import Score
from bianlian.score.thumbs import SIDE, Thumb, address
from bianlian.score.words import PART_NAMES, Said, grade, number, recogniser, summary
from bianlian.score.worst import Worst, worst_frames
from bianlian.swap.report import versions

SCHEMA = 1
"""Version of ``score.json``."""
JSON, HTML = "score.json", "report.html"


def write_report(score: Score, folder: Path) -> Path:
    """Write both files into a folder, which is made -> the page. Raises OutputError."""
    with replacing(folder / JSON) as part:
        part.write_text(json.dumps(as_json(score), ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with replacing(folder / HTML) as part:
        part.write_text(page(score), encoding="utf-8")
    return folder / HTML


def as_json(score: Score) -> dict[str, Any]:
    """Give all figures as data; null stands for what was not measured or does not count."""
    total = score.total
    return {
        "schema": SCHEMA,
        "out": str(score.out),
        "target": str(score.target),
        "source": str(score.source),
        "truth": None if score.truth is None else str(score.truth),
        "settings": {k: getattr(score.settings, k) for k in score.settings.__dataclass_fields__},
        "model": score.made.model,
        "recogniser": {
            "name": score.settings.describer,
            "known_not_trained_with": score.made.by_us and not score.made.fitted,
            "says": recogniser(score).text,
        },
        "source_pictures": score.people.pictures,
        "distractors": list(score.people.names),
        "frames_read": score.read,
        "frames_scored": len(score.frames),
        "seconds": round(score.took, 2),
        "score": _rounded(total.score),
        "held_by": total.held_by,
        "parts": {part: _rounded(value) for part, value in total.parts.items()},
        "words": [said.text for said in summary(score)],
        "notes": list(score.notes),
        "metrics": {name: _metric(result) for name, result in score.results.items()},
        "frames": list(score.frames),
        "times": [None if s is None else round(float(s), 6) for s in score.seconds],
        "versions": versions(),
    }


def _metric(result: Result) -> dict[str, Any]:
    card, counts = result.card, result.invalid is None
    figures = {k: _rounded(getattr(result, k)) if counts else None for k in ("value", "mean", "median", "p95", "noop", "gain")}
    return {
        "title": card.title,
        "unit": card.unit,
        "better": card.better,
        "definition": card.says,
        "source": card.source,
        **figures,
        "invalid": result.invalid,
        "controls": {k: _rounded(getattr(result.controls, k)) for k in Controls.__dataclass_fields__},
        "series": [_rounded(float(v)) for v in result.series],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 5)


def page(score: Score) -> str:
    """Make the page."""
    place = {frame: k for k, frame in enumerate(score.frames)}
    worst = worst_frames(score.results, score.settings.worst, {place[f] for f in score.thumbs if f in place})
    times, unit = _times(score)
    marks = [float(times[w.place]) for w in worst]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(score.out.name)}: score</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(score.out.name)}</h1>",
        f'<p class="note">{escape(_about(score))}</p>',
        _top(score),
        '<ul class="words">',
        *(f"<li{_class(said)}>{escape(said.text)}</li>" for said in summary(score)[1:]),
        "</ul>",
        "<h2>Worst frames</h2>",
        _frames(score, worst),
        "<h2>Identity</h2>",
        '<p class="note">How far each description is from the mean of the source\'s pictures: nearer is more like the source. '
        "source: its own pictures that were held out. The line marks the median.</p>",
        f'<div class="hist">{distance_plot(score.distances)}</div>',
        "<h2>Over time</h2>",
        '<p class="note">Dashed: what the target scores against itself. Red: the worst frames above.</p>',
        f'<div class="plots">{"".join(_plot(r, times, unit, marks) for r in score.results.values())}</div>',
        "<h2>All figures and controls</h2>",
        _table(score),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _times(score: Score) -> tuple[Array, str]:
    if any(s is None for s in score.seconds):
        return np.array(score.frames, np.float64), "(frame)"
    return np.array([float(s) for s in score.seconds if s is not None], np.float64).round(3), "s"


def _about(score: Score) -> str:
    truth = "" if score.truth is None else f", truth {score.truth.name}"
    every = "" if score.settings.every == 1 else f"; one frame of {score.settings.every} was read"
    faces = f"{len(score.frames)} of {score.read} frames show a face"
    return f"a swap of {score.target.name}, source {score.source.name}{truth}; {faces}{every}"


def _class(said: Said) -> str:
    return ' class="warn"' if said.warns else ""


def _top(score: Score) -> str:
    total = score.total
    rows = "".join(
        f"<tr><td>{escape(PART_NAMES[part])}</td><td>{grade(value)}</td>"
        f'<td><i class="{grade(value)}" style="width:{max(2, 100 * value):.0f}%"></i></td><td>{100 * value:.0f}</td></tr>'
        for part, value in total.parts.items()
    )
    shown = "–" if total.score is None else f"{total.score:.0f}"
    first = summary(score)[0]
    return (
        f'<div class="top"><div><div class="big">{shown}<small> of 100</small></div></div><table class="parts">{rows}</table></div>'
        f"<p{_class(first)}><b>{escape(first.text)}</b></p>"
    )


def _frames(score: Score, worst: list[Worst]) -> str:
    figures = []
    for one in worst:
        frame, card = score.frames[one.place], score.results[one.name].card
        value = f"{one.value:.{max(card.digits, 1)}f}" if card.name.endswith("_r") else number(card, one.value)
        figures.append(
            f"<figure><figcaption>frame {frame}: {escape(card.title.lower())} {escape(value)}</figcaption>"
            f'<div class="strip">{_strip(score.thumbs[frame])}</div></figure>'
        )
    return f'<div class="frames">{"".join(figures)}</div>' if figures else "<p>none stands out</p>"


def _strip(thumb: Thumb) -> str:
    named = {"target": thumb.target, "result": thumb.out, "change, and the measured face": thumb.change, "truth": thumb.truth}
    return "".join(
        f'<div><img src="{address(data)}" width="{SIDE}" height="{SIDE}" alt="{name}">{name}</div>'
        for name, data in named.items()
        if data is not None
    )


def _plot(result: Result, times: Array, unit: str, marks: list[float]) -> str:
    drawn = "" if result.invalid else series_plot(result.card, result.series, times, unit, marks)
    if not drawn:
        return ""
    card = result.card
    head = f"<h3>{escape(card.title)} <b>{escape(number(card, result.value))}</b></h3>"
    return f'<div>{head}<p class="note">{escape(card.says)}</p>{drawn}</div>'


def _table(score: Score) -> str:
    heads = ["metric", "value", "mean", "median", "p95", "better", "target itself", "codec alone", "source's own"]
    if score.truth is not None:
        heads += ["the truth", "no swap", "gain"]
    rows = "".join(_row(r, score.truth is not None) for r in score.results.values())
    return (
        f'<div class="scroll"><table class="all"><tr>{"".join(f"<th>{h}</th>" for h in heads)}</tr>{rows}</table></div>'
        '<p class="note">p95: what 95 % of the frames are no worse than. A dash: not measured, for want of frames, of motion '
        "or of a truth. The series of the correlations is the deviation from the fit.</p>"
    )


def _row(result: Result, with_truth: bool) -> str:
    card, c = result.card, result.controls

    def plain(value: float) -> str:
        return f"<td>{'–' if not np.isfinite(value) else f'{value:.{card.digits}f}'}</td>"

    if result.invalid:
        value = f'<td class="warn" title="{escape(result.invalid, quote=True)}">invalid</td><td></td><td></td><td></td>'
    else:
        value = f"<td><b>{escape(number(card, result.value))}</b></td>{plain(result.mean)}{plain(result.median)}{plain(result.p95)}"
    better = {"up": "more", "down": "less", "one": "near 1"}[card.better]
    more = f"{plain(c.truth)}{plain(result.noop)}{plain(result.gain)}" if with_truth else ""
    title = escape(f"{card.says} ({card.source})", quote=True)
    return (
        f'<tr><td title="{title}">{escape(card.title)}</td>{value}<td>{better}</td>{plain(c.itself)}{plain(c.codec)}'
        f"{plain(c.held_out)}{more}</tr>"
    )

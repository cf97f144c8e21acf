"""``curation.html``: what was kept and dropped and why, in one file that asks nothing of the network."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.errors import FacesetError
from bianlian.faceset.curate.decide import Verdict
from bianlian.faceset.curate.gaps import gaps
from bianlian.faceset.curate.page import SCRIPT, STYLE
from bianlian.faceset.curate.plot import coverage_plot
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.curate.table import Table
from bianlian.faceset.record import FaceRecord, reason_kind
from bianlian.faceset.store import Faceset

REPORT = "curation.html"
THUMB = 72
"""Side of a thumbnail in pixels."""
KEPT_SHOWN, DROPPED_SHOWN = 240, 60
"""Thumbnails of the kept faces, and of each kind of dropped ones, at most."""


def write_report(faceset: Faceset, table: Table, verdict: Verdict, settings: CurateSettings) -> str:
    """Make the page of a faceset. Only the crops that are shown are read, one at a time."""
    kept = verdict.kept
    groups = _groups(table, verdict)
    wanted = {int(row) for _, rows, _ in groups for row in rows}
    thumbs = _thumbs(faceset, wanted)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(faceset.person)}: curation</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(faceset.person)}</h1>",
        f'<p class="sum"><b>{int(kept.sum())}</b> of {len(table)} faces are kept.</p>',
        _why(verdict),
        '<section class="two"><div><h2>Poses</h2>',
        coverage_plot(table.pose, kept),
        '<p class="note">Filled squares hold kept faces (darker: more), outlined ones only dropped faces.</p></div>',
        f"<div><h2>What is missing</h2>{_list(gaps(table, kept))}</div></section>",
        '<p class="note">Click faces to change their fate; the command to do it appears below.</p>',
        *(_group(title, rows, count, thumbs, table, verdict) for title, rows, count in groups),
        _settings(faceset, settings),
        f'<div id="bar" data-folder="{escape(str(faceset.path), quote=True)}"><code></code><button>copy</button></div>',
        f"<script>{SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _groups(table: Table, verdict: Verdict) -> list[tuple[str, NDArray[np.intp], int]]:
    """Choose what is shown: title, rows, and how many there are in all; kept faces in the order of their yaw."""
    kept = np.flatnonzero(verdict.kept)
    kept = kept[np.argsort(table.pose[kept, 0], kind="stable")]
    groups = [("kept", _some(kept, KEPT_SHOWN), len(kept))]
    kinds: dict[str, list[int]] = {}
    for row, reason in enumerate(verdict.reasons):
        if reason is not None:
            kinds.setdefault(reason_kind(reason), []).append(row)
    ordered = sorted(kinds.items(), key=lambda item: -len(item[1]))
    return groups + [(kind, _some(np.array(rows, np.intp), DROPPED_SHOWN), len(rows)) for kind, rows in ordered]


def _some(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))] if len(rows) else rows


def _thumbs(faceset: Faceset, wanted: set[int]) -> dict[int, str]:
    """Read and shrink the crops of some rows -> data addresses."""
    return {row: _thumb(faceset, record) for row, record in enumerate(faceset.records()) if row in wanted}


def _thumb(faceset: Faceset, record: FaceRecord) -> str:
    try:
        crop = faceset.load_crop(record)
    except FacesetError:
        crop = np.full((8, 8, 3), 128, np.uint8)
    side = crop.shape[0]
    edge = round(0.12 * side)
    small = cv2.resize(crop[edge : side - edge, edge : side - edge], (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else "<p>nothing that was looked for</p>"


def _why(verdict: Verdict) -> str:
    counts = Counter(reason_kind(reason) for reason in verdict.reasons if reason is not None)
    rows = []
    for kind, count in counts.most_common():
        bar = f'<i style="width:{100 * count / len(verdict.reasons):.1f}%"></i>'
        rows.append(f'<tr><td>{escape(kind)}</td><td class="n">{count}</td><td>{bar}</td></tr>')
    return f'<table class="why">{"".join(rows)}</table>' if rows else ""


def _group(title: str, rows: NDArray[np.intp], count: int, thumbs: dict[int, str], table: Table, verdict: Verdict) -> str:
    shown = f" <small>{len(rows)} of {count} shown</small>" if len(rows) < count else f" <small>{count}</small>"
    figures = "".join(_figure(int(row), thumbs, table, verdict.reasons) for row in rows)
    return f'<h2>{escape(title)}{shown}</h2><div class="faces {"in" if title == "kept" else "out"}">{figures}</div>'


def _figure(row: int, thumbs: dict[int, str], table: Table, reasons: Sequence[str | None]) -> str:
    yaw, pitch, _ = table.pose[row]
    says = reasons[row] or f"yaw {yaw:.0f}°, pitch {pitch:.0f}°, blur {table.blur[row]:.2f}"
    number = int(table.ids[row])
    return (
        f'<figure data-id="{number}" tabindex="0" title="{number}: {escape(says, quote=True)}">'
        f'<img src="{thumbs[row]}" width="{THUMB}" height="{THUMB}" alt=""><figcaption>{number}</figcaption></figure>'
    )


def _settings(faceset: Faceset, settings: CurateSettings) -> str:
    def rows() -> Iterator[str]:
        for key, value in asdict(settings).items():
            shown = ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
            yield f"<tr><td>{escape(key)}</td><td>{escape(shown)}</td></tr>"

    consent = escape(faceset.header.consent or "none recorded")
    return f'<h2>Settings</h2><table class="why"><tr><td>consent</td><td>{consent}</td></tr>{"".join(rows())}</table>'

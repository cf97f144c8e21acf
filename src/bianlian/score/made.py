"""What is known of how an output was made: the report and the tracks that ``bianlian swap`` writes beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bianlian.errors import ConfigError, TracksError
from bianlian.swap.analyse import fingerprint
from bianlian.swap.pipeline import tracks_path
from bianlian.swap.report import report_path
from bianlian.swap.tracks import Analysis, read_tracks
from bianlian.types import Note
from bianlian.video import Encoding

_LARGEST = 1 << 24


@dataclass(frozen=True)
class Made:
    """by_us: whether a swap's report lies beside the output. fitted: whether it says that a recogniser had faces changed. model,
    person: from there. encoding: the output's, or the default.

    analysis: tracks of the target that lie beside the output and fit it, or None.
    """

    by_us: bool
    fitted: bool
    model: str
    person: str
    encoding: Encoding
    analysis: Analysis | None


def made(out: Path, target: Path, note: Note) -> Made:
    """Read what lies beside an output; what is damaged or belongs to another target is left aside with a note."""
    report = _report(report_path(out))
    settings = report.get("settings")
    encoding = settings.get("encoding") if isinstance(settings, dict) else None
    return Made(
        by_us=isinstance(settings, dict),
        fitted=report.get("fitted") is True,
        model=str(report.get("model", "")),
        person=str(report.get("person", "")),
        encoding=_encoding(encoding),
        analysis=_analysis(tracks_path(out), target, note),
    )


def _report(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _encoding(found: Any) -> Encoding:
    if not isinstance(found, dict):
        return Encoding()
    try:
        return Encoding(codec=str(found["codec"]), crf=int(found["crf"]), preset=str(found["preset"]))
    except (ConfigError, KeyError, TypeError, ValueError):
        return Encoding()


def _analysis(path: Path, target: Path, note: Note) -> Analysis | None:
    if not path.is_file():
        return None
    try:
        analysis = read_tracks(path)
    except TracksError as error:
        note(f"{error}; faces are looked for anew")
        return None
    if analysis.fingerprint != fingerprint(target):
        return None
    note(f"faces taken from {path}")
    return analysis

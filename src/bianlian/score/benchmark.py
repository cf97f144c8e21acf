"""A benchmark of swaps whose truth is known: pairs in folders, results of any tool, one table.

PAIRS/NAME/target.*       the footage that was swapped
PAIRS/NAME/truth_face.*   what a perfect swap of the inner face looks like, frame for frame (or ``truth.*``, the whole head)
PAIRS/NAME/source.*       a picture or footage of the source, or a folder ``source``
RESULTS/NAME.*            a result for each pair, frame for frame: a video, or a folder of pictures

The protocol, and what must be told with a figure, is ``docs/benchmark.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bianlian.errors import InputError
from bianlian.files import sha256_of
from bianlian.score.people import Finders
from bianlian.score.score import Score, open_finders, score
from bianlian.score.settings import ScoreSettings
from bianlian.score.total import total
from bianlian.swap.report import versions
from bianlian.types import Note, Progress, silent

PROTOCOL = "bianlian-quality-1"
"""Changes whenever a figure of the same frames would."""
NO_SWAP, TRUTH = "no swap", "truth"
"""Methods that every table begins with: the target as result, and the truth."""
COLUMNS: Mapping[str, tuple[str, int]] = {
    "score": ("score", 1),
    "score_without_truth": ("without truth", 1),
    "truth_perceptual": ("perceptual", 4),
    "truth_l1": ("L1", 2),
    "truth_ssim": ("SSIM", 3),
    "truth_psnr": ("PSNR", 2),
    "truth_landmarks": ("landmarks", 2),
    "id_margin": ("margin", 3),
    "id_retrieval": ("retrieval", 1),
    "pose_error": ("pose", 2),
    "expression_missed": ("missed", 0),
    "sharpness_ratio": ("sharpness", 2),
    "seam_ratio": ("seam", 2),
    "jitter_excess": ("jitter", 2),
}
"""Figures of a row, their titles, and digits after the point."""


@dataclass(frozen=True)
class Pair:
    """One performance of a target, and the same with the source's face."""

    name: str
    target: Path
    truth: Path
    source: Path


@dataclass(frozen=True)
class Row:
    """One method on one pair. figures: by ``COLUMNS``; NaN for what was not measured or does not count."""

    method: str
    pair: str
    frames: int
    figures: Mapping[str, float]
    held_by: str | None


def read_pairs(folder: Path, only: Sequence[str] = ()) -> list[Pair]:
    """Find the pairs of a folder, by name; ``only``: names to take. Raises InputError for none, or unknown names."""
    if not folder.is_dir():
        raise InputError(f"pairs must be a folder with one folder a pair, got {folder}")
    pairs = [_pair(path) for path in sorted(folder.iterdir()) if path.is_dir() and _named(path, "target") is not None]
    if not pairs:
        raise InputError(f"{folder} holds no pair; each is a folder with target.mp4, truth_face.mp4 and source.jpg (or footage)")
    unknown = set(only) - {p.name for p in pairs}
    if unknown:
        raise InputError(
            f"{folder} holds no pair called {', '.join(sorted(unknown))}; there are: {', '.join(p.name for p in pairs)}"
        )
    return [p for p in pairs if not only or p.name in only]


def result_of(results: Path, pair: Pair) -> Path:
    """Find the result for a pair. Raises InputError when there is none."""
    found = _named(results, pair.name) if results.is_dir() else None
    if found is None:
        raise InputError(f"{results} holds no result for {pair.name}; name it {pair.name}.mp4, or a folder of pictures {pair.name}")
    return found


class Bench:
    """Scores results one after the other, with networks that are loaded once."""

    def __init__(self, settings: ScoreSettings, people: Path | None = None) -> None:
        """Load the networks. people: see ``score.score``. Raises WeightsError."""
        self._settings, self._people = settings, people
        self._finders: Finders = open_finders(settings)

    def row(self, method: str, pair: Pair, out: Path, *, progress: Progress = silent, note: Note = silent) -> Row:
        """Score one result. Raises as ``score.score``."""
        found = score(
            out,
            pair.target,
            pair.source,
            truth=pair.truth,
            people=self._people,
            settings=self._settings,
            finders=self._finders,
            progress=progress,
            note=note,
        )
        return row_of(method, pair, found)


def row_of(method: str, pair: Pair, found: Score) -> Row:
    """Take a row's figures out of a score."""
    plain = total({name: r for name, r in found.results.items() if r.card.part != "truth"})
    figures = {
        "score": found.total.score,
        "score_without_truth": plain.score,
        **{name: r.value for name, r in found.results.items() if name in COLUMNS and r.invalid is None},
    }
    known = {name: float("nan") if (v := figures.get(name)) is None else float(v) for name in COLUMNS}
    return Row(method, pair.name, len(found.frames), known, found.total.held_by)


def table(rows: Sequence[Row]) -> str:
    """Write a table in Markdown: each method's mean over the pairs, then each pair."""
    titles = [title for title, _ in COLUMNS.values()]
    lines = ["| method | pair | " + " | ".join(titles) + " |", "| --- | --- |" + " ---: |" * len(titles)]
    methods = list(dict.fromkeys(r.method for r in rows))
    for method in methods:
        lines.append(_line(f"**{method}**", "mean", means([r for r in rows if r.method == method])))
    several = len({r.pair for r in rows}) > 1
    lines += [_line(r.method, r.pair, r.figures) for method in methods for r in rows if r.method == method and several]
    return "\n".join(lines) + "\n"


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Average each figure over the pairs in which it was measured."""
    found = {name: np.array([r.figures[name] for r in rows]) for name in COLUMNS}
    return {name: float(np.nanmean(v)) if np.isfinite(v).any() else float("nan") for name, v in found.items()}


def as_json(rows: Sequence[Row], pairs: Sequence[Pair], settings: ScoreSettings, how: Mapping[str, object]) -> dict[str, object]:
    """Give all figures as data, with what another needs to check them: the files' digests, settings, versions; no path or time.

    how: what made the results.
    """
    return {
        "protocol": PROTOCOL,
        "how": dict(how),
        "settings": {k: getattr(settings, k) for k in settings.__dataclass_fields__},
        "pairs": {p.name: {k: _digest(getattr(p, k)) for k in ("target", "truth", "source")} for p in pairs},
        "rows": [
            {"method": r.method, "pair": r.pair, "frames": r.frames, "held_by": r.held_by, **_rounded(r.figures)} for r in rows
        ],
        "means": {m: _rounded(means([r for r in rows if r.method == m])) for m in dict.fromkeys(r.method for r in rows)},
        "versions": versions(),
    }


def _line(method: str, pair: str, figures: Mapping[str, float]) -> str:
    cells = ["–" if not np.isfinite(figures[n]) else f"{figures[n]:.{digits}f}" for n, (_, digits) in COLUMNS.items()]
    return f"| {method} | {pair} | " + " | ".join(cells) + " |"


def _rounded(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: round(value, 5) if np.isfinite(value) else None for name, value in figures.items()}


def _digest(path: Path) -> str | dict[str, str]:
    if path.is_dir():
        return {p.name: sha256_of(p) for p in sorted(path.rglob("*")) if p.is_file()}
    return sha256_of(path)


def _pair(folder: Path) -> Pair:
    parts = {name: _named(folder, name) for name in ("target", "truth_face", "truth", "source")}
    truth = parts["truth_face"] or parts["truth"]
    if parts["target"] is None or truth is None or parts["source"] is None:
        missing = [n for n, p in (("target", parts["target"]), ("truth_face", truth), ("source", parts["source"])) if p is None]
        raise InputError(
            f"the pair {folder} has no {' and no '.join(missing)}; it wants target.*, truth_face.* (or truth.*), source.*"
        )
    return Pair(folder.name, parts["target"], truth, parts["source"])


def _named(folder: Path, name: str) -> Path | None:
    """Find the file, of any kind but notes about it, or the folder of a name; of several the first by name."""
    found = (p for p in sorted(folder.iterdir()) if p.name == name or (p.stem == name and p.suffix.lower() not in _NOTES))
    return next((p for p in found if p.is_dir() or p.is_file()), None)


_NOTES = (".json", ".jsonl", ".txt", ".md", ".npz", ".csv", ".toml")

"""``bianlian score-run``: how good a trained run swaps, in every direction, before any footage is swapped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from bianlian import plugins
from bianlian.files import replacing
from bianlian.score.measure import Eyes
from bianlian.score.result import Result
from bianlian.score.run import Direction, as_json, score_run, weakest
from bianlian.score.words import PART_NAMES
from bianlian.train.run import open_run
from bianlian.train.start import resume

SHOWN = ("id_margin", "id_retrieval", "pose_error", "expression_missed", "sharpness_ratio", "seam_ratio", "color_error")
"""Metrics that are printed; the file has all."""


@dataclass(frozen=True)
class ScoreRun:
    """Swap held-out faces of every ordered pair of people in a run, and print the matrix of the summary score and its parts.

    The faces are stills that training never saw (where a person has 20 or more). RUN/score.json gets all figures.
    """

    run_folder: Annotated[Positional[Path], arg(metavar="RUN")]
    """Folder of a run that `bianlian train` made."""

    facesets: Positional[tuple[Path, ...]] = ()
    """The people's facesets in the run's order, where they lie elsewhere now."""

    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Where the figures go as JSON; RUN/score.json when left out."""

    def run(self) -> None:
        """Score and print. Raises RunError, FacesetError, NoFaceError, WeightsError, OutputError."""
        begun = resume(self.run_folder, self.facesets)
        eyes = Eyes(plugins.load("landmarker", "facemesh")(), plugins.load("describer", "dlib")())
        found = score_run(self.run_folder, begun.facesets, eyes)
        path = self.out or self.run_folder / "score.json"
        with replacing(path) as part:
            part.write_text(json.dumps(as_json(found), indent=1) + "\n", encoding="utf-8")
        console = Console(highlight=False, markup=False, soft_wrap=True)
        show(found, open_run(self.run_folder).names, console)
        if begun.run.settings.get("perceptual") == "dlib":
            console.print("the run was trained with the recogniser that scores likeness: those figures are too good")
        console.print(f"figures: {path}")


def show(found: Sequence[Direction], names: Sequence[str], console: Console) -> None:
    """Print the matrix, the parts of each direction, and the weakest."""
    wide = Console(file=console.file, highlight=False, markup=False, width=max(console.width, 140))
    scores = {(d.source, d.target): d.total.score for d in found}
    matrix = Table(box=None, pad_edge=False)
    matrix.add_column("score: face of", no_wrap=True)
    for name in names:
        matrix.add_column(f"on {name}", justify="right", no_wrap=True)
    for source in names:
        matrix.add_row(source, *(_cell(scores.get((source, target))) for target in names))
    wide.print(matrix)
    shown = [part for part in PART_NAMES if any(part in d.total.parts for d in found)]
    parts = {d: [_cell(100 * d.total.parts[part]) if part in d.total.parts else "–" for part in shown] for d in found}
    wide.print(_table("parts, of 100", shown, parts))
    wide.print(_table("figures", SHOWN, {d: [_figure(d.results[name]) for name in SHOWN] for d in found}))
    for d in found:
        stills = f"{d.faces} {'held-out' if d.held_out else 'seen'} faces of {d.target}"
        console.print(f"{d.source}'s face on {stills}: {_held(d)}")
    if len(found) > 1:
        low = weakest(found)
        console.print(f"weakest: {low.source}'s face on {low.target}")


def _table(title: str, heads: Sequence[str], rows: Mapping[Direction, list[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(title, no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    for d, cells in rows.items():
        table.add_row(f"{d.source} on {d.target}", *cells)
    return table


def _figure(result: Result) -> str:
    return "invalid" if result.invalid else "–" if not np.isfinite(result.value) else f"{result.value:.{result.card.digits}f}"


def _cell(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.0f}"


def _held(d: Direction) -> str:
    if d.total.score is None:
        return "nothing could be scored"
    held = "nothing holds it down" if d.total.held_by is None else f"{PART_NAMES[d.total.held_by]} holds it down most"
    return f"{d.total.score:.0f} of 100; {held}"

"""``bianlian score``: how good a swap is, in numbers, with controls and a report to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from bianlian.commands._show import shown
from bianlian.score.report import write_report
from bianlian.score.result import Result
from bianlian.score.score import Score as Found
from bianlian.score.score import score
from bianlian.score.settings import ScoreSettings
from bianlian.score.words import number, summary

_USUAL = ScoreSettings()


@dataclass(frozen=True)
class Score:
    """Say by numbers how good a swap is: likeness, expression, sharpness, seam, steadiness and, where there is one, truth.

    Every run prints its controls: what the target scores against itself, what encoding alone costs, and what real pictures of the
    source score. A metric that fails a control is shown as invalid. --output gets score.json and report.html.
    """

    out: Positional[Path]
    """The swap to score: a video, a picture, or a folder of pictures."""

    target: Path
    """What it was made from, frame for frame."""

    source: Path
    """The person whose face was put in: a faceset, a video, a picture or a folder of pictures."""

    truth: Path | None = None
    """What the swap should look like, frame for frame, where that is known (rendered people)."""

    people: Path | None = None
    """Folder of other people, one picture or folder of pictures each, that the face might be taken for."""

    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Folder for score.json and report.html; nothing is written when left out."""

    every: int = _USUAL.every
    """Score every so many frames."""

    describe: int = _USUAL.describe
    """Describe who the face is in every so many scored frames."""

    worst: int = _USUAL.worst
    """Worst frames that the report shows."""

    detector: str = _USUAL.detector
    """What finds faces where no tracks lie beside the output: duo, blazeface, mtcnn, hog, mmod, or a plug-in."""

    def run(self) -> None:
        """Score, show progress, print the table and what it means. Raises as ``score.score.score``, and OutputError."""
        settings = ScoreSettings(every=self.every, describe=self.describe, worst=self.worst, detector=self.detector)
        with shown() as (progress, note):
            found = score(
                self.out,
                self.target,
                self.source,
                truth=self.truth,
                people=self.people,
                settings=settings,
                progress=progress,
                note=note,
            )
            report = None if self.output is None else write_report(found, self.output)
        show(found, Console(highlight=False, markup=False, soft_wrap=True))
        if report is not None:
            Console(highlight=False, markup=False, soft_wrap=True).print(f"look: {report}")


def show(found: Found, console: Console) -> None:
    """Print the metrics beside their controls, and the summary in words."""
    table = Table(box=None, pad_edge=False)
    for title in ("metric", "value", "mean", "median", "p95", "itself", "codec", "held out"):
        table.add_column(title, justify="left" if title == "metric" else "right", no_wrap=True)
    with_truth = found.truth is not None
    for title in ("truth", "no swap", "gain") if with_truth else ():
        table.add_column(title, justify="right", no_wrap=True)
    for result in found.results.values():
        table.add_row(*_row(result, with_truth))
    wide = Console(file=console.file, highlight=False, markup=False, width=max(console.width, 140))
    wide.print(table)
    speed = found.read / found.took if found.took > 0 else 0.0
    console.print(f"{len(found.frames)} of {found.read} frames have a face; {found.took:.1f} s, {speed:.1f} frames/s")
    for said in summary(found):
        console.print(said.text)


def _row(result: Result, with_truth: bool) -> list[str]:
    card, controls = result.card, result.controls

    def plain(value: float) -> str:
        return "–" if not np.isfinite(value) else f"{value:.{card.digits}f}"

    value = "invalid" if result.invalid else number(card, result.value)
    spread = ["–"] * 3 if result.invalid else [plain(v) for v in (result.mean, result.median, result.p95)]
    row = [card.name, value, *spread, plain(controls.itself), plain(controls.codec), plain(controls.held_out)]
    return row + ([plain(controls.truth), plain(result.noop), plain(result.gain)] if with_truth else [])

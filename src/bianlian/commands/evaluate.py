"""``bianlian evaluate``: a trained run -> how well each person is drawn on the others' frames, in every direction."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional, arg

from bianlian.files import replacing
from bianlian.train.evaluate import evaluate, open_eyes, told
from bianlian.train.start import resume


@dataclass(frozen=True)
class Evaluate:
    """Judge a trained run on frames that training never saw, in every direction, and name the weakest.

    Tells how much of each person is not drawn yet, how much of the target's pose and expression is lost on the way, the likeness
    for a recogniser, and how far the drawn landmarks are off.
    """

    run_folder: Annotated[Positional[Path], arg(metavar="RUN")]
    """Folder of a run that `bianlian train` made."""

    facesets: Positional[tuple[Path, ...]] = ()
    """The people's facesets in the run's order, where they lie elsewhere now."""

    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Write the figures to this JSON file too."""

    def run(self) -> None:
        """Judge and tell. Raises RunError, FacesetError, WeightsError, OutputError."""
        begun = resume(self.run_folder, self.facesets)
        notes = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        directions = evaluate(self.run_folder, begun.facesets, eyes=open_eyes(fetch=True), note=notes.print)
        out = Console(highlight=False, markup=False, soft_wrap=True)
        for line in told(directions):
            out.print(line)
        if self.out is not None:
            with replacing(self.out) as path:
                path.write_text(json.dumps([asdict(d) for d in directions], indent=1) + "\n", encoding="utf-8")

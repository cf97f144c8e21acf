"""The score that goes with a training run's previews: told, logged, and written beside each picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import final

from bianlian.errors import NoFaceError, RunError
from bianlian.files import refuse_link, replacing
from bianlian.model.protocol import Trainable
from bianlian.score.measure import Eyes
from bianlian.score.run import Direction, RunJudge, as_json, mean_score
from bianlian.score.words import PART_NAMES
from bianlian.train.batches import BatchMaker
from bianlian.train.plateau import SCORE, Plateau
from bianlian.types import Note


@final
class PreviewJudge:
    """Judges the previews of a run; keeps the contract ``train.plateau.Judge``."""

    def __init__(self, folder: Path, eyes: Eyes, plateau: Plateau, note: Note) -> None:
        self._folder, self._eyes, self._plateau, self._note = folder, eyes, plateau, note
        self._judge: RunJudge | None = None
        self._off = False

    def __call__(self, model: Trainable, maker: BatchMaker, iteration: int) -> Mapping[str, float]:
        """Score all directions, tell, write ``previews/000300.json``; nothing, said once, where no face can be marked
        or the run knows one person alone.

        Raises OutputError.
        """
        if self._off:
            return {}
        try:
            self._judge = self._judge or RunJudge(maker, self._eyes)
        except (NoFaceError, RunError) as error:
            self._off = True
            self._note(f"previews are not scored: {error}")
            return {}
        found = self._judge(model)
        score = mean_score(found)
        self._plateau.add(iteration, score)
        self._note(f"iteration {iteration}: score {score:.1f} of 100; " + "; ".join(_told(d) for d in found))
        path = self._folder / "previews" / f"{iteration:06d}.json"
        refuse_link(path.parent)
        if not path.exists():
            with replacing(path) as part:
                part.write_text(json.dumps(as_json(found), indent=1) + "\n", encoding="utf-8")
        return {SCORE: score}


def _told(d: Direction) -> str:
    score = "nothing to score" if d.total.score is None else f"{d.total.score:.0f}"
    held = "" if d.total.held_by is None else f", held down by {PART_NAMES[d.total.held_by]}"
    return f"{d.source} on {d.target} {score}{held}"

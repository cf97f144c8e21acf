"""When to stop, as a number: previews are judged, and training ends when the score has not risen for some of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, final

from bianlian.errors import ConfigError
from bianlian.model.protocol import Trainable
from bianlian.train.batches import BatchMaker
from bianlian.train.checkpoint import list_checkpoints
from bianlian.train.log import logged

SCORE = "score"
"""What a judge calls the score in the log."""
RISE = 0.5
"""Points of 100 by which a score must rise to count as risen: less is the noise of a few dozen faces."""


class Judge(Protocol):
    """Is shown the averaged networks with every preview; it must not change them nor draw from the process's random numbers."""

    def __call__(self, model: Trainable, maker: BatchMaker, iteration: int) -> Mapping[str, float]:
        """Judge -> figures for the log, by name."""
        ...


@final
class Plateau:
    """Notices when a score has not risen for ``patience`` previews in a row (0: never notices)."""

    def __init__(self, patience: int) -> None:
        """Raises ConfigError for a number below 0."""
        if patience < 0:
            raise ConfigError(f"until-plateau must be 1 or more previews, or 0 to go on whatever the score, got {patience}")
        self.patience, self.best, self.best_at, self.since = patience, float("-inf"), 0, 0

    def add(self, iteration: int, score: float) -> None:
        """Take the score of a preview."""
        if score >= self.best + RISE:
            self.best, self.best_at, self.since = score, iteration, 0
        else:
            self.since += 1

    def recall(self, run: Path) -> None:
        """Take the scores that a run logged up to its newest checkpoint, from where it goes on, as if it had never stopped."""
        checkpoints = list_checkpoints(run)
        for iteration, score in logged(run, SCORE, int(checkpoints[-1].name)) if checkpoints else ():
            self.add(iteration, score)

    def reached(self) -> bool:
        """Tell whether it is time to stop."""
        return 0 < self.patience <= self.since

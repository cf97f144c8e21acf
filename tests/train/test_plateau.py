"""When to stop: a plateau of the score, and a loop that shows its previews to a judge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bianlian.errors import ConfigError
from bianlian.model.protocol import Trainable
from bianlian.train import start
from bianlian.train.batches import BatchMaker
from bianlian.train.loop import Limits, train
from bianlian.train.plateau import Plateau
from bianlian.train.start import Choices
from made_faces import make_faceset


@pytest.mark.parametrize(
    ("patience", "scores", "reached"),
    [
        (2, [10, 20, 20.4, 20.4], True),  # 0.4 points are no rise
        (2, [10, 20, 20.4, 20.6], False),
        (2, [10, 5, 10.5], False),  # a rise over the best, not over the one before
        (2, [10, 5, 7], True),
        (1, [10], False),
        (0, [10, 1, 1, 1], False),
    ],
)
def test_a_plateau_is_no_rise_over_the_best(patience: int, scores: list[float], reached: bool) -> None:
    plateau = Plateau(patience)
    for k, score in enumerate(scores):
        plateau.add(k, score)
    assert plateau.reached() is reached


def test_a_patience_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="1 or more previews"):
        Plateau(-1)


class Falling:
    """Scores 50, then less each time."""

    def __init__(self, plateau: Plateau) -> None:
        self.plateau, self.seen = plateau, list[int]()

    def __call__(self, model: Trainable, maker: BatchMaker, iteration: int) -> Mapping[str, float]:
        self.seen.append(iteration)
        self.plateau.add(iteration, 50 - iteration)
        return {"score": 50 - iteration}


def test_training_stops_on_a_plateau_and_logs_the_score(tmp_path: Path) -> None:
    people = [make_faceset(tmp_path / name, name, hue=k, seed=k) for k, name in enumerate(("ana", "ben"))]
    run = tmp_path / "run"
    begun = start.begin(run, [p.path for p in people], Choices(size=64, width="light", start="scratch", batch=1))
    plateau = Plateau(2)
    judge = Falling(plateau)
    result = train(begun, run, Limits(iterations=50, preview_every=2), stop=plateau.reached, judge=judge)
    # the first preview is the best, the next two are worse
    assert judge.seen == [2, 4, 6]
    assert result.iteration == 6
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [(r["iteration"], r["score"]) for r in lines if "score" in r] == [(2, 48), (4, 46), (6, 44)]

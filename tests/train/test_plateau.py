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


def test_a_resumed_run_remembers_its_scores(tmp_path: Path) -> None:
    people = [make_faceset(tmp_path / name, name, hue=k, seed=k) for k, name in enumerate(("ana", "ben"))]
    run = tmp_path / "run"
    begun = start.begin(run, [p.path for p in people], Choices(size=64, width="light", start="scratch", batch=1))
    first = Plateau(2)
    # previews at 2 and 4; the last checkpoint is that of 4
    train(begun, run, Limits(iterations=4, preview_every=2), stop=first.reached, judge=Falling(first))
    assert (first.best, first.best_at, first.since) == (48, 2, 1)
    second = Plateau(2)
    second.recall(run)
    assert (second.best, second.best_at, second.since) == (48, 2, 1)
    judge = Falling(second)
    result = train(start.resume(run, []), run, Limits(iterations=50, preview_every=2), stop=second.reached, judge=judge)
    # one more preview without a rise is the second in a row, as in a run that was never stopped
    assert judge.seen == [6]
    assert result.iteration == 6


def test_only_what_the_checkpoint_has_seen_counts(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "000004").mkdir(parents=True)
    lines = [(2, 40.0), (4, 90.0), (2, 41.0), (4, 30.0), (6, 99.0)]  # 2 and 4 were trained twice, 6 was lost
    text = [json.dumps({"iteration": k, "score": score, "losses": {}}) for k, score in lines]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*text[:4], '{"iteration": 4, "losses": {}}', "cut", text[4]]) + "\n")
    plateau = Plateau(2)
    plateau.recall(tmp_path)
    assert (plateau.best, plateau.best_at, plateau.since) == (41, 2, 1)
    (tmp_path / "empty").mkdir()
    plateau.recall(tmp_path / "empty")
    assert plateau.best == 41

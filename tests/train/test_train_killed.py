"""SIGKILL at random moments of training: no checkpoint is lost, and the run ends as an unbroken one, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bianlian.errors import OutputError, RunError
from bianlian.faceset.journal import exclusive
from bianlian.train import start
from bianlian.train.checkpoint import list_checkpoints, load_checkpoint, newest
from bianlian.train.loop import Limits, train
from bianlian.train.start import Choices
from faults import finished, killed, moments, server
from made_faces import make_faceset


def learn(folder: Path, people: list[Path], iterations: int) -> None:
    """Begin or go on with a run, as the command does."""
    torch.set_num_threads(1)
    if (folder / "run.toml").exists():
        begun = start.resume(folder, [])
    else:
        begun = start.begin(folder, people, Choices(size=64, width="light", start="scratch", batch=1, precision="32-true"))
    train(begun, folder, Limits(iterations=iterations, preview_every=3, save_every=3, log_every=1))


def test_train_killed_again_and_again_ends_bit_for_bit_as_an_unbroken_run(tmp_path: Path) -> None:
    people = [make_faceset(tmp_path / name, name, hue=k, seed=k).path for k, name in enumerate(("ana", "ben"))]
    context, out, steps = server(), tmp_path / "run", 7
    whole = finished(context, learn, (tmp_path / "unbroken", people, steps))
    last = 0
    for moment in moments(whole, seed=2):
        killed(context, learn, (out, people, steps), moment)
        now = load_checkpoint(newest(out)).iteration if list_checkpoints(out) else 0
        assert now >= last, "a checkpoint that was there is gone"
        last = now
    finished(context, learn, (out, people, steps))
    one, other = load_checkpoint(newest(out)), load_checkpoint(newest(tmp_path / "unbroken"))
    assert one.iteration == other.iteration == steps
    for mine, theirs in ((one.networks, other.networks), (one.average, other.average), (one.optimizer, other.optimizer)):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    lines = [(run / "metrics.jsonl").read_text().count('"iteration"') for run in (out, tmp_path / "unbroken")]
    assert lines[0] == lines[1] == steps
    assert not [p for p in (out / "checkpoints").iterdir() if p.name.startswith(".")], "a killed run's part is left"


def test_a_run_killed_before_its_first_checkpoint_begins_anew_and_one_in_use_is_left_alone(tmp_path: Path) -> None:
    people = [make_faceset(tmp_path / name, name, hue=k, seed=k).path for k, name in enumerate(("ana", "ben"))]
    out = tmp_path / "run"
    out.mkdir()
    (out / ".0123456789ab.part.toml").write_text("half a lin")  # killed while it wrote its settings
    begun = start.begin(out, people, Choices(size=64, width="light", start="scratch", batch=1))
    again = start.resume(out, [])
    assert (again.resumed, again.run) == (False, begun.run)
    with pytest.raises(RunError, match="no checkpoint yet"):
        newest(out)
    train(again, out, Limits(iterations=1))
    assert int(newest(out).name) == 1
    assert not (out / ".0123456789ab.part.toml").exists()
    with exclusive(out / "run.toml"), pytest.raises(OutputError, match="another run is writing it"):
        train(start.resume(out, []), out, Limits(iterations=2))

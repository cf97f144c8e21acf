"""Real training runs of a small network on drawn faces."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bianlian.errors import ConfigError, NoFaceError, RunError
from bianlian.faceset.store import Faceset
from bianlian.model.deepfake import Deepfake
from bianlian.model.protocol import Batch, Engine
from bianlian.train import loop, start
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.checkpoint import list_checkpoints, load_checkpoint, load_snapshot, newest
from bianlian.train.loop import Limits, train
from bianlian.train.run import RunConfig, entries, open_run, person_index
from bianlian.train.settings import TrainSettings
from bianlian.train.start import Begun
from made_faces import make_faceset

pytestmark = pytest.mark.usefixtures("slim")


@pytest.fixture
def people(tmp_path: Path) -> list[Faceset]:
    return [make_faceset(tmp_path / name, name, hue=k, seed=k) for k, name in enumerate(("ana", "ben"))]


def config(people: list[Faceset], **changes: object) -> RunConfig:
    run = RunConfig(
        model="deepfake",
        people=entries(people),
        settings={"size": 64, "width": "light", "lr": 3e-4},
        augment=AugmentConfig(),
        batch=2,
        precision="32-true",
        start="scratch",
        seed=3,
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def run(folder: Path, people: list[Faceset], iterations: int, resume: bool = False, **more: object) -> int:
    if resume:
        begun = start.resume(folder, [])
    else:
        config(people).save(folder)
        begun = Begun(open_run(folder), people, None, resumed=False)
    limits = Limits(iterations=iterations, preview_every=4, save_every=4, log_every=2)
    return train(begun, folder, limits, **more).iteration  # type: ignore[arg-type]


def test_resume_equals_an_unbroken_run_bit_for_bit(tmp_path: Path, people: list[Faceset]) -> None:
    assert run(tmp_path / "whole", people, 9) == 9
    steps = iter(range(100))
    assert run(tmp_path / "broken", people, 9, stop=lambda: next(steps) >= 5) == 5
    assert run(tmp_path / "broken", people, 9, resume=True) == 9
    whole, broken = (load_checkpoint(newest(tmp_path / name)) for name in ("whole", "broken"))
    for part in ("networks", "average", "optimizer"):
        a, b = getattr(whole, part), getattr(broken, part)
        assert a.keys() == b.keys()
        for name in a:
            assert torch.equal(a[name], b[name]), f"{part} {name}"


def test_a_run_leaves_what_the_design_names(tmp_path: Path, people: list[Faceset]) -> None:
    folder = tmp_path / "run"
    run(folder, people, 6)
    assert sorted(p.name for p in (folder / "previews").iterdir()) == ["000000.png", "000004.png", "000006.png"]
    picture = cv2.imread(str(folder / "previews" / "000006.png"))
    assert picture is not None
    assert picture.shape == (2 * 4 * 64, 3 * 64, 3)  # two people of four faces; the face and two drawn ones
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["iteration"] for r in rows] == [1, 2, 4, 6]
    assert {"l1", "structural", "edge", "total", "total/ana", "total/ben"} <= set(rows[0]["losses"])
    assert any((folder / "log").iterdir())
    assert open_run(folder) == config(people)


def test_previews_are_never_overwritten_and_metrics_go_on_from_the_checkpoint(tmp_path: Path, people: list[Faceset]) -> None:
    folder = tmp_path / "run"
    run(folder, people, 4)
    before = (folder / "previews" / "000004.png").read_bytes()
    with (folder / "metrics.jsonl").open("a") as file:  # lines of a run that crashed after its last checkpoint
        file.write('{"iteration": 6, "seconds": 1, "losses": {}}\n{"iteration": 8, "sec')
    run(folder, people, 6, resume=True)
    assert (folder / "previews" / "000004.png").read_bytes() == before
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["iteration"] for r in rows] == [1, 2, 4, 5, 6]


@pytest.mark.slow
def test_training_learns_to_draw_each_person(tmp_path: Path, people: list[Faceset], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the networks as they are
    folder = tmp_path / "run"
    settings = config(people, batch=4)
    settings.save(folder)
    train(Begun(settings, people, None, resumed=False), folder, Limits(iterations=120, preview_every=1000, save_every=1000))
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["losses"]["total"] < 0.6 * rows[0]["losses"]["total"]
    model = settings.build()
    model.networks.load_state_dict(load_checkpoint(newest(folder)).average)
    maker = BatchMaker(People(people), 64, 1, AugmentConfig(), 0)
    face = maker.portraits(0)
    inner = (..., slice(24, 40), slice(24, 40))
    with torch.no_grad():
        as_ana, as_ben = (model.path(k)(face)[inner].mean((0, 2, 3)) for k in range(2))
    skin = [maker.portraits(k)[inner].mean((0, 2, 3)) for k in range(2)]
    assert float((as_ana - skin[0]).abs().sum()) < float((as_ana - skin[1]).abs().sum())
    assert float((as_ben - skin[1]).abs().sum()) < float((as_ben - skin[0]).abs().sum())


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_state(
    tmp_path: Path, people: list[Faceset], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, count = Deepfake.step, iter(range(100))

    def broken(self: Deepfake, batch: object, engine: object) -> dict[str, torch.Tensor]:
        losses = original(self, batch, engine)  # type: ignore[arg-type]
        return {name: value * np.nan if next(count) > 40 else value for name, value in losses.items()}

    monkeypatch.setattr(Deepfake, "step", broken)
    with pytest.raises(RunError, match=r"'l1' was no number again at iteration .*, after 4 setbacks in a row"):
        run(tmp_path / "run", people, 50)
    good = load_checkpoint(newest(tmp_path / "run"))
    assert all(bool(torch.isfinite(v).all()) for v in good.networks.values())


@pytest.mark.parametrize("planted", ["loss", "weight"])
def test_one_planted_nan_throws_the_run_back_and_it_goes_on_slower(
    planted: str, tmp_path: Path, people: list[Faceset], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, count, said = Deepfake.step, iter(range(100)), list[str]()

    def broken(self: Deepfake, batch: object, engine: Engine) -> dict[str, torch.Tensor]:
        losses = original(self, batch, engine)  # type: ignore[arg-type]
        if next(count) == 6:  # the seventh step: iteration 7, after the checkpoint of iteration 4
            if planted == "loss":
                return {name: value * np.nan for name, value in losses.items()}
            next(self.networks.parameters()).data[0, 0, 0, 0] = np.nan
        return losses

    monkeypatch.setattr(Deepfake, "step", broken)
    assert run(tmp_path / "run", people, 9, note=said.append) == 9
    assert len(said) == 1
    assert "back to iteration 4, on with other faces and 0.5 of the learning rate" in said[0]
    good = load_checkpoint(newest(tmp_path / "run"))
    assert good.setbacks == 1
    assert all(bool(torch.isfinite(v).all()) for part in (good.networks, good.average) for v in part.values())
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [r["iteration"] for r in rows] == [1, 2, 4, 6, 8]
    rates = [r["rate"] for r in rows]
    # warm-up: step n has n / 20 of the rate; after the setback half of that
    assert rates == pytest.approx([1 / 20, 2 / 20, 4 / 20, 6 / 20 / 2, 8 / 20 / 2])


def test_batches_added_up_train_as_one_large_batch(tmp_path: Path, people: list[Faceset]) -> None:
    ends = {}
    for name, batch, parts in (("large", 4, 1), ("small", 2, 2)):
        settings = config(people, batch=batch, training=TrainSettings(accumulate=parts))
        settings.save(tmp_path / name)
        train(Begun(settings, people, None, resumed=False), tmp_path / name, Limits(iterations=3, log_every=1))
        rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        ends[name] = [r["losses"]["total"] for r in rows]
    assert ends["small"] == pytest.approx(ends["large"], rel=1e-4)
    assert len(ends["small"]) == 3


def test_backups_and_snapshots_stay(tmp_path: Path, people: list[Faceset]) -> None:
    folder = tmp_path / "run"
    settings = config(people)
    settings.save(folder)
    limits = Limits(iterations=9, save_every=2, backup_every=3, snapshot_every=4)
    train(Begun(settings, people, None, resumed=False), folder, limits)
    # the newest two are 8 and 9; of the older ones 3 and 6 are multiples of three
    assert [p.name for p in list_checkpoints(folder)] == ["000003", "000006", "000008", "000009"]
    assert sorted(p.name for p in (folder / "snapshots").iterdir()) == ["000004.safetensors", "000008.safetensors"]
    saved, kept = load_snapshot(folder, 8), load_checkpoint(folder / "checkpoints" / "000008").average
    assert saved.keys() == kept.keys()
    for name in kept:
        torch.testing.assert_close(saved[name], kept[name], rtol=1e-3, atol=1e-6)
    with pytest.raises(RunError, match="no snapshot of iteration 5; there are: 4, 8"):
        load_snapshot(folder, 5)


def test_without_an_average_swaps_use_the_weights_themselves(tmp_path: Path, people: list[Faceset]) -> None:
    settings = config(people, training=TrainSettings(average=0.0))
    settings.save(tmp_path / "run")
    train(Begun(settings, people, None, resumed=False), tmp_path / "run", Limits(iterations=2))
    end = load_checkpoint(newest(tmp_path / "run"))
    assert all(torch.equal(end.networks[name], end.average[name]) for name in end.networks)


def test_the_weaker_person_gets_more_faces_and_a_resumed_run_too(
    tmp_path: Path, people: list[Faceset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "fair_shares", lambda *_: (0.25, 0.75))
    sizes, original = list[tuple[int, ...]](), Deepfake.step

    def watched(self: Deepfake, batch: list[Batch], engine: Engine) -> dict[str, torch.Tensor]:
        sizes.append(tuple(len(b.truth) for b in batch))
        return original(self, batch, engine)

    monkeypatch.setattr(Deepfake, "step", watched)
    settings = config(people, batch=4, training=TrainSettings(balance=1.0, balance_every=9))
    settings.save(tmp_path / "run")
    train(Begun(settings, people, None, resumed=False), tmp_path / "run", Limits(iterations=4))
    train(start.resume(tmp_path / "run", []), tmp_path / "run", Limits(iterations=5))
    # 8 faces a step: one each, and of the other six 1.5 and 4.5, the larger remainder (a tie) going to the first
    assert sizes == [(3, 5)] * 5 or sizes == [(2, 6)] * 5


def test_a_model_is_told_which_share_of_the_minutes_is_over(
    tmp_path: Path, people: list[Faceset], monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks, now, plain = [], iter(range(0, 1000, 5)), Deepfake.step  # each look at the watch is five seconds later

    def step(self: Deepfake, batch: list[Batch], engine: Engine) -> dict[str, torch.Tensor]:
        clocks.append(engine.clock)
        return plain(self, batch, engine)

    monkeypatch.setattr(Deepfake, "step", step)
    run(tmp_path / "counted", people, 2)
    assert clocks == [0, 0]
    monkeypatch.setattr(loop, "monotonic", lambda: float(next(now)))
    clocks.clear()
    config(people).save(tmp_path / "timed")
    begun = Begun(open_run(tmp_path / "timed"), people, None, resumed=False)
    done = train(begun, tmp_path / "timed", Limits(minutes=1, log_every=100))
    assert done.iteration >= 4
    assert clocks == sorted(clocks)
    # looks at the watch: begin, over?, clock; the first line of the log, over?, clock
    assert clocks[:2] == pytest.approx([10 / 60, 25 / 60])
    clocks.clear()
    train(start.resume(tmp_path / "timed", []), tmp_path / "timed", Limits(minutes=1, log_every=100))
    assert clocks[0] == pytest.approx((done.seconds + 10) / (done.seconds + 60))  # half of the minutes were before


def test_batches_depend_on_seed_and_iteration_alone(people: list[Faceset]) -> None:
    def maker(seed: int) -> BatchMaker:
        return BatchMaker(People(people), 64, 3, AugmentConfig(), seed)

    first, again, other = maker(1).make(7), maker(1).make(7), maker(2).make(7)
    assert torch.equal(first[0].warped, again[0].warped)
    assert torch.equal(first[1].truth, again[1].truth)
    assert not torch.equal(first[0].warped, other[0].warped)
    assert first[0].warped.shape == first[0].truth.shape == (3, 3, 64, 64)
    assert first[0].weight.shape == (3, 1, 64, 64)


def test_batches_say_what_is_hidden_and_where_the_bare_face_is(people: list[Faceset]) -> None:
    hidden = BatchMaker(People(people), 64, 6, AugmentConfig(occlude=1.0), 0).make(1)[0]
    assert hidden.hidden is not None
    assert hidden.bare is not None
    assert hidden.hidden.shape == hidden.bare.shape == (6, 1, 64, 64)
    assert float(hidden.hidden.max()) == 1
    assert float(hidden.bare.max()) == 1
    assert float((hidden.hidden + hidden.bare).max()) <= 1 + 1e-6
    assert float(hidden.bare[hidden.weight < 0.11].max()) < 0.02  # a weight of 0.1 lies beside the face
    plain = BatchMaker(People(people), 64, 6, AugmentConfig(), 0).make(1)[0]
    assert plain.hidden is None
    assert plain.bare is None


def test_an_empty_faceset_is_refused(tmp_path: Path) -> None:
    faceset = make_faceset(tmp_path / "none", "nobody", count=0)
    with pytest.raises(NoFaceError, match="no kept face of nobody"):
        People([faceset])


@pytest.mark.parametrize("settings", [{"iterations": 0}, {"minutes": 0.0}, {"preview_every": 0}])
def test_limits_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Limits(**settings)  # type: ignore[arg-type]


def test_unknown_people_and_folders_that_are_no_run(tmp_path: Path, people: list[Faceset]) -> None:
    with pytest.raises(RunError, match=r"there is no run\.toml"):
        open_run(tmp_path)
    config(people).save(tmp_path / "run")
    with pytest.raises(RunError, match="nobody called 'cleo'; it knows: ana, ben"):
        person_index(open_run(tmp_path / "run"), "cleo", tmp_path / "run")
    text = (tmp_path / "run" / "run.toml").read_text()
    (tmp_path / "run" / "run.toml").write_text(text.replace("schema = 1", "schema = 2"))
    with pytest.raises(RunError, match="schema 2"):
        open_run(tmp_path / "run")
    (tmp_path / "run" / "run.toml").write_text(text.replace("batch = 2", "bacth = 2"))
    with pytest.raises(RunError, match="unknown setting 'bacth'"):
        open_run(tmp_path / "run")

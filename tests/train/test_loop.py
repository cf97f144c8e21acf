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
from bianlian.train import start
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.checkpoint import load_checkpoint, newest
from bianlian.train.loop import Limits, train
from bianlian.train.run import RunConfig, entries, open_run, person_index
from bianlian.train.start import Begun
from made_faces import make_faceset


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
def test_training_learns_to_draw_each_person(tmp_path: Path, people: list[Faceset]) -> None:
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
    with pytest.raises(RunError, match="no number any more"):
        run(tmp_path / "run", people, 50)
    good = load_checkpoint(newest(tmp_path / "run"))
    assert all(bool(torch.isfinite(v).all()) for v in good.networks.values())


def test_batches_depend_on_seed_and_iteration_alone(people: list[Faceset]) -> None:
    def maker(seed: int) -> BatchMaker:
        return BatchMaker(People(people), 64, 3, AugmentConfig(), seed)

    first, again, other = maker(1).make(7), maker(1).make(7), maker(2).make(7)
    assert torch.equal(first[0].warped, again[0].warped)
    assert torch.equal(first[1].truth, again[1].truth)
    assert not torch.equal(first[0].warped, other[0].warped)
    assert first[0].warped.shape == first[0].truth.shape == (3, 3, 64, 64)
    assert first[0].weight.shape == (3, 1, 64, 64)


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

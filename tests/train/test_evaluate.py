"""Both directions of a run, judged: networks whose figures are known beforehand, and the command on a real run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bianlian.cli import main
from bianlian.faceset.store import Faceset
from bianlian.train import evaluate as module
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.checkpoint import Checkpoint, save_checkpoint
from bianlian.train.evaluate import Direction, Eyes, evaluate, told
from bianlian.train.run import RunConfig, entries
from bianlian.types import Face, Image, Landmarks
from known_models import Known, Towards
from made_faces import make_faceset


class MeanColour:
    """Describes a face by its mean colour."""

    same = 0.1

    def describe(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
        return np.stack([image.mean((0, 1)) / 255 for _ in faces])


class Marks:
    """Marks a face where it says it is, moved by ten pixels: a move is no change of expression."""

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        marked: list[Face | None] = []
        for face in faces:
            assert face.landmarks is not None
            marked.append(Face(face.box, 1.0, Landmarks(face.landmarks.points + 10, "ibug68")))
        return marked


@pytest.fixture
def people(tmp_path: Path) -> list[Faceset]:
    return [make_faceset(tmp_path / name, name, hue=k, seed=k, count=40) for k, name in enumerate(("ana", "ben"))]


def judged(
    folder: Path, people: list[Faceset], shares: tuple[float, float], eyes: Eyes | None, monkeypatch: pytest.MonkeyPatch
) -> list[Direction]:
    run = RunConfig("deepfake", entries(people), {"size": 64}, AugmentConfig(), 2, "32-true", "scratch", 0)
    run.save(folder)
    maker = BatchMaker(People(people, 0.1), 64, 2, AugmentConfig(), 0)
    model = Known([Towards(maker.portraits(p).mean(0, keepdim=True), share) for p, share in enumerate(shares)])
    state = model.networks.state_dict()
    save_checkpoint(folder, Checkpoint(1, 0.0, state, state, {}))
    monkeypatch.setattr(RunConfig, "build", lambda self: model)
    return evaluate(folder, people, eyes=eyes)


def test_figures_of_known_networks(tmp_path: Path, people: list[Faceset], monkeypatch: pytest.MonkeyPatch) -> None:
    eyes = Eyes(MeanColour(), Marks())
    found = {(d.source, d.target): d for d in judged(tmp_path / "run", people, (0.0, 0.25), eyes, monkeypatch)}
    ana, ben = found["ana", "ben"], found["ben", "ana"]
    assert (ana.faces, ana.held_out) == (4, True)  # a tenth of one stretch of 40
    # ana's decoder copies: nothing of her is undrawn; ben's leaves a quarter of the way to his mean face
    assert ana.undrawn == pytest.approx(0, abs=1e-6)
    assert ben.undrawn == pytest.approx(0.25, abs=1e-4)
    # ben's frames through her copy and back through his decoder: the same quarter is lost
    assert ana.lost == pytest.approx(0.25, abs=1e-4)
    # a copy of ben's frame is ben's frame, at place 0 of the way to ana
    assert ana.likeness == pytest.approx(0, abs=1e-3)
    assert ben.likeness is not None
    assert ben.likeness > 0.1
    assert ana.expression == pytest.approx(0, abs=1e-6)


def test_who_draws_only_means_has_the_likeness_and_nothing_else(
    tmp_path: Path, people: list[Faceset], monkeypatch: pytest.MonkeyPatch
) -> None:
    for d in judged(tmp_path / "run", people, (1.0, 1.0), Eyes(MeanColour(), Marks()), monkeypatch):
        assert d.undrawn == pytest.approx(1, abs=1e-4)
        assert d.likeness is not None
        assert d.likeness > 0.8  # the centre leaves the farthest tenth out, so the mean face is near it, not on it


def test_without_the_networks_that_judge_the_rest_is_told(
    tmp_path: Path, people: list[Faceset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_eyes", lambda fetch: None)
    found = judged(tmp_path / "run", people, (0.5, 0.0), None, monkeypatch)
    assert all(d.likeness is None and d.expression is None for d in found)
    lines = told(found)
    assert "ana's face on 4 held-out frames of ben: 50 % of ana undrawn" in "".join(lines)
    # ana's decoder is the worse one, and so both the faces it draws and the frames that go back through it
    assert len(lines) == 3
    assert lines[-1].startswith("weakest: ")


@pytest.mark.weights
def test_the_command_judges_a_run_and_writes_it_down(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(trained), "-o", str(tmp_path / "judged.json")]) == 0
    out = capsys.readouterr().out
    assert "ana's face on 6 seen frames of ben" in out
    rows: list[dict[str, Any]] = json.loads((tmp_path / "judged.json").read_text())
    assert [(r["source"], r["target"]) for r in rows] == [("ben", "ana"), ("ana", "ben")]
    assert all(0 < r["undrawn"] < 20 for r in rows)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(tmp_path)]) == 2
    assert "is not a training run" in capsys.readouterr().err

"""A trained person is fitted to the footage as a recogniser asks, and kept like their faceset; else they stay as trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bianlian import align
from bianlian.errors import ConfigError, WeightsError
from bianlian.swap import liken as module
from bianlian.swap import swapper as swapping
from bianlian.swap.liken import LEAST
from bianlian.swap.meet import Meets, Met
from bianlian.swap.settings import SwapSettings
from bianlian.swap.swapper import TrainedSwapper, open_swapper
from bianlian.train.run import open_run

QUIET: dict[str, Any] = {"progress": lambda _, k, n: None}


def met(count: int) -> list[Met]:
    rng = np.random.default_rng(0)
    return [Met(rng.integers(60, 180, (64, 64, 3)).astype(np.uint8), align.template("ibug68", 64)) for _ in range(count)]


def test_who_is_left_as_trained_asks_for_nothing(trained: Path) -> None:
    assert not isinstance(open_swapper(trained, "ana", likeness=LEAST, threads=1), Meets)
    assert isinstance(open_swapper(trained, "ana", threads=1), Meets)
    with pytest.raises(ConfigError, match=r"likeness must lie in \[-2, 1\]"):
        open_swapper(trained, "ana", likeness=2.0)


@pytest.mark.weights
def test_a_trained_person_is_moved_until_the_recogniser_is_content(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALIKE", 10.0)
    monkeypatch.setattr(module, "STEPS", 2)
    monkeypatch.setattr(module, "HALVINGS", 1)
    notes, faces = list[str](), met(3)
    eager = open_swapper(trained, "ana", likeness=1.0, threads=1)
    assert isinstance(eager, TrainedSwapper)
    drawing = eager.meet(faces, SwapSettings(), note=notes.append, **QUIET)
    assert not isinstance(drawing, Meets)
    assert (drawing.person, drawing.size) == ("ana", 64)
    assert notes[0].startswith("ana: a recogniser finds nine new faces in ten nearer to the source than ")
    crops = np.stack([face.crop for face in faces])
    assert (drawing.swap(crops)[0] != eager.swap(crops)[0]).any()
    content = open_swapper(trained, "ana", likeness=-1.0, threads=1)
    assert isinstance(content, TrainedSwapper)
    assert content.meet(faces, SwapSettings(), note=notes.append, **QUIET) is content


def test_somebody_else_s_faceset_in_its_place_is_not_used(trained: Path) -> None:
    notes, swapper = list[str](), open_swapper(trained, "ana", threads=1)
    assert isinstance(swapper, TrainedSwapper)
    other = Path(open_run(trained).people[1].faceset)
    swapper._school = replace(swapper._school, faceset=other)
    assert swapper.meet(met(1), SwapSettings(), note=notes.append, **QUIET) is swapper
    assert notes[0].endswith(f"not fitted to the footage: {other} holds ben now, wanted ana")


def test_without_the_faceset_or_the_recogniser_they_are_swapped_as_trained(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "run"
    moved.mkdir()
    for entry in trained.iterdir():
        (moved / entry.name).symlink_to(entry)
    (moved / "run.toml").unlink()
    text, notes = (trained / "run.toml").read_text(), list[str]()
    (moved / "run.toml").write_text(text.replace('faceset = "', f'faceset = "{tmp_path}/away'))
    swapper = open_swapper(moved, "ana", threads=1)
    assert isinstance(swapper, TrainedSwapper)
    assert swapper.meet(met(1), SwapSettings(), note=notes.append, **QUIET) is swapper
    assert notes[0].startswith("ana is swapped as trained, not fitted to the footage: ")
    assert str(tmp_path / "away") in notes[0]

    def none() -> None:
        raise WeightsError("no network here")

    monkeypatch.setattr(swapping, "load_refiner", none)
    swapper = open_swapper(trained, "ana", threads=1)
    assert isinstance(swapper, TrainedSwapper)
    assert swapper.meet(met(1), SwapSettings(), note=notes.append, **QUIET) is swapper
    assert notes[1].endswith("not fitted to the footage: no network here")

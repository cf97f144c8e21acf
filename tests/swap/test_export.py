"""``bianlian export`` on a small run: files, their card, and refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bianlian.cli import main
from bianlian.errors import OutputError
from bianlian.runtime import compile_file
from bianlian.swap import export as module
from bianlian.swap.export import export
from bianlian.swap.swapper import open_swapper


@pytest.mark.parametrize("name", ["ana.onnx", "ana.xml"])
def test_an_exported_person_is_the_one_that_swaps_draw(name: str, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "nets" / name
    assert main(["export", str(trained), "--to", "ana", "-o", str(out)]) == 0
    card = json.loads(out.with_name(name + ".json").read_text())
    assert card["person"] == "ana"
    assert card["size"] == 64
    assert card["consent"] == "drawn, nobody"
    assert card["difference"] <= 1e-4
    crops = np.random.default_rng(3).integers(0, 256, (5, 64, 64, 3), np.uint8)
    wanted = open_swapper(trained, "ana").swap(crops)[0]
    drawn = compile_file(out)(np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32) / np.float32(255))[0]
    faces = np.clip(drawn.transpose(0, 2, 3, 1) * 255 + 0.5, 0, 255).astype(np.uint8)
    assert np.abs(faces.astype(int) - wanted).max() <= 1
    assert compile_file(out).shapes == ((-1, 3, 64, 64),)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "cleo", "-o", "x.onnx"], "it knows: ana, ben"),
        (["--to", "ana", "-o", "x.tflite"], "writes .onnx and .xml (OpenVINO) files, not '.tflite'"),
        (["--to", "ana", "-o", "x.onnx", "--weights", "int8"], "write an .xml file for int8"),
        (["--to", "ana", "-o", "x.xml", "--at", "7"], "no snapshot of iteration 7; there are: none"),
    ],
)
def test_what_cannot_be_exported_is_said(
    words: list[str],
    message: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(trained), *words]) == 2
    assert message in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_file_that_draws_otherwise_is_an_error(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOLERANCE", {"int8": 0.0})
    with pytest.raises(OutputError, match="from the network it was made of, more than 0"):
        export(trained, "ana", tmp_path / "x.xml", weights="int8")

"""Every model of the table exports to every format and draws the same pictures within the stated tolerance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bianlian import plugins
from bianlian.model.protocol import Trainable
from bianlian.swap.export import TOLERANCE, Weights, compared, write_module

FORMATS: list[tuple[str, Weights]] = [(".onnx", "f32"), (".xml", "f32"), (".xml", "f16"), (".xml", "int8")]


@pytest.fixture(scope="module", params=plugins.names("model"))
def model(request: pytest.FixtureRequest) -> Trainable:
    kind: Any = plugins.load("model", request.param)
    made: Trainable = kind(kind.Config(size=64), ("ana", "ben"), torch.Generator().manual_seed(0))
    return made


@pytest.mark.parametrize(("suffix", "weights"), FORMATS)
def test_export_and_eager_agree(model: Trainable, suffix: str, weights: Weights, tmp_path: Path) -> None:
    path, out = model.path(1).eval(), tmp_path / f"net{suffix}"
    write_module(path, model.size, out, weights)
    assert compared(path, model.size, out) <= TOLERANCE[weights]
    assert sorted(p.suffix for p in tmp_path.iterdir()) == ([".onnx"] if suffix == ".onnx" else [".bin", ".xml"])
    if weights != "f32":  # the weights themselves shrink: from four bytes to two or one
        floats = 4 * sum(p.numel() for p in path.parameters())
        assert out.with_suffix(".bin").stat().st_size < {"f16": 0.55, "int8": 0.35}[weights] * floats


def test_other_weights_are_seen(model: Trainable, tmp_path: Path) -> None:
    out = tmp_path / "net.xml"
    write_module(model.path(0).eval(), model.size, out, "f32")
    assert compared(model.path(1).eval(), model.size, out) > TOLERANCE["int8"]

"""Networks through OpenVINO: the same numbers as torch, results of the caller's own, nobody told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bianlian.errors import ConfigError, InputError, WeightsError
from bianlian.runtime import compile_file, compile_module
from bianlian.weights import CARDS, locate


class Two(nn.Module):
    """Two inputs, two outputs, with layers that the project's models use."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(8), nn.InstanceNorm2d(8), nn.PixelShuffle(2))

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        y = self.layers(a)
        return y, y.mean((2, 3)) + b


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return Two()


@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_module_gives_what_torch_gives(module: nn.Module, threads: int) -> None:
    network = compile_module(module, (2, 3, 8, 8), (2, 2), threads=threads)
    a, b = (np.random.default_rng(0).normal(size=s).astype(np.float32) for s in ((2, 3, 8, 8), (2, 2)))
    with torch.no_grad():
        wanted = module(torch.from_numpy(a), torch.from_numpy(b))
    for ours, theirs in zip(network(a, b), wanted, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


def test_dynamic_batch_takes_any_number(module: nn.Module) -> None:
    network = compile_module(module, (1, 3, 8, 8), (1, 2), dynamic_batch=True)
    assert network.shapes == ((-1, 3, 8, 8), (-1, 2))
    for n in (1, 5, 2):
        y, z = network(np.zeros((n, 3, 8, 8), np.float32), np.zeros((n, 2), np.float32))
        assert (y.shape, z.shape) == ((n, 2, 16, 16), (n, 2))


def test_results_are_not_overwritten_by_the_next_call(module: nn.Module) -> None:
    network = compile_module(module, (1, 3, 8, 8), (1, 2))
    rng = np.random.default_rng(1)
    first = network(rng.normal(size=(1, 3, 8, 8)).astype(np.float32), np.zeros((1, 2), np.float32))
    kept = [x.copy() for x in first]
    network(rng.normal(size=(1, 3, 8, 8)).astype(np.float32), np.ones((1, 2), np.float32))
    for before, after in zip(kept, first, strict=True):
        np.testing.assert_array_equal(before, after)


def test_compiling_leaves_the_module_as_it_was(module: nn.Module) -> None:
    module.train()
    compile_module(module, (1, 3, 8, 8), (1, 2))
    assert module.training


@pytest.mark.parametrize("shapes", [((1, 3, 8, 9), (1, 2)), ((1, 3, 8, 8),), ((3, 8, 8), (1, 2))])
def test_other_shapes_are_refused(module: nn.Module, shapes: tuple[tuple[int, ...], ...]) -> None:
    network = compile_module(module, (1, 3, 8, 8), (1, 2))
    with pytest.raises(InputError, match="takes inputs of shape"):
        network(*(np.zeros(s, np.float32) for s in shapes))


def test_settings_out_of_range_are_refused(module: nn.Module) -> None:
    with pytest.raises(ConfigError, match="threads"):
        compile_module(module, (1, 3, 8, 8), (1, 2), threads=0)
    with pytest.raises(ConfigError, match="f32 or bf16"):
        compile_module(module, (1, 3, 8, 8), (1, 2), precision="f16")  # type: ignore[arg-type]


def test_bf16_is_only_used_where_the_processor_has_it(module: nn.Module) -> None:
    network = compile_module(module, (1, 3, 8, 8), (1, 2), precision="bf16")
    assert network.precision in ("f32", "bf16")
    y, _ = network(np.ones((1, 3, 8, 8), np.float32), np.zeros((1, 2), np.float32))
    assert np.isfinite(y).all()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"no model")
    with pytest.raises(WeightsError, match="does not load as a model"):
        compile_file(tmp_path / "x.tflite")


@pytest.mark.weights
def test_a_model_file_compiles_and_its_batch_can_be_changed() -> None:
    path = locate(CARDS["facemesh"])
    assert compile_file(path).shapes == ((1, 192, 192, 3),)
    mesh, presence = compile_file(path, shapes={0: (2, 192, 192, 3)})(np.zeros((2, 192, 192, 3), np.float32))
    assert (mesh.size, presence.size) == (2 * 1404, 2)


def test_openvino_tells_nobody_that_it_is_used(tmp_path: Path) -> None:
    """A fresh process with an empty home: importing OpenVINO as the project does leaves no file and opens no connection."""
    code = (
        "import socket\n"
        "def refuse(*_): raise SystemExit('a connection was opened')\n"
        "socket.socket.connect = refuse\n"
        "from bianlian.runtime import import_openvino\n"
        "import_openvino().Core()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []

"""Perceptual networks: four maps each, gradients for the picture, and what a file of weights must hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bianlian import align
from bianlian.errors import ConfigError, WeightsError
from bianlian.geometry import apply, compose
from bianlian.identity import dlib
from bianlian.model.perceptual import dlib_view, open_perceptual
from bianlian.types import Landmarks

SIDES = {"base": (64, 32, 16, 4), "dlib": (72, 35, 17, 4), "vgg16": (112, 56, 28, 7), "vggface": (112, 56, 28, 7)}


@pytest.mark.parametrize("name", ["base", pytest.param("dlib", marks=pytest.mark.weights)])
@pytest.mark.parametrize("size", [64, 128, 256])
def test_four_maps_and_a_gradient_for_the_picture_alone(name: str, size: int) -> None:
    network = open_perceptual(name, "")
    picture = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    maps = network(picture)
    assert [(len(m), m.shape[2]) for m in maps] == [(2, side) for side in SIDES[name]]
    torch.stack([m.mean() for m in maps]).sum().backward()  # type: ignore[no-untyped-call]
    assert picture.grad is not None
    assert float(picture.grad.abs().max()) > 0
    assert isinstance(network, nn.Module)
    assert not any(w.requires_grad for w in network.parameters())
    with pytest.raises(ConfigError, match="its own weights"):
        open_perceptual(name, "weights.safetensors")


def test_the_descriptor_sees_what_its_own_crop_would_show() -> None:
    # A grid of positions in the model's picture: the view must show those that the two crops' maps name.
    size = 128
    y, x = torch.meshgrid(torch.arange(size) / 255, torch.arange(size) / 255, indexing="ij")
    view = dlib_view(torch.stack([x, y, 0 * x])[None])[0, :2] * 255
    marks = align.template("ibug68", 512, 0.5)
    landmarks = Landmarks(marks, "ibug68")
    down = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, dlib.DOWN]])
    chip_from_frame = compose(down, align.crop_from_frame(landmarks, dlib.SIDE, dlib.COVERAGE))
    model_from_frame = align.crop_from_frame(landmarks, size)
    eyes = marks[36:48]
    for chip, model in zip(apply(chip_from_frame, eyes), apply(model_from_frame, eyes), strict=True):
        column, line = np.round(chip).astype(int)
        assert float(view[0, line, column]) == pytest.approx(model[0], abs=0.6)
        assert float(view[1, line, column]) == pytest.approx(model[1], abs=0.6)


def vgg_state(divide: int = 1) -> dict[str, torch.Tensor]:
    """Random weights under the names of the common layout."""
    state: dict[str, torch.Tensor] = {}
    channels, index, generator = 3, 0, torch.Generator().manual_seed(0)
    for stage in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
        for filters in stage:
            weight = torch.randn(filters // divide, channels, 3, 3, generator=generator) / channels**0.5 / 3
            state |= {f"features.{index}.weight": weight, f"features.{index}.bias": torch.zeros(filters // divide)}
            channels, index = filters // divide, index + 2
        index += 1
    return state


@pytest.mark.parametrize("name", ["vgg16", "vggface"])
def test_vgg_reads_a_file_of_the_users(name: str, tmp_path: Path) -> None:
    path = tmp_path / "vgg.safetensors"
    with pytest.raises(ConfigError, match="perceptual_file"):
        open_perceptual(name, str(path))
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="no safetensors"):
        open_perceptual(name, str(path))
    save_file(vgg_state(divide=2), path)
    with pytest.raises(WeightsError, match=r"features\.0\.weight of shape \(64, 3, 3, 3\)"):
        open_perceptual(name, str(path))
    save_file(vgg_state(), path)
    with torch.no_grad():
        maps = open_perceptual(name, str(path))(torch.rand(1, 3, 64, 64))
    assert [(m.shape[1], m.shape[2]) for m in maps] == list(zip((128, 256, 512, 512), SIDES[name], strict=True))

"""The pretrained mask inside models that draw a mask: a hand stays in front, the face stays open, and training does not move it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from mask_faces import hand, landmarks_of
from torch import Tensor

from bianlian import align
from bianlian.mask.hull import hull_mask, outline
from bianlian.model.gan import Gan
from bianlian.model.gan_config import GanConfig
from bianlian.model.octgan import OctGan
from bianlian.model.protocol import Batch, Engine
from bianlian.model.rgba import Rgba, RgbaConfig
from bianlian.model.visible import Visible
from bianlian.types import Frame

pytestmark = [pytest.mark.usefixtures("slim"), pytest.mark.weights]


@dataclass(frozen=True, eq=False)
class Hidden:
    """A crop with a hand before the face: (1, 3, S, S) in [0, 1]; where hand and bare face are, (S, S)."""

    crop: Tensor
    hand: np.ndarray
    bare: np.ndarray


def behind_hands(frames: list[Frame], size: int) -> list[Hidden]:
    rows = []
    for frame in frames:
        marks = landmarks_of(frame.index)
        thing, cover = hand(marks, (225, 175, 150))
        image = np.where(cover[..., None], thing, frame.image)
        there = align.crop_from_frame(marks, size)
        inside = hull_mask(outline(marks), (512, 512), erode=8, feather=0)
        grey = [np.repeat((m * 255).astype(np.uint8)[..., None], 3, 2) for m in (inside, cover)]
        face, front = (align.cut(g, there, size).image[..., 0] for g in grey)
        crop = torch.from_numpy(align.cut(image, there, size).image).permute(2, 0, 1)[None] / 255
        rows.append(Hidden(crop, (face > 250) & (front > 250), (face > 250) & (front < 5)))
    return rows


def model(kind: str, size: int, *, visible: bool) -> Any:
    generator = torch.Generator().manual_seed(0)
    if kind == "gan":
        return Gan(GanConfig(size=size, perceptual="none", visible=visible), ("ana",), generator)
    return Rgba(RgbaConfig(size=size, visible=visible), ("ana",), generator)


def opened(made: Any, rows: list[Hidden]) -> tuple[float, float]:
    """Mean of the model's own mask, before the hand and on the bare face."""
    path = made.path(0).eval()
    with torch.no_grad():
        masks = [path(row.crop)[0, 3].numpy() for row in rows]
    shut = [mask[row.hand].mean() for mask, row in zip(masks, rows, strict=True)]
    free = [mask[row.bare].mean() for mask, row in zip(masks, rows, strict=True)]
    return float(np.mean(shut)), float(np.mean(free))


@pytest.mark.parametrize("kind", ["gan", "rgba"])
@pytest.mark.parametrize("size", [64, 128])
def test_a_models_mask_keeps_a_hand_in_front_from_the_first_step_on(demo_frames: list[Frame], kind: str, size: int) -> None:
    rows = behind_hands(demo_frames, size)
    blind_hand, blind_face = opened(model(kind, size, visible=False), rows)
    assert min(blind_hand, blind_face) > 0.9  # a new mask is open everywhere
    seeing_hand, seeing_face = opened(model(kind, size, visible=True), rows)
    assert seeing_hand < 0.5 * blind_hand
    assert seeing_face > 0.9 * blind_face


@pytest.mark.parametrize("kind", ["gan", "rgba"])
def test_it_stands_still_while_the_model_trains_and_its_own_mask_moves(demo_frames: list[Frame], kind: str) -> None:
    made = model(kind, 64, visible=True)
    before = {name: value.clone() for name, value in made.networks.state_dict().items()}
    crops = torch.cat([row.crop for row in behind_hands(demo_frames, 64)] * 2)
    one = torch.ones(len(crops), 1, 64, 64)
    optimizer = torch.optim.Adam(made.parameter_groups())
    made.step([Batch(crops, crops, one, 0 * one, 0 * one, one)], Engine(made.networks, optimizer, torch.Tensor.backward, 0))
    moved = {name for name, value in made.networks.state_dict().items() if not torch.equal(value, before[name])}
    assert any("alpha" in name for name in moved)
    assert not any(name.startswith("visible.") for name in moved)


def test_a_picture_of_any_size_is_seen_alike(demo_frames: list[Frame]) -> None:
    net = Visible()
    net.load()
    small, large = (net(torch.cat([row.crop for row in behind_hands(demo_frames, size)])) for size in (64, 256))
    again = torch.nn.functional.avg_pool2d(large, 4)
    assert float((again - small).abs().mean()) < 0.04
    assert float((torch.roll(again, 1, 0) - small).abs().mean()) > 0.08  # of another picture


def test_new_light_runs_have_it_and_the_reference_and_octaves_do_not() -> None:
    said = {w: Gan.defaults(w, based=True, iterations=None)["visible"] for w in ("light", "full")}
    assert said == {"light": True, "full": False}
    assert Rgba.defaults("light", based=True, iterations=None)["visible"]
    assert not OctGan.defaults("light", based=False, iterations=None)["visible"]

"""What a network says of small crops, done at the size of the finished face."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bianlian.model.faceshifter.aei import done
from bianlian.swap.fine import done_fine, resized
from bianlian.types import Image

SMALL, SIDE = 32, 64


def noise(side: int, seed: int, blur: float = 0.0) -> Image:
    plain = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(plain, (0, 0), blur) if blur else plain, np.uint8)


def fields(**parts: Any) -> NDArray[np.float32]:
    """Fields that say nothing but what is named: stays, added, push, taken, pull."""
    rows = {"stays": slice(0, 1), "added": slice(1, 4), "push": slice(4, 6), "taken": slice(6, 7), "pull": slice(7, 9)}
    out = np.zeros((9, SMALL, SMALL), np.float32)
    for name, value in parts.items():
        out[rows[name]] = np.asarray(value, np.float32).reshape(-1, 1, 1)
    return out


def test_at_the_networks_own_size_it_is_what_the_network_does() -> None:
    rng = np.random.default_rng(0)
    said = np.stack([cv2.GaussianBlur(rng.normal(0, 1, (SMALL, SMALL)).astype(np.float32), (0, 0), 4) for _ in range(9)])
    said = said * 0.3 + fields(stays=0.4, added=0.1, taken=0.3)
    target, photo = noise(SMALL, 1, blur=1.5), noise(SMALL, 2, blur=1.5)
    pictures = (torch.from_numpy(x.transpose(2, 0, 1)[None].astype(np.float32) / 255) for x in (target, photo))
    wanted = done(torch.from_numpy(said)[None], *pictures)[0].permute(1, 2, 0).clamp(0, 1).numpy() * 255
    found = done_fine(said, target, photo)
    assert wanted.std() > 5
    assert np.abs(found - wanted).max() < 2  # grey levels: both pictures are rounded once they are bent, and their sum


def test_target_and_photo_keep_all_their_pixels() -> None:
    target, photo = noise(SIDE, 3), noise(SIDE, 4)
    np.testing.assert_array_equal(done_fine(fields(stays=1), target, photo), target)
    np.testing.assert_array_equal(done_fine(fields(taken=1), target, photo), photo)
    half = done_fine(fields(stays=0.5, taken=0.5), target, photo).astype(float)
    assert np.abs(half - (target.astype(float) + photo) / 2).max() <= 0.5
    assert set(np.unique(done_fine(fields(added=(0.2, 2.0, -1.0)), target, photo).reshape(-1, 3), axis=0)[0]) == {51, 255, 0}


@pytest.mark.parametrize("name", ["push", "pull"])
def test_a_field_is_in_halves_of_the_side(name: str) -> None:
    target, photo = noise(SIDE, 5), noise(SIDE, 6)
    bent, shown = ("stays", target) if name == "push" else ("taken", photo)
    moved = done_fine(fields(**{bent: 1, name: (2 * 4 / SIDE, 2 * -6 / SIDE)}), target, photo)
    np.testing.assert_array_equal(moved[6:, :-4], shown[:-6, 4:])  # fetched from four pixels to the right, and six above


def test_resized_leaves_what_has_the_size() -> None:
    batch = np.stack([noise(SMALL, k) for k in range(2)])
    assert resized(batch, SMALL, cv2.INTER_AREA) is batch
    twice = resized(batch, SIDE, cv2.INTER_NEAREST)
    assert twice.shape == (2, SIDE, SIDE, 3)
    np.testing.assert_array_equal(twice[:, ::2, ::2], batch)
    assert resized(batch[..., 0].astype(np.float32), SIDE, cv2.INTER_LINEAR).shape == (2, SIDE, SIDE)

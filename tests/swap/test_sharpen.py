from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.swap.sharpen import laplacian_spread, sharpen
from bianlian.types import Image

MASK = np.ones((96, 96), np.float32)


def texture(sigma: float, seed: int = 0, contrast: float = 20.0) -> Image:
    """Grey noise of a given softness and spread."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((96, 96)).astype(np.float32), (0, 0), sigma)
    level = 128 + contrast * (noise - noise.mean()) / noise.std()
    return np.repeat(np.clip(np.rint(level), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def ratio(face: Image, target: Image) -> float:
    return laplacian_spread(face, MASK) / laplacian_spread(target, MASK)


def test_laplacian_spread_of_a_checkerboard() -> None:
    board = (np.indices((96, 96)).sum(0) % 2 * 10).astype(np.uint8)
    image = np.repeat(board[..., None], 3, axis=2)
    # Each pixel has four neighbours of the other level: Laplacian 4 * 10 with alternating sign, spread 40.
    assert laplacian_spread(image, MASK) == pytest.approx(40, rel=1e-3)
    assert laplacian_spread(image, np.zeros((96, 96), np.float32)) == 0


@pytest.mark.parametrize("soft", [1.2, 1.6, 2.4])
def test_sharpening_moves_the_ratio_towards_one(soft: float) -> None:
    face, target = texture(soft), texture(0.8)
    before, after = ratio(face, target), ratio(sharpen(face, target, MASK, scale=2, grain=0), target)
    assert before < after <= 1.02


def test_a_small_deficit_is_closed() -> None:
    face, target = texture(1.1), texture(0.9)
    assert ratio(face, target) < 0.8
    assert ratio(sharpen(face, target, MASK, scale=1.5, grain=0), target) == pytest.approx(1, abs=0.03)


def test_a_face_that_is_too_sharp_is_softened() -> None:
    face, target = texture(0.8), texture(1.2)
    assert ratio(face, target) > 1.3
    assert ratio(sharpen(face, target, MASK, scale=1.5, grain=0), target) < ratio(face, target) - 0.2


@pytest.mark.parametrize("limit", [1.0, 2.0, 3.0])
def test_gain_never_exceeds_the_bound(limit: float) -> None:
    # Every band of the face is raised by at most the limit, so no amplitude grows by more.
    face, target = texture(2.0, contrast=8), texture(0.5, contrast=40)
    out = sharpen(face, target, MASK, scale=2, limit=limit, grain=0)
    assert laplacian_spread(out, MASK) <= limit * laplacian_spread(face, MASK) + 1.0  # 1: rounding to whole levels
    assert np.abs(out.astype(float) - face).max() <= (limit - 1) * np.abs(face.astype(float) - 128).max() + 1


def test_grain_brings_texture_and_leaves_outlines() -> None:
    flat = np.full((96, 96, 3), 128, np.uint8)
    noisy = texture(0.5, contrast=4)
    noisy[:, 48:] = np.clip(noisy[:, 48:].astype(int) + 100, 0, 255)  # a strong outline in the target
    out = sharpen(flat, noisy, MASK, scale=1.5, grain=16)
    assert laplacian_spread(out[:, :40], MASK[:, :40]) > 3
    assert np.abs(out.astype(int) - 128).max() <= 16  # x exp(-(x/16)^2) is at most 0.43 * 16; the rest is the finest band


def test_off_gives_the_same_picture() -> None:
    face = texture(2)
    assert sharpen(face, texture(1), MASK, scale=2, limit=0, grain=0) is face
    assert sharpen(face, texture(1), np.zeros((96, 96), np.float32), scale=2) is face


def test_only_brightness_changes() -> None:
    face = texture(2)
    face[..., 0] = np.clip(face[..., 0].astype(int) + 30, 0, 255)
    out = sharpen(face, texture(1), MASK, scale=2).astype(int)
    inner = (out > 2) & (out < 253)
    moved = out - face
    both = inner.all(-1)
    assert np.abs(moved[both] - moved[both][:, :1]).max() <= 1


def test_flat_pictures_do_not_explode() -> None:
    flat = np.full((96, 96, 3), 90, np.uint8)
    np.testing.assert_array_equal(sharpen(flat, flat, MASK, scale=2), flat)
    assert np.abs(sharpen(flat, texture(0.6), MASK, scale=2).astype(int) - 90).max() < 20

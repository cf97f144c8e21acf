from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.swap.blend import mask_blend, overlay
from bianlian.swap.poisson import membrane, poisson
from bianlian.swap.pyramid import pyramid
from bianlian.types import Image, Mask


def flat(level: int) -> Image:
    return np.full((4, 6, 3), level, np.uint8)


@pytest.mark.parametrize(("weight", "wanted"), [(0.0, 100), (0.25, 125), (0.5, 150), (1.0, 200)])
def test_mask_blend_mixes_by_weight(weight: float, wanted: int) -> None:
    # 100 + weight * (200 - 100)
    out = mask_blend(flat(200), flat(100), np.full((4, 6), weight, np.float32))
    np.testing.assert_array_equal(out, flat(wanted))


@pytest.mark.parametrize(("weight", "wanted"), [(0.0, 100), (0.49, 100), (0.5, 200), (1.0, 200)])
def test_overlay_has_a_hard_edge(weight: float, wanted: int) -> None:
    np.testing.assert_array_equal(overlay(flat(200), flat(100), np.full((4, 6), weight, np.float32)), flat(wanted))


def blob(width: int, height: int, centre: tuple[int, int]) -> Mask:
    mask = np.zeros((120, 140), np.float32)
    cv2.ellipse(mask, centre, (width // 2, height // 2), 0, 0, 360, 1.0, -1)
    if width % 2 == 0:
        mask[:, centre[0] + width // 2 :] = 0  # an even width: the drawn ellipse is always odd
    if height % 2 == 0:
        mask[centre[1] + height // 2 :] = 0
    return mask


def movement(before: Image, after: Image, centre: tuple[int, int]) -> tuple[float, float]:
    """Displacement of the fine detail around a point, pixels: least squares of the difference over the gradient."""
    inner = np.s_[centre[1] - 20 : centre[1] + 20, centre[0] - 20 : centre[0] + 20]
    grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float64) for x in (before, after)]
    a, b = (x - cv2.GaussianBlur(x, (0, 0), 4) for x in grey)
    gradient = np.stack([g[inner].ravel() for g in np.gradient(a)[::-1]], 1)
    dx, dy = -np.linalg.lstsq(gradient, (b - a)[inner].ravel(), rcond=None)[0]
    return float(dx), float(dy)


def texture(seed: int) -> Image:
    """Soft noise around mid grey, with room to either side."""
    noise = np.random.default_rng(seed).normal(0, 1, (120, 140, 3))
    return np.asarray(128 + 25 * cv2.GaussianBlur(noise, (0, 0), 2) / 0.14, np.float64).clip(40, 215).astype(np.uint8)


@pytest.mark.parametrize("width", [60, 61])
@pytest.mark.parametrize("height", [64, 65])
@pytest.mark.parametrize("centre", [(70, 60), (69, 59)])
def test_poisson_does_not_move_the_picture(width: int, height: int, centre: tuple[int, int]) -> None:
    face = texture(0)
    out = poisson(face, np.full_like(face, 128), blob(width, height, centre))
    assert np.hypot(*movement(face, out, centre)) < 0.05
    moved = np.roll(out, 1, axis=1)
    assert np.hypot(*movement(face, moved, centre)) == pytest.approx(1, abs=0.25)  # the measure sees one pixel


def test_poisson_does_not_shake_when_the_mask_does() -> None:
    face, target = texture(1), np.full((120, 140, 3), 128, np.uint8)
    moves = []
    for shake in range(-4, 5):
        mask = np.asarray(cv2.GaussianBlur(blob(80 + shake, 84 - shake, (70 + shake // 2, 60)), (0, 0), 3), np.float32)
        moves.append(movement(face, poisson(face, target, mask), (70, 60)))
    assert np.abs(moves).max() < 0.05


@pytest.mark.parametrize("shape", [(64, 64), (37, 52)])
def test_membrane_solves_laplaces_equation(shape: tuple[int, int]) -> None:
    # u = x^2 - y^2 and u = 3 x + y have no Laplacian: held to them on a frame, the sheet is them inside, whatever the start.
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / max(shape)
    truth = np.stack([x * x - y * y, 3 * x + y, np.ones_like(x)], 2)
    hold = np.full(shape, 100.0, np.float32)
    hold[4:-4, 4:-4] = 0
    found = membrane(truth * hold[..., None], hold)
    assert np.abs(found - truth).max() < 0.05


def test_what_the_target_shows_inside_does_not_reach_the_poisson_blend() -> None:
    rng = np.random.default_rng(2)
    face = rng.integers(80, 120, (90, 100, 3), dtype=np.uint8)
    mask = np.asarray(cv2.GaussianBlur(blob(60, 64, (50, 45))[:90, :100], (0, 0), 3), np.float32)
    target = face + np.uint8(30)
    spotted = target.copy()
    spotted[40:50, 45:55] = 255
    out = poisson(face, spotted, mask)
    np.testing.assert_array_equal(out[mask >= 1], poisson(face, target, mask)[mask >= 1])
    assert np.abs(out[mask >= 1].astype(int) - target[mask >= 1]).max() <= 3  # the face's detail, 30 brighter


@pytest.mark.parametrize("shape", [(64, 64), (61, 47), (25, 90), (7, 9)])
def test_pyramid_of_a_full_mask_is_the_face(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    face, target = (rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(2))
    assert np.abs(pyramid(face, target, np.ones(shape, np.float32)).astype(int) - face).max() <= 1


@pytest.mark.parametrize("shape", [(64, 64), (61, 75), (120, 97)])
def test_pyramid_leaves_the_rest_exactly(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    face, target = (rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(2))
    mask = np.zeros(shape, np.float32)
    cv2.circle(mask, (shape[1] // 2, shape[0] // 2), min(shape) // 3, 1.0, -1)
    mask = np.asarray(cv2.GaussianBlur(mask, (9, 9), 2), np.float32)
    out = pyramid(face, target, mask)
    np.testing.assert_array_equal(out[mask == 0], target[mask == 0])
    loud = np.where((mask > 0)[..., None], face, 255).astype(np.uint8)
    np.testing.assert_array_equal(pyramid(loud, target, mask), out)  # what lies outside has no say


def test_pyramid_spreads_a_difference_of_colour_wider_than_a_difference_of_detail() -> None:
    mask = np.asarray(np.tile(np.clip((np.arange(160) - 40) / 80, 0, 1), (160, 1)), np.float32)
    flat, step = np.full((160, 160, 3), 100, np.uint8), np.full((160, 160, 3), 140, np.uint8)
    fine = (100 + 30 * (np.arange(160) % 2)[None, :, None] * np.ones((160, 1, 3))).astype(np.uint8)

    def width(share: np.ndarray) -> int:
        return int(((share > 0.1) & (share < 0.9)).sum())

    broad = (pyramid(step, flat, mask)[80, :, 0].astype(float) - 100) / 40
    detail = np.abs(np.diff(pyramid(fine, flat, mask)[80, :, 0].astype(float))) / 30
    assert width(broad) > 1.5 * width(detail) > 0
    assert width(detail) < 80 / 2  # of the mask's ramp


def test_poisson_takes_its_colour_from_the_edge() -> None:
    # A flat face has no gradients: inside a flat frame nothing of it is left to see.
    face, target = np.full((60, 60, 3), 200, np.uint8), np.full((60, 60, 3), 90, np.uint8)
    mask = np.zeros((60, 60), np.float32)
    mask[15:45, 15:45] = 1
    assert np.abs(poisson(face, target, mask).astype(int) - 90).max() <= 1


def test_poisson_joins_up_to_the_edge_of_the_picture() -> None:
    rng = np.random.default_rng(0)
    face = np.asarray(cv2.GaussianBlur(rng.integers(0, 256, (60, 60, 3), dtype=np.uint8), (0, 0), 2), np.uint8)
    target = np.full((60, 60, 3), 128, np.uint8)
    mask = np.zeros((60, 60), np.float32)
    mask[:, :30] = 1
    out = poisson(face, target, mask)
    assert out[5:55, 5:25].std() > 5
    assert out[5:55, 0:2].std() > 1
    np.testing.assert_array_equal(out[:, 30:], 128)

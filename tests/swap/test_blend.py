from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.swap.blend import mask_blend, overlay
from bianlian.swap.poisson import poisson
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


@pytest.mark.parametrize("width", [60, 61])
@pytest.mark.parametrize("height", [64, 65])
@pytest.mark.parametrize("centre", [(70, 60), (69, 59)])
def test_poisson_does_not_move_the_picture(width: int, height: int, centre: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    face = np.asarray(cv2.GaussianBlur(rng.integers(0, 256, (120, 140, 3), dtype=np.uint8), (0, 0), 2), np.uint8)
    face = np.asarray(np.clip(4.0 * face - 384, 20, 235), np.uint8)  # stretched: the blur left little contrast
    out = poisson(face, np.full_like(face, 128), blob(width, height, centre))
    inner = np.s_[centre[1] - 20 : centre[1] + 20, centre[0] - 20 : centre[0] + 20]
    a, b = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[inner].astype(np.float32) for x in (face, out))
    (dx, dy), _ = cv2.phaseCorrelate(a - a.mean(), b - b.mean(), cv2.createHanningWindow((40, 40), cv2.CV_32F))
    assert np.hypot(dx, dy) < 0.2


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

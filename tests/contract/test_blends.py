"""Every blend and every colour function of the tables keeps its contract."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian import plugins
from bianlian.types import Image, Mask

BLENDS, COLORS = list(plugins.TABLES["blend"]), list(plugins.TABLES["color"])


def pictures(height: int = 61, width: int = 74) -> tuple[Image, Image, Mask]:
    rng = np.random.default_rng(0)
    face, target = (cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 1.5) for _ in range(2))
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, (width // 2, height // 2), (width // 3, height // 3), 0, 0, 360, 1.0, -1)
    return np.asarray(face, np.uint8), np.asarray(target, np.uint8), np.asarray(cv2.GaussianBlur(mask, (7, 7), 2), np.float32)


@pytest.mark.parametrize("name", BLENDS)
def test_blend_gives_a_new_picture_and_leaves_the_rest_alone(name: str) -> None:
    face, target, mask = pictures()
    kept = [x.copy() for x in (face, target, mask)]
    out = plugins.load("blend", name)(face, target, mask)
    assert out.shape == target.shape
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(out[mask == 0], target[mask == 0])
    assert (out[mask > 0.9] != target[mask > 0.9]).any()
    for before, after in zip(kept, (face, target, mask), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", BLENDS)
def test_blend_of_a_picture_with_itself_is_that_picture(name: str) -> None:
    _, target, mask = pictures()
    out = plugins.load("blend", name)(target, target, mask)
    assert np.abs(out.astype(int) - target).max() <= 1


@pytest.mark.parametrize("name", BLENDS)
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_blend_takes_empty_and_full_masks(name: str, weight: float) -> None:
    face, target, _ = pictures(20, 24)
    mask = np.full((20, 24), weight, np.float32)
    out = plugins.load("blend", name)(face, target, mask)
    assert out.shape == target.shape
    if weight == 0:
        np.testing.assert_array_equal(out, target)


@pytest.mark.parametrize("name", COLORS)
def test_color_keeps_shape_and_inputs(name: str) -> None:
    face, target, mask = pictures()
    kept = [x.copy() for x in (face, target, mask)]
    out = plugins.load("color", name)(face, target, mask)
    assert out.shape == face.shape
    assert out.dtype == np.uint8
    for before, after in zip(kept, (face, target, mask), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", COLORS)
def test_color_of_a_picture_with_itself_is_that_picture(name: str) -> None:
    face, _, mask = pictures()
    assert np.abs(plugins.load("color", name)(face, face, mask).astype(int) - face).max() <= 2

"""What is measured of a crop answers to what was done to it, and to nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian import align
from bianlian.faceset.curate.look import Look, look, perceptual_hash
from bianlian.faceset.header import FACESET_COVERAGE
from bianlian.geometry import box_of
from bianlian.types import Image

SIZE = 256
POINTS = align.template("ibug68", SIZE, FACESET_COVERAGE)


def texture(seed: int = 0) -> Image:
    """Grey waves of all lengths down to 6 pixels, about 120."""
    rng = np.random.default_rng(seed)
    out = np.full((SIZE, SIZE), 120.0)
    y, x = np.mgrid[:SIZE, :SIZE]
    for _ in range(60):
        length, angle, phase = rng.uniform(6, 90), rng.uniform(0, np.pi), rng.uniform(0, 7)
        out += 7 * np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length + phase)
    return np.repeat(out.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def seen(crop: Image) -> Look:
    return look(crop, POINTS, np.eye(2, 3), FACESET_COVERAGE)


def test_blur_grows_with_blur_and_not_with_light() -> None:
    crop = texture()
    soft = [seen(np.asarray(cv2.GaussianBlur(crop, (0, 0), s), np.uint8)).blur for s in (1.0, 2.0, 4.0)]
    assert seen(crop).blur < soft[0] < soft[1] < soft[2] < 1
    assert soft[1] > seen(crop).blur + 0.15
    assert seen((crop * 0.4).astype(np.uint8)).blur == pytest.approx(seen(crop).blur, abs=0.02)


@pytest.mark.parametrize("across", [True, False])
def test_motion_in_one_direction_is_blur(across: bool) -> None:
    kernel = np.full((1, 11) if across else (11, 1), 1 / 11)
    assert seen(np.asarray(cv2.filter2D(texture(), -1, kernel), np.uint8)).blur > seen(texture()).blur + 0.15


def test_light_is_told() -> None:
    crop = np.full((SIZE, SIZE, 3), 100, np.uint8)
    assert (seen(crop).level, seen(crop).contrast, seen(crop).burnt) == (100, 0, 0)
    crop[:, SIZE // 2 :] = 160
    assert (seen(crop).side, seen(crop).top, seen(crop).contrast) == (60, 0, 60)
    crop[: SIZE // 2], crop[SIZE // 2 :] = 255, 55
    assert seen(crop).burnt == pytest.approx(0.5, abs=0.02)
    assert seen(crop).top == -200


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.4])
@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("roll", [0, 20])
def test_how_much_of_the_face_the_picture_holds(share: float, side: str, roll: float) -> None:
    """A picture is cut off at a share of the face's box; the crop, cut from it with the head rolled, repeats its border."""
    frame, middle = texture(), (SIZE - 1) / 2
    crop_from_frame = np.asarray(cv2.getRotationMatrix2D((middle, middle), roll, 1.0), np.float64)
    points = POINTS @ crop_from_frame[:, :2].T + crop_from_frame[:, 2]
    x1, y1, x2, y2 = box_of(POINTS)
    first = np.array([0, 0, SIZE, SIZE], np.float64)
    k = ("left", "top", "right", "bottom").index(side)
    first[k] = np.array([x1, y1, x2, y2])[k] + (1 if k < 2 else -1) * share * (x2 - x1, y2 - y1)[k % 2]
    left, top, right, bottom = first.round().astype(int)
    shift = np.array([[1.0, 0, left], [0, 1, top]])
    part = np.ascontiguousarray(frame[top:bottom, left:right])
    crop_from_part = np.concatenate([crop_from_frame[:, :2], (crop_from_frame @ [*shift[:, 2], 1])[:, None]], axis=1)
    crop = align.cut(part, crop_from_part, SIZE).image
    assert look(crop, points, crop_from_part, FACESET_COVERAGE).whole == pytest.approx(1 - share, abs=0.03)


def test_the_hash_tells_pictures_apart_but_not_their_copies() -> None:
    def bits(a: Image, b: Image) -> int:
        hashes = [perceptual_hash(np.asarray(cv2.cvtColor(c, cv2.COLOR_RGB2GRAY), np.float32)) for c in (a, b)]
        return (hashes[0] ^ hashes[1]).bit_count()

    one = texture()
    noisy = (one + np.random.default_rng(0).normal(0, 2, one.shape)).clip(0, 255).astype(np.uint8)
    assert bits(one, noisy) <= 2
    assert bits(one, (one * 0.8 + 10).astype(np.uint8)) <= 2
    # Unlike pictures differ in 32 of 64 bits on average, with a standard deviation of 4.
    assert bits(one, texture(1)) > 16

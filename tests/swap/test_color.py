from __future__ import annotations

import numpy as np
import pytest

from bianlian.swap.color import (
    GAIN_LIMIT,
    PRIOR_PIXELS,
    PRIOR_STD,
    Statistics,
    SteadyColor,
    lab_mean_std,
    recolor,
    statistics,
    transfer,
    unchanged,
)
from bianlian.types import Image, Mask

ONES = np.ones((32, 32), np.float32)


def grey(*levels: int) -> Image:
    """Columns of grey, repeated over 32 pixels."""
    return np.ascontiguousarray(np.broadcast_to(np.resize(np.array(levels, np.uint8), 32)[None, :, None], (32, 32, 3)))


def lightness(level: int) -> float:
    """CIE L of a grey sRGB level: 116 f(Y) - 16 with Y the linear light; OpenCV's tables agree to 0.15."""
    v = level / 255
    y = v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
    return float(116 * y ** (1 / 3) - 16)


def test_statistics_are_lab_mean_and_spread() -> None:
    found = statistics(grey(100, 140), ONES)
    a, b = lightness(100), lightness(140)  # half of the pixels each: mean (a + b) / 2, spread (b - a) / 2
    assert found.mean[0] == pytest.approx((a + b) / 2, abs=0.15)
    assert found.std[0] == pytest.approx((b - a) / 2, abs=0.15)
    np.testing.assert_allclose(found.mean[1:], 0, atol=0.15)
    assert found.pixels == 1024


def test_statistics_weigh_by_the_mask() -> None:
    mask = np.zeros((32, 32), np.float32)
    mask[:, ::2] = 0.25  # the columns of level 100 alone
    found = statistics(grey(100, 200), mask)
    assert found.mean[0] == pytest.approx(lightness(100), abs=0.15)
    assert found.std[0] == pytest.approx(0, abs=0.15)
    assert found.pixels == pytest.approx(512 * 0.25)


def test_transfer_takes_mean_and_spread_over() -> None:
    face = Statistics(np.array([50.0, 10.0, 10.0]), np.array([9.0, 4.0, 4.0]), 1e9)
    target = Statistics(np.array([60.0, 5.0, 10.0]), np.array([11.0, 4.0, 4.0]), 1e9)
    change = transfer(face, target)
    assert change.gain[0] == pytest.approx((11 + PRIOR_STD) / (9 + PRIOR_STD), rel=1e-6)
    np.testing.assert_allclose(change.gain * face.mean + change.offset, target.mean, atol=1e-5)


def test_gain_is_bounded_and_flat_regions_keep_theirs() -> None:
    flat = Statistics(np.full(3, 50.0), np.zeros(3), 1e9)
    rough = Statistics(np.full(3, 50.0), np.full(3, 30.0), 1e9)
    np.testing.assert_allclose(transfer(flat, rough).gain, GAIN_LIMIT)
    np.testing.assert_allclose(transfer(rough, flat).gain, 1 / GAIN_LIMIT)
    np.testing.assert_allclose(transfer(flat, flat).gain, 1)


def test_tiny_masks_change_little() -> None:
    face = Statistics(np.full(3, 20.0), np.full(3, 5.0), 1e9)
    target = Statistics(np.full(3, 60.0), np.full(3, 5.0), PRIOR_PIXELS)
    change = transfer(face, target)
    # As many pixels as the prior: trust 1/2, so the mean moves half of the 40 units.
    np.testing.assert_allclose(change.gain * face.mean + change.offset, 40.0)


def test_empty_mask_changes_nothing() -> None:
    face = grey(90, 130)
    out = lab_mean_std(face, grey(10, 20), np.zeros((32, 32), np.float32))
    assert np.abs(out.astype(int) - face).max() <= 1


def test_lab_mean_std_reaches_the_target() -> None:
    rng = np.random.default_rng(0)
    face = rng.integers(90, 150, (64, 64, 3), dtype=np.uint8)
    target = np.clip(face * np.array([0.8, 0.7, 0.6]) + 20, 0, 255).astype(np.uint8)
    ones: Mask = np.ones((64, 64), np.float32)
    aim = statistics(target, ones).mean
    before, after = (np.abs(statistics(x, ones).mean - aim) for x in (face, lab_mean_std(face, target, ones)))
    assert before.max() > 8
    assert after.max() < 0.6


def test_recolor_keeps_colours_without_a_change() -> None:
    face = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    same = transfer(*(Statistics(np.zeros(3), np.ones(3), 10.0) for _ in range(2)))
    assert np.abs(recolor(face, same).astype(int) - face).max() <= 1


def test_unchanged_gives_the_same_picture() -> None:
    face = grey(1, 2)
    assert unchanged(face, grey(3), ONES) is face


def test_steady_color_follows_slowly_and_does_not_pump() -> None:
    steady = SteadyColor(lab_mean_std, window=5)
    face, calm, bright = grey(100, 120), grey(100, 120), grey(140, 160)
    steady(face, calm, ONES)
    jump = statistics(steady(face, bright, ONES), ONES).mean[0] - lightness(110)
    full = statistics(lab_mean_std(face, bright, ONES), ONES).mean[0] - lightness(110)
    # One step of an exponential filter with a time constant of 5 frames: 1 - exp(-1/5) = 0.18 of the way.
    assert jump / full == pytest.approx(1 - np.exp(-1 / 5), abs=0.03)
    for _ in range(40):
        last = steady(face, bright, ONES)
    assert statistics(last, ONES).mean[0] - lightness(110) == pytest.approx(full, abs=0.3)


def test_steady_color_without_a_window_is_the_function_itself() -> None:
    face, target = grey(100, 120), grey(140, 160)
    np.testing.assert_array_equal(SteadyColor(lab_mean_std, 0)(face, target, ONES), lab_mean_std(face, target, ONES))
    assert SteadyColor(unchanged, 5)(face, target, ONES) is face

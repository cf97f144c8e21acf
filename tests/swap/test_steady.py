"""Colour functions led over time."""

from __future__ import annotations

import numpy as np
import pytest

from bianlian import plugins
from bianlian.swap.color import lab_mean_std, unchanged
from bianlian.swap.steady import SteadyColor
from bianlian.types import Image

ONES = np.ones((48, 48), np.float32)
COLORS = [name for name in plugins.TABLES["color"] if name != "none"]


def skin(seed: int, level: float = 1.0) -> Image:
    """Noise of the colours of skin: the channels go together."""
    rng = np.random.default_rng(seed)
    light = rng.normal(0, 12, (48, 48, 1))
    return np.clip(level * (np.array([170.0, 130.0, 110.0]) + light + rng.normal(0, 4, (48, 48, 3))), 0, 255).astype(np.uint8)


def mean(image: Image) -> np.ndarray:
    return np.asarray(image.reshape(-1, 3).mean(0))


@pytest.mark.parametrize("name", COLORS)
def test_a_jump_of_the_light_is_followed_step_by_step(name: str) -> None:
    color, face = plugins.load("color", name), skin(0)
    steady = SteadyColor(color, window=5)
    start = mean(steady(face, skin(1), ONES))
    aim = mean(color(face, skin(2, 0.6), ONES))
    # An exponential filter with a time constant of 5 frames goes 1 - exp(-1/5) = 0.18 of the way in the first step.
    step = mean(steady(face, skin(2, 0.6), ONES))
    np.testing.assert_allclose((step - start) / (aim - start), 1 - np.exp(-1 / 5), atol=0.03)
    for _ in range(40):
        last = steady(face, skin(2, 0.6), ONES)
    np.testing.assert_allclose(mean(last), aim, atol=0.5)


@pytest.mark.parametrize("name", COLORS)
def test_what_stays_is_the_function_itself(name: str) -> None:
    color, face, target = plugins.load("color", name), skin(0), skin(1, 0.7)
    steady = SteadyColor(color, window=5)
    for _ in range(3):
        assert np.abs(steady(face, target, ONES).astype(int) - color(face, target, ONES)).max() <= 1


@pytest.mark.parametrize("name", COLORS)
def test_colour_that_jumps_to_and_fro_is_calmed(name: str) -> None:
    color, face = plugins.load("color", name), skin(0)
    steady = SteadyColor(color, window=5)
    targets = [skin(k, 0.8 + 0.1 * (k % 2)) for k in range(12)]
    raw, calm = (np.array([mean(f(face, t, ONES)) for t in targets]) for f in (color, steady))
    assert np.abs(np.diff(calm[4:], axis=0)).mean() < 0.35 * np.abs(np.diff(raw[4:], axis=0)).mean()


@pytest.mark.parametrize("level", [0, 90, 255])
def test_grey_and_flat_frames_on_the_way_leave_no_trace(level: int) -> None:
    steady, flat = SteadyColor(plugins.load("color", "mkl"), window=3), np.full((48, 48, 3), level, np.uint8)
    face, target = skin(0), skin(1, 0.9)
    for _ in range(2):
        steady(flat, flat, ONES)
    for _ in range(40):
        last = steady(face, target, ONES)
    assert np.abs(mean(last) - mean(target)).max() < 1


def test_without_a_window_it_is_the_function_itself() -> None:
    face, target = skin(0), skin(1, 0.8)
    np.testing.assert_array_equal(SteadyColor(lab_mean_std, 0)(face, target, ONES), lab_mean_std(face, target, ONES))
    assert SteadyColor(unchanged, 5)(face, target, ONES) is face


def test_an_empty_mask_between_two_frames_changes_nothing() -> None:
    face, target = skin(0), skin(1, 0.8)
    one, other = (SteadyColor(lab_mean_std, 5) for _ in range(2))
    one(face, target, ONES)
    other(face, target, ONES)
    other(face, skin(2, 0.3), np.zeros_like(ONES))
    np.testing.assert_array_equal(one(face, target, ONES), other(face, target, ONES))

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian import plugins
from bianlian.swap.color import (
    GAIN_LIMIT,
    PRIOR_PIXELS,
    PRIOR_STD,
    Statistics,
    lab_mean_std,
    recolor,
    statistics,
    transfer,
    unchanged,
)
from bianlian.swap.histogram import matched
from bianlian.swap.mkl import PRIOR_STD as MKL_PRIOR
from bianlian.swap.mkl import monge
from bianlian.swap.moments import Moments
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


def skin(seed: int = 0) -> Image:
    """Noise of the colours of skin: bright and dark go together in the channels."""
    rng = np.random.default_rng(seed)
    light = rng.normal(0, 14, (64, 64, 1)) * np.array([1.0, 0.9, 0.8])
    return np.asarray(np.clip(np.array([165.0, 125.0, 105.0]) + light + rng.normal(0, 5, (64, 64, 3)), 0, 255), np.uint8)


def under_light(image: Image) -> Image:
    """Another gain of each channel, and some gamma."""
    levels = np.arange(256)[:, None] / 255
    return np.asarray(cv2.LUT(image, (255 * np.array([0.9, 0.8, 0.65]) * levels**1.15).astype(np.uint8)[None]), np.uint8)


MATCHING = [name for name in plugins.TABLES["color"] if name != "none"]
WHOLE = np.ones((64, 64), np.float32)


@pytest.mark.parametrize("name", MATCHING)
def test_a_cast_is_taken_back(name: str) -> None:
    # The same picture in two lights: what is left of the difference, pixel by pixel.
    face, target = skin(), under_light(skin())
    out = plugins.load("color", name)(face, target, WHOLE)
    before, after = (np.abs(x.astype(float) - target).mean() for x in (face, out))
    assert before > 20
    assert after < 1.5


@pytest.mark.parametrize("name", MATCHING)
def test_only_what_is_under_the_mask_is_measured(name: str) -> None:
    mask = WHOLE.copy()
    mask[:, 32:] = 0
    face, target = skin(), under_light(skin(1))
    loud = target.copy()
    loud[:, 32:] = (0, 255, 0)
    color = plugins.load("color", name)
    np.testing.assert_array_equal(color(face, loud, mask), color(face, target, mask))


@pytest.mark.parametrize("name", MATCHING)
def test_a_tiny_mask_changes_little(name: str) -> None:
    face, target, mask = skin(), under_light(skin(1)), np.zeros((64, 64), np.float32)
    mask[30, 30:33] = 1
    # Three pixels against a prior of 64: 3 / 67 of a change of about 50 levels, and as much of the contrast.
    assert np.abs(plugins.load("color", name)(face, target, mask).astype(int) - face).max() <= 8


@pytest.mark.parametrize("name", MATCHING)
@pytest.mark.parametrize("level", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (200, 40, 90)])
def test_flat_colours_keep_the_faces_features(name: str, level: tuple[int, int, int]) -> None:
    face, color = skin(), plugins.load("color", name)
    flat = np.full_like(face, level)
    onto = color(face, flat, WHOLE)
    assert np.isfinite(onto).all()
    if 0 < level[1] < 250:
        assert np.abs(onto.reshape(-1, 3).mean(0) - level).max() < 6
        assert onto[..., 1].std() > 0.2 * face[..., 1].std()
    # A flat face stays flat, and a flat one in its own colour as it is.
    assert np.ptp(color(flat, skin(), WHOLE).reshape(-1, 3), axis=0).max() == 0
    assert np.abs(color(flat, flat, WHOLE).astype(int) - flat).max() <= 1


@pytest.mark.parametrize("name", MATCHING)
def test_a_grey_target_makes_the_face_nearly_grey_and_nothing_wild(name: str) -> None:
    face, target = skin(), np.repeat(skin(1)[..., 1:2], 3, axis=2)
    out = plugins.load("color", name)(face, target, WHOLE).astype(float)
    assert np.abs(out.reshape(-1, 3).mean(0) - target.reshape(-1, 3).mean(0)).max() < 2
    spread = (out - out.mean(2, keepdims=True)).reshape(-1, 3)
    assert np.abs(spread.mean(0)).max() < 1
    assert spread.std() < 1.6 * (face - face.mean(2, keepdims=True)).std()


@pytest.mark.parametrize("name", MATCHING)
def test_the_same_pictures_give_the_same_answer(name: str) -> None:
    face, target, color = skin(), under_light(skin(1)), plugins.load("color", name)
    np.testing.assert_array_equal(color(face, target, WHOLE), color(face, target, WHOLE))


def test_monge_map_takes_one_covariance_to_the_other_and_is_symmetric() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = (np.diag(d) + 40 * np.ones((3, 3)) for d in ([90.0, 60.0, 50.0], [70.0, 80.0, 45.0]))
    change = monge(*(Moments(rng.uniform(90, 150, 3), c, 1e9) for c in (ours, theirs)))
    gain = change[:, :3]
    np.testing.assert_allclose(gain, gain.T, atol=1e-9)
    prior = MKL_PRIOR**2 * np.eye(3)  # on both sides: T (A + p) T = B + p
    np.testing.assert_allclose(gain @ (ours + prior) @ gain, theirs + prior, rtol=1e-4, atol=1e-3)


def test_only_a_covariance_tells_colours_apart_that_go_together() -> None:
    # The target's channels go against each other: its spread a channel is the face's, and so mean-std of RGB would do nothing.
    rng = np.random.default_rng(0)
    light, other = rng.normal(0, 15, (64, 64)), rng.normal(0, 15, (64, 64))
    face = np.clip(np.stack([120 + light, 120 + 0.8 * light + 0.6 * other, 120 + other], 2), 0, 255).astype(np.uint8)
    target = np.clip(np.stack([120 + light, 120 + 0.5 * light + 0.87 * other, 120 + other], 2), 0, 255).astype(np.uint8)

    def relation(image: Image) -> float:
        return float(np.corrcoef(image[..., 0].ravel(), image[..., 1].ravel())[0, 1])

    for name in ("mkl", "idt"):
        assert relation(plugins.load("color", name)(face, target, WHOLE)) == pytest.approx(relation(target), abs=0.05)
    assert relation(plugins.load("color", "histogram")(face, target, WHOLE)) == pytest.approx(relation(face), abs=0.05)


def test_matched_curve_takes_one_histogram_to_the_other() -> None:
    # Two bells: the curve between their means is the ratio of their spreads; 0.2 bins of blur change neither.
    bins = np.arange(256.0)
    ours, theirs = (np.exp(-((bins - m) ** 2) / (2 * s * s)) for m, s in ((100, 10), (140, 15)))
    curve = matched(ours, theirs, blur=0.2, slope=3.0)
    np.testing.assert_allclose(curve[90:111], 140 + 1.5 * (bins[90:111] - 100), atol=0.3)
    assert (np.diff(curve) > 0).all()
    np.testing.assert_allclose(np.diff(matched(ours, theirs, blur=0.2, slope=1.2)), 1.1, atol=0.1001)


def test_idt_matches_a_shape_that_no_linear_map_makes() -> None:
    # Two tones in the target, a bell in the face: afterwards there are two hills with a valley, and hardly a tail.
    rng = np.random.default_rng(0)
    face = np.clip(rng.normal(120, 16, (64, 64, 1)) + rng.normal(0, 2, (64, 64, 3)), 0, 255).astype(np.uint8)
    tones = np.where(rng.random((64, 64, 1)) < 0.5, 104, 136) + rng.normal(0, 3, (64, 64, 3))
    target = np.clip(tones, 0, 255).astype(np.uint8)

    def share(image: Image, middle: float, half: float) -> float:
        return float((np.abs(image.mean(2) - middle) < half).mean())

    linear, full = (plugins.load("color", name)(face, target, WHOLE) for name in ("mkl", "idt"))
    valley, hills = (
        [share(x, 120, 3) for x in (linear, full)],
        [(share(x, 109, 3) + share(x, 131, 3)) / 2 for x in (linear, full)],
    )
    assert valley[0] > hills[0]
    assert valley[1] < 0.75 * hills[1]
    assert 1 - share(full, 120, 30) < 0.3 * (1 - share(linear, 120, 30))


def test_reinhard_takes_exposure_back_exactly() -> None:
    # Half the light is a shift of the logarithms: every pixel comes back, not only the mean.
    light = np.where((v := skin() / 255) <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4) / 2
    half = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    out = plugins.load("color", "reinhard")(skin(), np.round(255 * half).astype(np.uint8), WHOLE)
    assert np.abs(out - 255 * half).mean() < 1

"""The augmentation: truth and warped picture show the same face, and every number does what it says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian import align
from bianlian.errors import ConfigError
from bianlian.faceset.header import FACESET_COVERAGE
from bianlian.geometry import apply
from bianlian.train.augment import AugmentConfig, augment, model_from_faceset
from bianlian.train.focus import DETAIL, FACE, OUTSIDE, focus_map
from bianlian.types import Image

STILL = AugmentConfig(rotation=0, zoom=0, shift=0, flip=0, warp=0, light=0, blur=0)
SIZE, MODEL = 256, 64
TO_MODEL = model_from_faceset(SIZE, FACESET_COVERAGE, MODEL, align.COVERAGE)
POINTS = align.template("ibug68", SIZE, FACESET_COVERAGE)


def spot(x: float, y: float) -> Image:
    yy, xx = np.mgrid[:SIZE, :SIZE]
    bright = 255 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 128)
    return np.asarray(np.repeat(bright[..., None], 3, 2), np.uint8)


def centre(picture: Image) -> np.ndarray:
    grey = picture[..., 0].astype(float)
    y, x = np.mgrid[: len(grey), : grey.shape[1]]
    return np.asarray([(grey * x).sum() / grey.sum(), (grey * y).sum() / grey.sum()])


def test_convention_the_model_sees_the_inner_five_eighths_of_a_faceset_crop() -> None:
    # 160 of 256 pixels become 64: corner 47.5 (left edge of pixel 48) becomes -0.5.
    np.testing.assert_allclose(apply(TO_MODEL, np.array([[47.5, 47.5], [207.5, 207.5]])), [[-0.5, -0.5], [63.5, 63.5]])
    np.testing.assert_allclose(apply(TO_MODEL, POINTS), align.template("ibug68", MODEL), atol=1e-9)


def test_without_any_change_warped_and_truth_are_the_plain_picture() -> None:
    crop = spot(140, 120)
    warped, truth, *_ = augment(crop, POINTS, TO_MODEL, MODEL, STILL, np.random.default_rng(0))
    expected = apply(TO_MODEL, np.array([[140.0, 120.0]]))[0]
    np.testing.assert_allclose(centre(truth), expected, atol=0.05)
    np.testing.assert_allclose(centre(warped), expected, atol=0.05)


def test_warped_and_truth_agree_on_average_and_differ_by_the_warp() -> None:
    config = AugmentConfig(flip=0.5, light=0, blur=0)
    offsets = []
    for seed in range(60):
        warped, truth, *_ = augment(spot(128, 128), POINTS, TO_MODEL, MODEL, config, np.random.default_rng(seed))
        offsets.append(centre(warped) - centre(truth))
    # The truth is the best similarity for the pushed grid, so the offsets have no bias; a node moves by 5 * 64/160 = 2 px.
    spread = np.std(offsets, axis=0)
    assert (np.abs(np.mean(offsets, axis=0)) < 3 * spread / np.sqrt(60) + 0.1).all()
    assert (spread > 0.5).all()
    assert (spread < 2.5).all()


@pytest.mark.parametrize(
    ("config", "low", "high"),
    [
        (AugmentConfig(rotation=0, zoom=0, shift=0.05, flip=0, warp=0, light=0, blur=0), 0.0, 0.05 * SIZE),
        (AugmentConfig(rotation=10, zoom=0, shift=0, flip=0, warp=0, light=0, blur=0), 0.0, 40 * 2 * np.sin(np.radians(5))),
        (AugmentConfig(rotation=0, zoom=0.05, shift=0, flip=0, warp=0, light=0, blur=0), 0.0, 40 * 0.05),
    ],
)
def test_a_move_stays_within_its_bound(config: AugmentConfig, low: float, high: float) -> None:
    # A spot 40 px right of the centre can move by no more than the bound says; some draws come near it.
    moves = []
    for seed in range(40):
        _, truth, *_ = augment(spot(167.5, 127.5), POINTS, TO_MODEL, MODEL, config, np.random.default_rng(seed))
        moved = (centre(truth) - apply(TO_MODEL, np.array([[167.5, 127.5]]))[0]) * 160 / 64
        moves.append(np.abs(moved).max())
    assert low <= min(moves)
    assert max(moves) <= high + 0.3
    assert max(moves) > 0.6 * high


def test_flip_mirrors_picture_and_weight() -> None:
    config = AugmentConfig(rotation=0, zoom=0, shift=0, flip=1, warp=0, light=0, blur=0)
    points = POINTS + np.array([6.0, 0.0])
    _, truth, weight, _ = augment(spot(150, 120), points, TO_MODEL, MODEL, config, np.random.default_rng(0))
    plain_truth, plain_weight = augment(spot(150, 120), points, TO_MODEL, MODEL, STILL, np.random.default_rng(0))[1:3]
    np.testing.assert_allclose(truth, plain_truth[:, ::-1], atol=2)
    np.testing.assert_allclose(weight, plain_weight[:, ::-1], atol=0.6)
    assert np.abs(weight - plain_weight[:, ::-1]).mean() < 0.05


def test_light_changes_input_and_truth_alike_and_blur_only_the_input() -> None:
    crop = np.full((SIZE, SIZE, 3), 100, np.uint8)
    config = AugmentConfig(rotation=0, zoom=0, shift=0, flip=0, warp=0, light=0.2, blur=0)
    warped, truth, *_ = augment(crop, POINTS, TO_MODEL, MODEL, config, np.random.default_rng(3))
    np.testing.assert_array_equal(warped, truth)
    assert len({int(v) for v in truth[0, 0]}) == 3  # a gain a channel
    noise = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)
    blurred = AugmentConfig(rotation=0, zoom=0, shift=0, flip=0, warp=0, light=0, blur=1)
    soft, sharp, *_ = augment(noise, POINTS, TO_MODEL, MODEL, blurred, np.random.default_rng(3))
    assert soft.std() < 0.8 * sharp.std()


def test_same_generator_same_example() -> None:
    crop = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8), (0, 0), 3)
    first, second = (
        augment(np.asarray(crop, np.uint8), POINTS, TO_MODEL, MODEL, AugmentConfig(), np.random.default_rng(9)) for _ in "ab"
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("settings", [{"flip": 1.2}, {"blur": -0.1}, {"zoom": 1.0}, {"warp": -1.0}, {"rotation": 200.0}])
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        AugmentConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [64, 128])
def test_focus_is_high_on_eyes_and_mouth_and_low_outside(size: int) -> None:
    points = align.template("ibug68", size)
    weight = focus_map(points, size)
    assert weight.shape == (size, size)
    assert weight.dtype == np.float32
    x, y = points[36:42].mean(0).round().astype(int)
    assert weight[y, x] == pytest.approx(DETAIL, rel=0.05)
    x, y = points[48:60].mean(0).round().astype(int)
    assert weight[y, x] == pytest.approx(DETAIL, rel=0.05)
    cheek = ((points[3] + points[31]) / 2).round().astype(int)
    assert weight[cheek[1], cheek[0]] == pytest.approx(FACE, rel=0.05)
    assert weight[0, 0] == pytest.approx(OUTSIDE, rel=0.05)


def test_focus_of_points_outside_the_picture() -> None:
    weight = focus_map(align.template("ibug68", 64) + 500, 64)
    np.testing.assert_allclose(weight, OUTSIDE, atol=1e-6)

"""The augmentation: truth and warped picture show the same face, and every number does what it says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian import align
from bianlian.errors import ConfigError
from bianlian.faceset.header import FACESET_COVERAGE
from bianlian.geometry import apply
from bianlian.train.augment import GAN_REFERENCE, AugmentConfig, augment, match_colour, model_from_faceset, streak
from bianlian.train.focus import DETAIL, FACE, OUTSIDE, eye_map, focus_map
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
    _, truth, weight, *_ = augment(spot(150, 120), points, TO_MODEL, MODEL, config, np.random.default_rng(0))
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


@pytest.mark.parametrize(
    "settings",
    [
        {"flip": 1.2},
        {"blur": -0.1},
        {"zoom": 1.0},
        {"warp": -1.0},
        {"rotation": 200.0},
        {"match": 1.5},
        {"motion": -1.0},
        {"reach": (1.2, 1.0)},
    ],
)
def test_settings_out_of_range(settings: dict[str, object]) -> None:
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


class Always(np.random.Generator):
    """Chance that always gives one number in [0, 1)."""

    def __init__(self, *numbers: float) -> None:
        super().__init__(np.random.PCG64(0))
        self._numbers = list(numbers)

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return self._numbers.pop(0)


def test_colour_match_gives_the_mean_and_spread_of_the_other_face() -> None:
    rng = np.random.default_rng(0)
    mine = (100 + 10 * rng.standard_normal((SIZE, SIZE, 3))).astype(np.uint8)
    other = (np.array([150, 120, 90]) + np.array([20, 15, 5]) * rng.standard_normal((SIZE, SIZE, 3))).astype(np.uint8)
    mine[:60] = 255  # a border of 60 pixels is not measured
    inner = (slice(60, -60), slice(60, -60))
    full = match_colour(mine, other, Always(0.999999, 0.9))  # all the way, in RGB
    np.testing.assert_allclose(full[inner].mean((0, 1)), other[inner].mean((0, 1)), atol=1)
    np.testing.assert_allclose(full[inner].std((0, 1)), other[inner].std((0, 1)), rtol=0.05)
    half = match_colour(mine, other, Always(0.5, 0.9))
    np.testing.assert_allclose(half[inner].mean((0, 1)), (mine[inner].mean((0, 1)) + other[inner].mean((0, 1))) / 2, atol=1)
    np.testing.assert_array_equal(match_colour(mine, other, Always(0.0, 0.9)), mine)


def test_colour_match_in_xyz_moves_the_means_there() -> None:
    mine, other = (np.full((SIZE, SIZE, 3), value, np.uint8) for value in ((120, 100, 90), (140, 130, 60)))
    mine[::2] -= 8  # flat faces have no spread to scale
    other[::2] -= 16
    matched = match_colour(mine, other, Always(0.999999, 0.1))
    # XYZ is a linear map of RGB, so that the means agree in RGB as well
    np.testing.assert_allclose(matched[60:-60, 60:-60].mean((0, 1)), other[60:-60, 60:-60].mean((0, 1)), atol=1.5)


@pytest.mark.parametrize("size", [3, 5, 7, 9, 11])
def test_a_motion_blur_is_a_line_through_the_middle_that_keeps_the_light(size: int) -> None:
    flat = streak(size, 0.0)
    np.testing.assert_allclose(flat[size // 2], 1 / size, rtol=1e-5)
    for angle in (0.0, 30.0, 90.0):
        kernel = streak(size, angle)
        assert kernel.shape == (size, size)
        assert kernel.sum() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(streak(size, 90.0), flat.T, atol=1e-3)


@pytest.mark.parametrize("denoise", [False, True])
def test_corruption_changes_both_pictures_or_the_input_alone(denoise: bool) -> None:
    crop = np.random.default_rng(0).integers(60, 200, (SIZE, SIZE, 3)).astype(np.uint8)
    tint = np.full((SIZE, SIZE, 3), (200, 40, 40), np.uint8)
    config = AugmentConfig(rotation=0, zoom=0, shift=0, flip=0, warp=0, light=0, blur=0, match=1, motion=1, denoise=denoise)
    plain = augment(crop, POINTS, TO_MODEL, MODEL, STILL, np.random.default_rng(4))[1]
    warped, truth, *_ = augment(crop, POINTS, TO_MODEL, MODEL, config, np.random.default_rng(4), tint=tint)
    assert np.abs(warped.astype(int) - plain).mean() > 5
    assert (np.array_equal(truth, plain), np.array_equal(truth, warped)) == (denoise, not denoise)


def test_reach_shows_more_of_the_face() -> None:
    # A spot 20 model pixels right of the middle; shown 1.25 times as wide it lies at 16.
    config = AugmentConfig(rotation=0, zoom=0, shift=0, flip=0, warp=0, light=0, blur=0, reach=(1.25, 1.25))
    warped, truth, *_ = augment(spot(177.5, 127.5), POINTS, TO_MODEL, MODEL, config, np.random.default_rng(0))
    np.testing.assert_allclose(centre(warped), [31.5 + 16, 31.5], atol=0.1)
    # the truth is the best similarity for the wider grid: it shows as much
    np.testing.assert_allclose(centre(truth), [31.5 + 16, 31.5], atol=0.1)
    assert GAN_REFERENCE.reach == (78 / 80, 97 / 80)
    assert (GAN_REFERENCE.rotation, GAN_REFERENCE.zoom, GAN_REFERENCE.shift, GAN_REFERENCE.flip) == (10, 0.1, 0.05, 0.5)


def test_eyes_are_widened_and_softened() -> None:
    size = 160  # where the kernels are 13 and 7
    points = np.zeros((68, 2))
    points[36:42] = points[42:48] = (80.0, 50.0)  # an eye of one pixel
    eyes = eye_map(points, size)
    assert eyes[50, 80] == pytest.approx(1, abs=1e-5)
    assert eyes.sum() == pytest.approx(13 * 13, rel=1e-4)  # a blur moves light, but makes none
    rows = np.flatnonzero(eyes.any(1))
    assert (rows[0], rows[-1]) == (50 - 6 - 3, 50 + 6 + 3)


def test_what_is_put_before_a_face_is_in_the_input_alone_and_the_map_says_where() -> None:
    crop = np.full((SIZE, SIZE, 3), (150, 110, 90), np.uint8)
    front = np.full((SIZE, SIZE, 3), (20, 200, 60), np.uint8)
    covers, changes = [], []
    for seed in range(30):
        warped, truth, *_, hidden = augment(crop, POINTS, TO_MODEL, MODEL, STILL, np.random.default_rng(seed), front=front)
        assert np.ptp(truth.reshape(-1, 3), 0).max() == 0  # bare
        covers.append(hidden)
        changes.append(np.abs(warped.astype(int) - truth).max(2))
    hidden, change = np.stack(covers), np.stack(changes)
    assert 0.03 < hidden.mean() < 0.6
    assert change[hidden > 0.9].mean() > 3 * change[hidden < 0.1].mean()  # shadows fall beside it
    assert augment(crop, POINTS, TO_MODEL, MODEL, STILL, np.random.default_rng(0))[-1].max() == 0

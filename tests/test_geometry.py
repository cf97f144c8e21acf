"""Similarity fits, affine chains and boxes against answers worked out by hand or by construction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bianlian.errors import InputError
from bianlian.geometry import (
    affine,
    apply,
    box_of,
    compose,
    inside_share,
    invert,
    iou,
    ious,
    nms,
    procrustes,
    scale_of,
    scaling,
    umeyama,
)

SQUARE = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])


def similarity(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


@given(st.floats(-3.1, 3.1), st.floats(0.01, 50), st.floats(-500, 500), st.floats(-500, 500))
def test_umeyama_recovers_a_similarity(angle: float, scale: float, x: float, y: float) -> None:
    truth = similarity(angle, scale, x, y)
    points = np.random.default_rng(0).normal(size=(7, 2))
    np.testing.assert_allclose(umeyama(points, apply(truth, points)), truth, atol=1e-6 * max(1, scale, abs(x), abs(y)))


def test_umeyama_never_reflects() -> None:
    mirrored = SQUARE * [-1, 1] + [0.0, 0.3]  # a mirror would fit exactly; a rotation cannot
    linear = umeyama(SQUARE + np.array([[0, 0], [0, 0], [1, 0], [0, 0]]), mirrored)[:, :2]
    assert np.linalg.det(linear) > 0


def test_umeyama_is_the_least_squares_optimum() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.normal(size=(9, 2)), rng.normal(size=(9, 2))

    def cost(m: np.ndarray) -> float:
        return float(((apply(m, p) - q) ** 2).sum())

    best = umeyama(p, q)
    for _ in range(200):  # any nearby similarity is worse
        angle, scale, x, y = rng.normal(scale=0.01, size=4)
        assert cost(compose(similarity(angle, 1 + scale, x, y), best)) >= cost(best) - 1e-12


@pytest.mark.parametrize(
    ("p", "q", "message"),
    [
        (SQUARE, SQUARE[:3], "equal length"),
        (SQUARE[:1], SQUARE[:1], "N >= 2"),
        (np.zeros((3, 2)), SQUARE[:3], "coincide"),
        (SQUARE * np.nan, SQUARE, "finite"),
    ],
)
def test_umeyama_refuses_what_has_no_answer(p: np.ndarray, q: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        umeyama(p, q)


def test_convention_to_from_chains_read_from_right_to_left() -> None:
    b_from_a, c_from_b = similarity(0.3, 2, 1, 5), similarity(-1.0, 0.5, 7, -2)
    c_from_a = compose(c_from_b, b_from_a)
    np.testing.assert_allclose(apply(c_from_a, SQUARE), apply(c_from_b, apply(b_from_a, SQUARE)))


def test_invert_is_the_way_back() -> None:
    m = similarity(0.7, 3, -4, 9)
    np.testing.assert_allclose(compose(invert(m), m), [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    with pytest.raises(InputError, match="zero area"):
        invert(np.zeros((2, 3)))


def test_convention_scaling_keeps_pixel_centres_on_integers() -> None:
    # The left edge of the first pixel is x = -0.5 at every size; the right edge of the last is size - 0.5.
    np.testing.assert_allclose(apply(scaling(2.0), np.array([[-0.5, -0.5], [9.5, 9.5]])), [[-0.5, -0.5], [19.5, 19.5]])


def test_scale_of_a_similarity() -> None:
    assert scale_of(similarity(1.2, 2.5, 3, 4)) == pytest.approx(2.5)


def test_boxes() -> None:
    np.testing.assert_array_equal(box_of(SQUARE + 1), [1, 1, 3, 3])
    assert iou([0, 0, 2, 2], [1, 0, 3, 2]) == pytest.approx(2 / 6)  # overlap 2 of a union of 6
    assert iou([0, 0, 1, 1], [5, 5, 6, 6]) == 0
    some = np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])
    assert ious(some, some[1]) == pytest.approx([2 / 6, 1, 0])
    boxes = np.array([[0.0, 0, 2, 2], [0.1, 0, 2, 2], [5, 5, 7, 7]])
    assert nms(boxes, np.array([0.5, 0.9, 0.4]), 0.5) == [1, 2]


def test_inside_share_counts_whole_pixels_as_inside() -> None:
    assert inside_share([-0.5, -0.5, 9.5, 9.5], 10, 10) == 1.0  # the picture's own border
    assert inside_share([-5.5, -0.5, 4.5, 9.5], 10, 10) == pytest.approx(0.5)
    assert inside_share([20, 20, 30, 30], 10, 10) == 0.0


def turned(points: NDArray[np.float64], mirror: bool = False) -> NDArray[np.float64]:
    """Points scaled by 1.7, turned by 30 degrees and moved; mirrored first."""
    angle = np.radians(30)
    turn = 1.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points * ([-1, 1] if mirror else [1, 1])) @ turn.T + [3.0, -5.0]


@pytest.mark.parametrize("mirror", [False, True])
def test_procrustes_finds_rotations_and_reflections(mirror: bool) -> None:
    points = np.random.default_rng(0).normal(size=(9, 2))
    found = procrustes(points, turned(points, mirror))
    np.testing.assert_allclose(apply(found, points), turned(points, mirror), atol=1e-9)
    assert np.linalg.det(found[:, :2]) == pytest.approx(-(1.7**2) if mirror else 1.7**2)


def test_procrustes_is_umeyama_on_what_is_no_mirror_image() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(51, 2))
    other = turned(points) + rng.normal(0, 0.1, (51, 2))
    np.testing.assert_allclose(procrustes(points, other), umeyama(points, other), atol=1e-9)
    mirrored = turned(points, mirror=True)
    better, worse = (np.square(apply(fit(points, mirrored), points) - mirrored).sum() for fit in (procrustes, umeyama))
    assert better < 1e-9 < worse


def test_partial_procrustes_keeps_sizes() -> None:
    points = np.random.default_rng(2).normal(size=(9, 2))
    found = procrustes(points, turned(points), scale=False)
    np.testing.assert_allclose(found[:, :2] @ found[:, :2].T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(found[:, :2] * 1.7, umeyama(points, turned(points))[:, :2], atol=1e-9)


def test_affine_finds_any_affine_map_and_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(3)
    wanted, points = rng.normal(size=(2, 3)), rng.normal(size=(20, 2)) + 50
    np.testing.assert_allclose(affine(points, apply(wanted, points)), wanted, atol=1e-8)
    noisy = apply(wanted, points) + rng.normal(0, 0.1, (20, 2))
    best = np.linalg.lstsq(np.concatenate([points, np.ones((20, 1))], axis=1), noisy, rcond=None)[0].T
    np.testing.assert_allclose(affine(points, noisy), best, atol=1e-7)


@pytest.mark.parametrize(
    ("fit", "points", "message"),
    [
        (procrustes, np.ones((4, 2)), "procrustes wants points that do not all coincide"),
        (procrustes, np.zeros((1, 2)), "procrustes wants two"),
        (affine, np.stack([np.arange(5.0), 2 * np.arange(5.0)], 1), "affine wants points that do not lie on one line"),
        (affine, np.eye(2), "N >= 3"),
        (affine, np.full((4, 2), np.nan), "affine wants finite points"),
    ],
)
def test_fits_refuse_points_that_decide_nothing(fit: Callable[..., object], points: NDArray[np.float64], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit(points, np.random.default_rng(0).normal(size=points.shape))

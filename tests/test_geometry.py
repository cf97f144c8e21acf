"""Similarity fits, affine chains and boxes against answers worked out by hand or by construction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.errors import InputError
from bianlian.geometry import apply, box_of, compose, inside_share, invert, iou, nms, scale_of, scaling, umeyama

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
    boxes = np.array([[0.0, 0, 2, 2], [0.1, 0, 2, 2], [5, 5, 7, 7]])
    assert nms(boxes, np.array([0.5, 0.9, 0.4]), 0.5) == [1, 2]


def test_inside_share_counts_whole_pixels_as_inside() -> None:
    assert inside_share([-0.5, -0.5, 9.5, 9.5], 10, 10) == 1.0  # the picture's own border
    assert inside_share([-5.5, -0.5, 4.5, 9.5], 10, 10) == pytest.approx(0.5)
    assert inside_share([20, 20, 30, 30], 10, 10) == 0.0

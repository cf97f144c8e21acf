"""Photos laid over a face: parts come to lie where the face has them, the better side is shown, and nothing jumps."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from bianlian import align
from bianlian.geometry import apply
from bianlian.landmark.schemes import INNER, MIRRORED68
from bianlian.train.lay import View, laid, misfit
from bianlian.types import Image, Points

SIDE = 128
MEAN = align.template("ibug68", SIDE, 0.6)
TURN = np.array([[1.3, -0.3, 40.0], [0.3, 1.3, -10.0]])
"""A photo of another size, in which the head is tilted."""


def photo(seed: int = 0, side: int = 256) -> Image:
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 8)
    return np.asarray(cv2.normalize(blurred, blurred, 0, 255, cv2.NORM_MINMAX), np.uint8)


def looking(points: Points, aside: float) -> Points:
    """Turn a face: the nose moves, the rest stays."""
    moved = points.copy()
    moved[27:36, 0] += aside * SIDE
    return moved


def apart(a: Image, b: Image) -> float:
    inner = (slice(32, 96), slice(32, 96))
    return float(np.abs(a[inner].astype(float) - b[inner]).mean())


def test_a_face_of_the_same_shape_is_only_moved() -> None:
    shown = View(photo(), apply(TURN, MEAN))
    wanted = cv2.warpAffine(shown.picture, TURN, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert apart(laid([shown], MEAN, SIDE), np.asarray(wanted, np.uint8)) < 2  # grey levels, of pictures that differ by some 60
    assert apart(laid([shown, shown.mirrored()], MEAN, SIDE), np.asarray(wanted, np.uint8)) < 8  # it is hardly mixed with itself


def test_parts_come_to_lie_where_the_face_has_them() -> None:
    rng = np.random.default_rng(1)
    moved = MEAN + rng.normal(0, 1.5, MEAN.shape)
    points = apply(TURN, MEAN)
    for k in (30, 36, 45, 48, 54):  # tip of the nose, outer corners of the eyes, corners of the mouth
        picture = np.zeros((256, 256, 3), np.float32)
        cv2.circle(picture, tuple(round(v * 16) for v in points[k]), 4 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
        seen = laid([View(picture.astype(np.uint8), points)], moved, SIDE)[..., 0].astype(float)
        y, x = np.mgrid[:SIDE, :SIDE]
        middle = np.array([(seen * x).sum(), (seen * y).sum()]) / seen.sum()
        assert np.linalg.norm(middle - moved[k]) < 1  # pixels; it was moved by about 2, and by 40 before that


def test_the_outline_does_not_count() -> None:
    shown, other = View(photo(), MEAN), MEAN.copy()
    other[:17] += 20
    np.testing.assert_array_equal(laid([shown], other, SIDE), laid([shown], MEAN, SIDE))


def test_a_smaller_view_shows_the_same() -> None:
    shown = View(photo(), apply(TURN, MEAN))
    small = shown.at(160)
    assert (small.picture.shape, shown.at(256)) == ((160, 160, 3), shown)
    assert apart(laid([small], MEAN, SIDE), laid([shown], MEAN, SIDE)) < 3


def test_a_photo_serves_both_ways_round() -> None:
    aside = View(photo(side=SIDE), looking(MEAN, 0.08))
    other = aside.mirrored()
    np.testing.assert_array_equal(other.picture, aside.picture[:, ::-1])
    np.testing.assert_allclose(other.mirrored().points, aside.points)
    assert other.points[36, 0] < other.points[45, 0]  # the person's right eye is on the picture's left again
    assert sorted(MIRRORED68) == list(range(68))
    both = laid([aside, other], looking(MEAN, -0.08), SIDE)
    assert apart(both, laid([other], looking(MEAN, -0.08), SIDE)) == 0
    assert apart(both, laid([aside], looking(MEAN, -0.08), SIDE)) > 10


def test_one_view_gives_way_to_another_by_and_by() -> None:
    aside = View(photo(side=SIDE), looking(MEAN, 0.08))
    views, way = [aside, aside.mirrored()], np.linspace(0.08, -0.08, 41)
    seen = [laid(views, looking(MEAN, step), SIDE) for step in way]
    steps = [apart(a, b) for a, b in pairwise(seen)]
    assert max(steps) < 0.25 * apart(seen[0], seen[-1])


def test_misfit_is_of_shapes_alone() -> None:
    shape = MEAN[INNER]
    assert misfit(apply(TURN, shape), shape) == pytest.approx(0, abs=1e-9)
    further = [misfit(looking(MEAN, aside)[INNER], shape) for aside in (0.02, 0.04, 0.08)]
    assert 0 < further[0] < further[1] < further[2] < 1

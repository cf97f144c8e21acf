"""A head on a photo is turned as far as was asked, its features go where its points go, and its border stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.landmark.pose import HEAD68, head_pose
from bianlian.swap.turn import carried, turned
from bianlian.train.disturb import side_lit
from bianlian.types import Landmarks, Points

SIDE = 128


def head() -> Points:
    """Points of the mean head from in front, 64 pixels wide."""
    return np.array(HEAD68)[:, :2] * 64 + (SIDE / 2, SIDE / 2 - 20)


def spots(points: Points) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = np.full((SIDE, SIDE, 3), 40, np.uint8)
    for x, y in points:
        cv2.circle(picture, (round(x), round(y)), 3, (250, 250, 250), -1)
    return picture


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (15, 0), (-20, 0), (0, 10), (0, -12), (12, 8)])
def test_a_head_is_turned_as_far_as_was_asked(yaw: float, pitch: float) -> None:
    moved = turned(head(), yaw, pitch)
    found = head_pose(Landmarks(moved, "ibug68"))
    np.testing.assert_allclose(found, (yaw, pitch, 0), atol=0.01)  # the mean head itself: its depth is exact
    again = turned(moved, -5.0, 0.0)  # of a head that is turned already
    assert head_pose(Landmarks(again, "ibug68"))[0] == pytest.approx(yaw - 5, abs=1.5 if pitch else 0.01)


def test_what_lies_at_the_points_goes_where_they_go() -> None:
    points = head()
    chosen = [30, 36, 45, 48, 54]
    moved = turned(points, 15, 0)
    shown = carried(spots(points[chosen]), points, moved)
    for x, y in moved[chosen]:
        assert shown[round(y), round(x)].min() > 200
    assert np.abs(moved[30] - points[30]).max() > 3  # the nose goes aside, and leaves its place
    assert shown[round(points[30, 1]), round(points[30, 0])].max() < 100
    np.testing.assert_array_equal(shown[0], 40)
    np.testing.assert_array_equal(carried(spots(points), points, points), spots(points))


def test_light_from_a_side_rises_evenly() -> None:
    rng, grey = np.random.default_rng(3), np.full((65, 65, 3), 100, np.uint8)
    shown = side_lit(grey, rng, 0.1).astype(np.float64)
    assert shown[32, 32, 0] == 100  # the middle stays
    opposite = np.log(shown / 100) + np.log(shown[::-1, ::-1] / 100)
    assert np.abs(opposite).max() < 0.02  # as much brighter here as darker there, but for rounding
    assert np.abs(np.log(shown / 100)).max() > 0.05

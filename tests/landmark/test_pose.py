"""Head pose: a head turned by known angles and projected gives those angles back, in the stated directions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bianlian.errors import InputError
from bianlian.landmark.pose import HEAD68, head_pose
from bianlian.landmark.schemes import LEFT_EYE, RIGHT_EYE
from bianlian.types import Landmarks

MIRROR = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
]


def seen(yaw: float, pitch: float, roll: float, scale: float = 200.0) -> Landmarks:
    """Project the mean head, turned with x right, y down, z away: pitch about x, then yaw about y, then roll about z.

    In these axes a positive turn about y moves what is in front (negative z) to negative x, so the stated directions (image right,
    down, counter-clockwise) are negative turns about y and z and a positive one about x... each checked below by a visible effect.
    """
    y, p, r = np.radians([yaw, pitch, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turned = np.array(HEAD68) @ (about_z @ about_y @ about_x).T
    return Landmarks(scale * turned[:, :2] + 300, "ibug68")


@given(st.floats(-75, 75), st.floats(-60, 60), st.floats(-170, 170), st.floats(5, 900))
@settings(max_examples=60, deadline=None)
def test_known_angles_come_back(yaw: float, pitch: float, roll: float, scale: float) -> None:
    np.testing.assert_allclose(head_pose(seen(yaw, pitch, roll, scale)), (yaw, pitch, roll), atol=1e-4)


def test_convention_positive_yaw_moves_the_nose_to_the_image_right() -> None:
    points = seen(25, 0, 0).points
    assert points[30, 0] > points[[36, 45], 0].mean() + 5


def test_convention_positive_pitch_moves_the_nose_down_towards_the_chin() -> None:
    level, down = seen(0, 0, 0).points, seen(0, 20, 0).points
    assert (down[30, 1] - down[27, 1]) / (down[8, 1] - down[27, 1]) > (level[30, 1] - level[27, 1]) / (level[8, 1] - level[27, 1])


def test_convention_positive_roll_is_counter_clockwise_as_seen() -> None:
    """Counter-clockwise on the screen, with y down: the eye on the image's right goes up."""
    points = seen(0, 0, 20).points
    assert points[LEFT_EYE].mean(0)[1] < points[RIGHT_EYE].mean(0)[1]


def test_a_mirrored_face_has_mirrored_angles() -> None:
    landmarks = seen(20, 8, -6)
    flipped = Landmarks(np.stack([-landmarks.points[MIRROR, 0], landmarks.points[MIRROR, 1]], axis=1), "ibug68")
    np.testing.assert_allclose(head_pose(flipped), (-20, 8, 6), atol=0.1)


def test_five_points_are_enough_for_a_rough_pose() -> None:
    points = seen(20, 5, 10).points
    five: NDArray[np.float64] = np.stack([points[RIGHT_EYE].mean(0), points[LEFT_EYE].mean(0), points[30], points[48], points[54]])
    np.testing.assert_allclose(head_pose(Landmarks(five, "five")), (20, 5, 10), atol=0.5)


def test_points_on_a_line_are_refused() -> None:
    with pytest.raises(InputError, match="one line"):
        head_pose(Landmarks(np.stack([np.arange(68.0), np.arange(68.0)], axis=1), "ibug68"))

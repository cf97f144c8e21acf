"""The landmarker that hands on the detector's own points."""

from __future__ import annotations

import numpy as np

from bianlian.landmark.five import FivePoints
from bianlian.landmark.schemes import convert
from bianlian.types import Face, Landmarks

BOX = np.array([0.0, 0.0, 10.0, 10.0])
PICTURE = np.zeros((20, 20, 3), np.uint8)


def test_five_points_are_handed_on_and_missing_ones_are_none() -> None:
    points = np.arange(10.0).reshape(5, 2)
    with_points, without = Face(BOX, 0.5, Landmarks(points, "five")), Face(BOX, 0.4)
    first, second = FivePoints().mark(PICTURE, [with_points, without])
    assert second is None
    assert first is not None
    assert first.landmarks is not None
    assert first.score == 0.5
    np.testing.assert_array_equal(first.landmarks.points, points)


def test_a_mesh_is_reduced() -> None:
    mesh = Landmarks(np.random.default_rng(0).uniform(0, 10, (468, 2)), "mesh468")
    (face,) = FivePoints().mark(PICTURE, [Face(BOX, 0.5, mesh)])
    assert face is not None
    assert face.landmarks is not None
    np.testing.assert_array_equal(face.landmarks.points, convert(mesh, "five").points)

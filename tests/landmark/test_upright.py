"""Upright pictures of turned faces, from points or from a box."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bianlian.geometry import apply, box_of, invert
from bianlian.landmark._upright import head_from_face, head_from_points, misfit, square_from_head
from bianlian.landmark.pose import HEAD68
from bianlian.landmark.schemes import convert
from bianlian.types import Face, Landmarks, Matrix

FRONT = np.array(HEAD68)[:, :2]


def placed(degrees: float, scale: float) -> tuple[Landmarks, Matrix]:
    """The mean head seen from the front, turned and scaled -> its 68 points, and the map that put it there."""
    angle = np.radians(degrees)
    frame = np.array([[np.cos(angle), -np.sin(angle), 300.0 / scale], [np.sin(angle), np.cos(angle), 200.0 / scale]]) * scale
    return Landmarks(apply(frame, FRONT), "ibug68"), frame


@given(st.floats(-180, 180), st.floats(5, 500))
@settings(max_examples=20, deadline=None)
def test_a_turned_head_is_put_upright(degrees: float, scale: float) -> None:
    points, frame = placed(degrees, scale)
    for landmarks in (points, convert(points, "five")):
        np.testing.assert_allclose(apply(head_from_points(landmarks), apply(frame, FRONT)), FRONT, atol=1e-6)
    assert misfit(points) < 1e-6


def test_a_box_means_an_upright_head() -> None:
    points, frame = placed(0, 120)
    np.testing.assert_allclose(head_from_face(Face(box_of(points.points), 1.0)), invert(frame), atol=1e-6)


def test_the_square_is_centred() -> None:
    view = square_from_head((0.1, 0.2), 2.0, 400)
    np.testing.assert_allclose(apply(view, [[0.1, 0.2], [1.1, 0.2]]), [[199.5, 199.5], [399.5, 199.5]])


def test_misfit_is_the_distance_in_outline_widths() -> None:
    """Noise of 0.05 a coordinate moves a point by 0.05 times the root of 2; the fit takes little of that away from 51 points."""
    noise = np.random.default_rng(0).normal(0, 0.05, (68, 2))
    assert misfit(Landmarks(FRONT + noise, "ibug68")) == pytest.approx(0.05 * np.sqrt(2), rel=0.15)

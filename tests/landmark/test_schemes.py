"""Landmark schemes: the maps between them are exact, and go down only."""

from __future__ import annotations

import numpy as np
import pytest

from bianlian.errors import InputError
from bianlian.landmark.schemes import FIVE_FROM_IBUG68, IBUG68_FROM_MESH, LEFT_IRIS, RIGHT_IRIS, convert, five_of
from bianlian.types import SCHEMES, Landmarks

ORDER = ("mesh478", "mesh468", "ibug68", "five")


def numbered(scheme: str) -> Landmarks:
    """Landmarks whose point k lies at (k, 1000 + k): where a point came from can be read off."""
    rows = np.arange(float(SCHEMES[scheme]))
    return Landmarks(np.stack([rows, 1000 + rows], axis=1), scheme)


def test_each_step_down_takes_the_named_points() -> None:
    np.testing.assert_array_equal(convert(numbered("mesh478"), "mesh468").points, numbered("mesh468").points)
    np.testing.assert_array_equal(convert(numbered("mesh468"), "ibug68").points[:, 0], IBUG68_FROM_MESH)
    five = convert(numbered("ibug68"), "five").points[:, 0]
    np.testing.assert_array_equal(five, [(36 + 41) / 2, (42 + 47) / 2, 30, 48, 54])  # means of rows 36-41 and 42-47


@pytest.mark.parametrize("above", ORDER)
@pytest.mark.parametrize("below", ORDER)
def test_every_way_down_is_the_steps_one_after_another(above: str, below: str) -> None:
    start, end = ORDER.index(above), ORDER.index(below)
    if end < start:
        with pytest.raises(InputError, match=f"too few points for {below}"):
            convert(numbered(above), below)
        return
    stepped = numbered(above)
    for scheme in ORDER[start : end + 1]:
        stepped = convert(stepped, scheme)
    straight = convert(numbered(above), below)
    assert straight.scheme == below
    np.testing.assert_array_equal(straight.points, stepped.points)


def test_a_scheme_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match="five, ibug68, mesh468, mesh478"):
        convert(numbered("ibug68"), "ibug69")


def test_irises_are_the_rows_that_the_mesh_lacks() -> None:
    rows = np.arange(SCHEMES["mesh478"])
    np.testing.assert_array_equal([*rows[RIGHT_IRIS], *rows[LEFT_IRIS]], rows[SCHEMES["mesh468"] :])


def test_five_points_are_means_of_the_68() -> None:
    points = np.random.default_rng(0).normal(size=(68, 2))
    expected = [points[list(rows)].mean(0) for rows in FIVE_FROM_IBUG68]
    np.testing.assert_array_equal(five_of(points), expected)

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bianlian.align import template
from bianlian.errors import ConfigError, InputError
from bianlian.geometry import apply
from bianlian.landmark.schemes import IBUG68_FROM_MESH
from bianlian.mask.hull import BORDER, LIFT, face_size, hull_mask, outline
from bianlian.types import Landmarks, Points

SQUARE = np.array([[20.0, 20.0], [60.0, 20.0], [60.0, 60.0], [20.0, 60.0]])
ROUND = np.array([(50 + 26 * np.cos(a), 50 + 30 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 24, endpoint=False)])


def face() -> Landmarks:
    return Landmarks(template("ibug68", 100), "ibug68")


def inside(polygon: Points, point: tuple[float, float]) -> bool:
    return bool(hull_mask(polygon, (101, 101), erode=0, feather=0)[round(point[1]), round(point[0])] > 0)


def test_outline_reaches_from_above_the_brows_to_the_chin() -> None:
    points = face().points
    edge = outline(face())
    # The highest brow point is lifted by LIFT of the way from chin to bridge; the chin is the lowest point of all.
    lifted = points[17:27, 1].min() - LIFT * (points[8, 1] - points[27, 1])
    assert edge[:, 1].min() == pytest.approx(lifted, abs=1e-4)
    assert edge[:, 1].max() == pytest.approx(points[8, 1], abs=1e-4)
    assert inside(edge, tuple(points[30]))
    assert not inside(edge, (50, 2))


def test_mesh_outline_is_the_mesh_oval_below_the_brows() -> None:
    mesh = np.full((468, 2), 50.0)
    named = template("ibug68", 100)
    mesh[list(IBUG68_FROM_MESH)] = named
    edge = outline(Landmarks(mesh, "mesh468"))
    assert edge[:, 1].max() == pytest.approx(named[8, 1], abs=1e-4)
    assert edge[:, 1].min() < named[17:27, 1].min()


def test_five_points_are_refused() -> None:
    with pytest.raises(InputError, match="five points"):
        outline(Landmarks(template("five", 100), "five"))


def test_face_size_is_the_root_of_the_area() -> None:
    assert face_size(SQUARE) == pytest.approx(40.0)  # 40 x 40


def test_mask_rises_from_nothing_at_the_edge_to_one_inside() -> None:
    mask = hull_mask(SQUARE, (80, 80), erode=0, feather=50)
    # 50 % of 40 px: the ramp is 20 px long, so it ends just at the middle; half way (10 px deep) smoothstep gives 1/2.
    assert mask[40, 20] == 0
    assert mask[40, 30] == pytest.approx(0.5)
    assert mask[40, 40] == pytest.approx(1.0)
    assert mask[:20].max() == mask[:, :20].max() == mask[61:].max() == 0
    assert mask.dtype == np.float32


@pytest.mark.parametrize(("erode", "first"), [(0.0, 21), (10.0, 25), (-10.0, 17)])
def test_erode_moves_the_edge(erode: float, first: int) -> None:
    # 10 % of 40 px is 4 px; with a hard edge the first pixel deeper than the edge is one further in.
    row = hull_mask(SQUARE, (80, 80), erode=erode, feather=0)[40]
    assert np.flatnonzero(row)[0] == first


def test_mask_keeps_off_the_limit() -> None:
    limit = np.array([[30.0, 0.0], [79.0, 0.0], [79.0, 79.0], [30.0, 79.0]])
    mask = hull_mask(SQUARE, (80, 80), erode=0, feather=12, limit=limit)
    assert mask[:, :31].max() == 0
    assert mask[40, 45] == 1


@pytest.mark.parametrize("erode", [-12.0, -4.0, 0.0, 6.0])
@pytest.mark.parametrize("inset", [0.0, 12.0, 18.0, 24.0])
def test_mask_is_the_smaller_of_its_own_and_of_the_limits(erode: float, inset: float) -> None:
    # Whether or not the limit is so far off that it need not be looked at: each fades by the same pixels.
    far, unit = 99 - inset, face_size(ROUND)
    limit = np.array([[inset, inset], [far, inset], [far, far], [inset, far]])
    share = unit / face_size(limit)
    alone = hull_mask(ROUND, (100, 100), erode=erode, feather=8)
    beyond = hull_mask(limit, (100, 100), erode=100 * BORDER * share, feather=8 * share)
    both = hull_mask(ROUND, (100, 100), erode=erode, feather=8, limit=limit)
    assert_allclose(both, np.minimum(alone, beyond), atol=1e-5)


def test_mask_does_not_fade_at_the_edge_of_the_picture() -> None:
    mask = hull_mask(SQUARE - np.array([40, 0]), (80, 80), erode=0, feather=10)  # its left half lies outside
    assert mask[40, 0] == 1


def test_mask_follows_by_fractions_of_a_pixel() -> None:
    a = hull_mask(SQUARE, (80, 80), feather=20)
    b = hull_mask(SQUARE + np.array([0.25, 0.0]), (80, 80), feather=20)
    assert 0 < np.abs(a - b).max() < 0.1


def test_mask_of_a_turned_face_is_the_turned_mask() -> None:
    edge = outline(face())
    quarter = np.array([[0.0, -1.0, 99.0], [1.0, 0.0, 0.0]])  # (x, y) -> (99 - y, x)
    turned = hull_mask(apply(quarter, edge), (100, 100))
    np.testing.assert_allclose(turned, np.rot90(hull_mask(edge, (100, 100)), -1), atol=1e-3)


@pytest.mark.parametrize(("erode", "feather"), [(51, 10), (-51, 10), (0, -1), (0, 101), (float("nan"), 1)])
def test_settings_out_of_range_are_refused(erode: float, feather: float) -> None:
    with pytest.raises(ConfigError, match="percent"):
        hull_mask(SQUARE, (80, 80), erode=erode, feather=feather)

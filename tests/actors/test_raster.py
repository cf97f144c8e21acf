"""The z-buffer and the light: what is in front hides what is behind, and values between corners are exact."""

from __future__ import annotations

import numpy as np
import pytest

from bianlian.actors.raster import EMPTY, interpolate, rasterise, spread_over_mesh, vertex_normals
from bianlian.actors.shade import HEAD_MASK, INNER_MASK, shade

# Two right triangles with legs along the edges of a picture of 12 x 12; clockwise on the screen, y down, is the front.
POINTS = np.array([[0, 0], [0, 10], [10, 0], [0, 0], [0, 10], [10, 0]], np.float64)
TRIANGLES = np.array([[0, 1, 2], [3, 4, 5]], np.int32)


@pytest.mark.parametrize(("depths", "seen"), [((1.0, 2.0), 1), ((2.0, 1.0), 0)])
def test_what_is_nearer_hides_what_is_behind(depths: tuple[float, float], seen: int) -> None:
    index, nearest = rasterise(POINTS, np.repeat(depths, 3), TRIANGLES, 12, 12, True)
    y, x = np.mgrid[:12, :12]
    inside = x + y <= 10
    assert (index[inside] == seen).all()
    assert (index[~inside] == EMPTY).all()
    np.testing.assert_allclose(nearest[inside], 2.0)


def test_a_tilted_triangle_cuts_through_a_flat_one() -> None:
    # Depth of the second is x: it is in front of the first, at 4.5, from x = 5 on.
    depth = np.array([4.5, 4.5, 4.5, 0, 0, 10])
    index, nearest = rasterise(POINTS, depth, TRIANGLES, 12, 12, True)
    assert [int(k) for k in index[0, :11]] == [0] * 5 + [1] * 6
    np.testing.assert_allclose(nearest[0, :11], np.maximum(np.arange(11), 4.5), atol=1e-5)


def test_backs_are_left_out_only_when_asked() -> None:
    back = TRIANGLES[:1, ::-1].copy()
    assert (rasterise(POINTS, np.zeros(6), back, 12, 12, True)[0] == EMPTY).all()
    assert (rasterise(POINTS, np.zeros(6), back, 12, 12, False)[0] == 0).any()


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    index, _ = rasterise(POINTS * 10 - 20, np.zeros(6), TRIANGLES, 5, 7, True)
    assert index.shape == (5, 7)
    assert (index == 0).all()


def test_values_between_corners_are_linear() -> None:
    # At the corners of the triangle the value is (x, y): it must be (x, y) everywhere.
    index, _ = rasterise(POINTS, np.zeros(6), TRIANGLES[:1], 12, 12, True)
    out = interpolate(index, POINTS, TRIANGLES, POINTS[TRIANGLES].astype(np.float32))
    y, x = np.mgrid[:12, :12]
    seen = index >= 0
    np.testing.assert_allclose(out[seen], np.stack([x, y], 2)[seen], atol=1e-4)
    assert not out[~seen].any()


def test_normals_stand_upright() -> None:
    flat = np.array([[0, 0, 3], [2, 0, 3], [0, 2, 3]], np.float32)
    np.testing.assert_allclose(vertex_normals(flat, np.array([[0, 1, 2]], np.int32)), [[0, 0, 1]] * 3, atol=1e-6)


def test_unknown_values_become_the_mean_of_their_neighbours() -> None:
    # A path 0 - 1 - 2 whose ends are known: its middle settles half-way.
    values = np.array([[0.0], [77.0], [10.0]], np.float32)
    trust, edges = np.array([1, 0, 1], np.float32), np.array([[0, 1], [1, 2]], np.int32)
    np.testing.assert_allclose(spread_over_mesh(values, trust, edges, 3), [[0], [5], [10]])


def lit(step: int, *, ambient: float, diffuse: float, tint: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Shade the first triangle over a grey picture of 12 x 12, light from the front."""
    points = (POINTS + 0.5) * step - 0.5
    index, _ = rasterise(points, np.zeros(6), TRIANGLES[:1], 12 * step, 12 * step, True)
    image, mask = np.full((12, 12, 3), 50, np.uint8), np.zeros((12, 12), np.uint8)
    atlas, normals = np.full((8, 8, 3), 100, np.uint8), np.tile(np.array([0, 0, 1], np.float32), (6, 1))
    ones, none = np.ones(2, np.uint8), np.zeros(2, np.uint8)
    uv, plain, dark = np.full((2, 3, 2), 3, np.float32), np.zeros((2, 3), np.float32), np.ones(6, np.float32)
    light, levels = np.array([0, 0, 1], np.float32), np.array([ambient, diffuse, 0], np.float32)
    corners, gains = points.astype(np.float32), np.array(tint, np.float32)
    shade(index, corners, TRIANGLES, uv, none, ones, atlas, plain, normals, dark, light, levels, gains, step, image, mask)
    return image, mask


def test_light_multiplies_the_texture() -> None:
    image, mask = lit(1, ambient=0.5, diffuse=0.25, tint=(1.0, 2.0, 0.4))
    # From the front Lambert's term is 1: 100 * (0.5 + 0.25) = 75, times the tint.
    assert image[2, 2].tolist() == [75, 150, 30]
    assert image[11, 11].tolist() == [50, 50, 50]
    assert mask[2, 2] == INNER_MASK
    assert mask[11, 11] == 0
    assert HEAD_MASK not in mask


def test_the_edge_of_a_pixel_is_shared_with_what_is_behind() -> None:
    image, _ = lit(2, ambient=1.0, diffuse=0.0, tint=(1.0, 1.0, 1.0))
    # The long edge runs through the pixel (5, 5): of its samples at +-0.25 three are inside x + y <= 10, 0.75 * 100 + 0.25 * 50.
    assert image[5, 5].tolist() == [88, 88, 88]
    assert image[3, 3].tolist() == [100, 100, 100]

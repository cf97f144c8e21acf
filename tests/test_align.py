"""Alignment: the template, the cut and the way back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian import align
from bianlian.errors import ConfigError, InputError
from bianlian.geometry import apply, compose, invert
from bianlian.landmark.schemes import IBUG68_FROM_MESH, convert
from bianlian.types import Landmarks

TILT = np.array([[1.2, -0.5, 90.0], [0.5, 1.2, 40.0]])


@pytest.mark.parametrize("scheme", ["five", "ibug68"])
def test_a_face_that_is_the_template_maps_onto_it(scheme: str) -> None:
    points = apply(TILT, align.template(scheme, 128))
    crop_from_frame = align.crop_from_frame(Landmarks(points, scheme), 128)
    np.testing.assert_allclose(apply(crop_from_frame, points), align.template(scheme, 128), atol=1e-9)
    np.testing.assert_allclose(crop_from_frame, invert(TILT), atol=1e-9)


def test_coverage_is_the_share_of_the_side_that_the_outline_spans() -> None:
    points = align.template("ibug68", 200, 0.6)
    assert np.ptp(points[:, 0]) == pytest.approx(0.6 * 200)
    np.testing.assert_allclose((points.min(0) + points.max(0)) / 2, 99.5, atol=0.2)


def test_convention_template_is_upright_and_symmetric() -> None:
    five = align.template("five", 101)
    assert five[0, 0] < five[2, 0] < five[1, 0]  # the person's right eye is left in the picture
    assert five[0, 1] < five[2, 1] < five[3, 1]  # eyes above nose above mouth: y goes down
    np.testing.assert_allclose(five[[0, 3], 0] + five[[1, 4], 0], 100, atol=1e-6)


def test_outline_points_do_not_move_the_crop() -> None:
    points = align.template("ibug68", 128).copy()
    points[:17] += 30
    np.testing.assert_allclose(align.crop_from_frame(Landmarks(points, "ibug68"), 128), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_cut_and_the_way_back_meet_within_a_tenth_of_a_pixel() -> None:
    # A dot in the frame must lie in the crop where the matrix says, and come back to where it was.
    frame = np.zeros((240, 320, 3), np.uint8)
    y, x = np.mgrid[:240, :320]
    spot = np.array([150.3, 110.7])
    frame[:] = (255 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / 18))[..., None]
    crop = align.cut(frame, invert(TILT), 128)
    grey = crop.image[..., 0].astype(float)
    cy, cx = np.mgrid[:128, :128]
    found = np.array([(grey * cx).sum(), (grey * cy).sum()]) / grey.sum()
    np.testing.assert_allclose(found, apply(invert(TILT), spot[None])[0], atol=0.1)
    np.testing.assert_allclose(apply(align.frame_from_crop(crop), found[None])[0], spot, atol=0.15)
    identity = compose(align.frame_from_crop(crop), crop.crop_from_frame)
    np.testing.assert_allclose(identity, [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_shrinking_does_not_alias() -> None:
    # One-pixel stripes hold no detail that a crop a quarter the size can show: it must come out flat.
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = align.cut(stripes, np.array([[0.23, 0, 0], [0, 0.23, 0]]), 48)
    assert crop.image[8:-8, 8:-8].astype(float).std() < 12


@pytest.mark.parametrize("coverage", [0.0, -1.0, 1.6])
def test_coverage_out_of_range(coverage: float) -> None:
    with pytest.raises(ConfigError, match="coverage"):
        align.template("ibug68", 128, coverage)


def test_schemes_convert_downwards_only() -> None:
    mesh = Landmarks(np.random.default_rng(0).normal(size=(478, 2)), "mesh478")
    sixty_eight = convert(mesh, "ibug68")
    np.testing.assert_array_equal(sixty_eight.points, mesh.points[list(IBUG68_FROM_MESH)])
    five = convert(mesh, "five")
    np.testing.assert_allclose(five.points[0], sixty_eight.points[36:42].mean(0))
    np.testing.assert_array_equal(five.points[2:], sixty_eight.points[[30, 48, 54]])
    with pytest.raises(InputError, match="too few points"):
        convert(five, "ibug68")


def test_the_mesh_map_names_each_vertex_once() -> None:
    assert len(set(IBUG68_FROM_MESH)) == 68
    assert all(0 <= v < 468 for v in IBUG68_FROM_MESH)


@pytest.mark.parametrize("side", [20.0, 60.0, 110.0, 400.0])
@pytest.mark.parametrize("centre", [(80.0, 60.0), (3.0, 60.0), (158.0, 118.0), (-5.0, 50.0)])
def test_reading_only_near_the_face_is_reading_the_whole_frame(side: float, centre: tuple[float, float]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8)
    scale = 32 / side
    place = np.array([[scale, 0, 15.5 - scale * centre[0]], [0, scale, 15.5 - scale * centre[1]]])
    soft = image if scale >= 0.5 else cv2.GaussianBlur(image, (0, 0), 0.5 * (1 / scale - 1))
    flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    whole = cv2.warpAffine(soft, place, (32, 32), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    # A window shifts the numbers that OpenCV rounds to 1/32 px, so levels may differ a little.
    assert np.abs(align.cut(image, place, 32).image.astype(int) - whole).mean() < 1.0


def test_a_crop_off_the_picture_shows_its_border() -> None:
    rows = np.repeat(np.arange(0, 120, dtype=np.uint8)[:, None, None], 160, 1).repeat(3, 2)
    crop = align.cut(rows, np.array([[1.0, 0, 500], [0, 1.0, 0]]), 32)
    assert np.ptp(crop.image, axis=1).max() == 0

"""The face mesh: its points move with the picture, whatever box the detector gave."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bianlian.align import template
from bianlian.errors import ConfigError
from bianlian.geometry import apply, box_of, invert, umeyama
from bianlian.landmark.facemesh import SIDE, FaceMesh, _direction, _roi_from_frame, _square, _square_of
from bianlian.landmark.schemes import INNER, convert
from bianlian.types import Face, Image, Landmarks, Points

BOX = np.array([140.0, 150.0, 350.0, 380.0])  # the face of the demo's first frame, by eye


@pytest.fixture(scope="module")
def landmarker() -> FaceMesh:
    return FaceMesh()


@pytest.fixture(scope="module")
def marked(landmarker: FaceMesh, face_image: Image) -> Face:
    (face,) = landmarker.mark(face_image, [Face(BOX, 0.7)])
    assert face is not None
    return face


def points_of(face: Face | None) -> Points:
    assert face is not None
    assert face.landmarks is not None
    assert face.landmarks.scheme == "mesh468"
    return face.landmarks.points


def gap(a: Points, b: Points) -> float:
    """Mean distance of two meshes over the distance of the outer eye corners."""
    return float(np.hypot(*(a - b).T).mean() / np.hypot(*(b[33] - b[263])))


@pytest.mark.weights
def test_the_mesh_has_the_shape_of_a_face(marked: Face) -> None:
    """A similarity brings the inner 68 points onto the mean face of the crops within 8 % of the face's width."""
    assert marked.landmarks is not None
    points = convert(marked.landmarks, "ibug68").points
    mean = template("ibug68", 1000, 1.0)
    placed = apply(umeyama(points[INNER], mean[INNER]), points[INNER])
    assert np.hypot(*(placed - mean[INNER]).T).mean() < 80


@pytest.mark.weights
def test_the_box_is_refitted_and_the_score_kept(marked: Face) -> None:
    assert marked.landmarks is not None
    np.testing.assert_allclose(marked.box, box_of(convert(marked.landmarks, "ibug68").points))
    assert marked.score == 0.7


@pytest.mark.weights
@pytest.mark.parametrize("change", [(-25, -20, 10, 30), (0, -60, 0, 0), (-40, -40, 40, 40), (30, 0, 30, 0)])
def test_the_points_hardly_depend_on_the_box(
    landmarker: FaceMesh, face_image: Image, marked: Face, change: tuple[float, ...]
) -> None:
    (face,) = landmarker.mark(face_image, [Face(BOX + np.array(change), 0.7)])
    assert gap(points_of(face), points_of(marked)) < 0.02


@pytest.mark.weights
def test_more_passes_come_to_rest(face_image: Image) -> None:
    """From a box that is far too small the points settle: what is left after two passes is gone after five."""
    poor = [Face(BOX + np.array([20.0, 25, -15, -10]), 0.7)]
    two, five, eight = (points_of(FaceMesh(passes=n).mark(face_image, poor)[0]) for n in (2, 5, 8))
    assert gap(five, eight) < 0.01 < gap(two, eight)


@pytest.mark.weights
@pytest.mark.parametrize("degrees", [-90, -30, 45, 90, 180])
def test_the_points_turn_with_the_picture(landmarker: FaceMesh, face_image: Image, marked: Face, degrees: float) -> None:
    """With five points that say how the head is turned, and (quarter turns and less than 45 degrees) without them."""
    matrix = np.asarray(cv2.getRotationMatrix2D((255.5, 255.5), degrees, 0.8), np.float64)
    turned = np.asarray(cv2.warpAffine(face_image, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    wanted = apply(matrix, points_of(marked))
    assert marked.landmarks is not None
    five = Landmarks(apply(matrix, convert(marked.landmarks, "five").points), "five")
    faces = [Face(box_of(wanted), 0.7, five)]
    if degrees != 45:
        faces.append(Face(box_of(wanted), 0.7))
    for face in landmarker.mark(turned, faces):
        assert gap(points_of(face), wanted) < 0.03


@pytest.mark.weights
def test_convention_the_points_shrink_about_pixel_centres(landmarker: FaceMesh, face_image: Image, marked: Face) -> None:
    """Half the size: x' = (x + 0.5) / 2 - 0.5. A convention off by half a pixel would move all points by a quarter pixel.

    The region goes along, so the network sees the same pixels but for the resampling; the mean shift must vanish.
    """
    half = np.asarray(cv2.resize(face_image, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
    (face,) = landmarker.mark(half, [Face((BOX + 0.5) / 2 - 0.5, 0.7)])
    shift = (points_of(face) - ((points_of(marked) + 0.5) / 2 - 0.5)).mean(0)
    assert np.abs(shift).max() < 0.15


@pytest.mark.weights
def test_a_mirrored_face_gives_the_mirrored_mesh(landmarker: FaceMesh, face_image: Image, marked: Face) -> None:
    """Vertices on the middle line mirror onto themselves, the eye corners 33 and 263, 133 and 362 onto each other.

    A crop origin off by half a pixel would show up twice as large here.
    """
    mirrored = np.ascontiguousarray(face_image[:, ::-1])
    (face,) = landmarker.mark(mirrored, [Face(np.array([511 - BOX[2], BOX[1], 511 - BOX[0], BOX[3]]), 0.7)])
    here, there = points_of(marked), points_of(face)
    apart = np.hypot(*(here[33] - here[263]))
    for a, b in ((33, 263), (133, 362), (61, 291), (1, 1), (152, 152), (168, 168)):
        assert np.hypot(*(here[a] - [511 - there[b, 0], there[b, 1]])) < 0.06 * apart


@pytest.mark.weights
def test_a_mesh_leads_to_itself(landmarker: FaceMesh, face_image: Image, marked: Face) -> None:
    (again,) = landmarker.mark(face_image, [marked])
    assert gap(points_of(again), points_of(marked)) < 0.02


@pytest.mark.weights
def test_presence_decides(landmarker: FaceMesh, face_image: Image) -> None:
    corner = Face(np.array([5.0, 5.0, 60.0, 70.0]), 0.9)
    assert landmarker.mark(face_image, [corner]) == [None]
    assert FaceMesh(presence=0.0).mark(face_image, [corner]) != [None]


@pytest.mark.weights
@pytest.mark.parametrize("setting", [{"presence": -0.1}, {"passes": 0}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        FaceMesh(**setting)  # type: ignore[arg-type]


@given(st.floats(-500, 500), st.floats(-500, 500), st.floats(1, 900), st.floats(-np.pi, np.pi))
@settings(max_examples=30, deadline=None)
def test_the_region_is_centred_level_and_one_and_a_half_sides_wide(x: float, y: float, side: float, angle: float) -> None:
    axis = np.array([np.cos(angle), np.sin(angle)])
    square = np.stack([np.array([x, y]), np.full(2, side / 2)])
    matrix = _roi_from_frame(square, axis)
    np.testing.assert_allclose(apply(matrix, square[:1]), [[95.5, 95.5]], atol=1e-6)
    np.testing.assert_allclose(apply(matrix, square[:1] + axis * 0.75 * side), [[95.5 + SIDE / 2, 95.5]], atol=1e-6)
    np.testing.assert_allclose(apply(invert(matrix), [[95.5, 95.5]]), square[:1], atol=1e-6)


def test_square_of_a_box_and_of_a_turned_mesh() -> None:
    np.testing.assert_allclose(_square(np.array([10.0, 20, 30, 60])), [[20, 40], [20, 20]])
    mesh = np.random.default_rng(0).uniform(0, 100, (468, 2))
    mesh[[33, 133, 159, 145]], mesh[[263, 362, 386, 374]] = [30.0, 50.0], [70.0, 50.0]
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # x' = -y, y' = x: a quarter turn clockwise in the picture
    square, axis = _square_of(mesh)
    turned, turned_axis = _square_of(mesh @ turn.T)
    np.testing.assert_allclose(axis, [1, 0])
    np.testing.assert_allclose(turned_axis, [0, 1], atol=1e-12)
    np.testing.assert_allclose(turned[0], turn @ square[0])
    np.testing.assert_allclose(turned[1], square[1])


def test_eyes_in_one_place_say_nothing_about_the_turn() -> None:
    np.testing.assert_array_equal(_direction(np.ones(2), np.ones(2)), [1, 0])

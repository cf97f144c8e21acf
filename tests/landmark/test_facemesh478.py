"""The mesh with irises: eyes as round and large as eyes are, calmer than the mesh, turned and mirrored with the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.errors import ConfigError
from bianlian.geometry import apply, box_of
from bianlian.landmark.facemesh import SIDE, FaceMesh, turned_roi
from bianlian.landmark.facemesh478 import FaceMesh478
from bianlian.landmark.regions import ring
from bianlian.landmark.schemes import LEFT_IRIS, RIGHT_IRIS, convert
from bianlian.types import Face, Image, Landmarks, Points

BOX = np.array([140.0, 150.0, 350.0, 380.0])  # the face of the demo's first frame, by eye


@pytest.fixture(scope="module")
def landmarker() -> FaceMesh478:
    return FaceMesh478()


@pytest.fixture(scope="module")
def marked(landmarker: FaceMesh478, face_image: Image) -> Landmarks:
    return marks(landmarker, face_image, Face(BOX, 1.0))


def marks(landmarker: FaceMesh478 | FaceMesh, image: Image, face: Face) -> Landmarks:
    (found,) = landmarker.mark(image, [face])
    assert found is not None
    assert found.landmarks is not None
    return found.landmarks


def eye_distance(points: Points) -> float:
    return float(np.hypot(*(points[33] - points[263])))


@pytest.mark.weights
def test_irises_lie_in_the_eyes_and_are_of_their_size(marked: Landmarks) -> None:
    """An iris is 11.7 mm wide; the outer corners of adult eyes lie 85 to 95 mm apart (0.12 to 0.14); a sixth is left for error."""
    assert marked.scheme == "mesh478"
    for rows, eye in ((RIGHT_IRIS, "right_eye"), (LEFT_IRIS, "left_eye")):
        middle, nose, above, temple, below = marked.points[rows]
        edge = ring(marked, eye).astype(np.float32)  # type: ignore[arg-type]
        assert cv2.pointPolygonTest(edge, (float(middle[0]), float(middle[1])), False) > 0
        assert 0.10 < np.hypot(*(nose - temple)) / eye_distance(marked.points) < 0.16
        assert np.hypot(*(above - below)) == pytest.approx(np.hypot(*(nose - temple)), rel=0.25)
        assert above[1] < middle[1] < below[1]
        np.testing.assert_allclose((nose + temple) / 2, middle, atol=0.02 * eye_distance(marked.points))
        assert abs(nose[0] - marked.points[168, 0]) < abs(temple[0] - marked.points[168, 0])


@pytest.mark.weights
def test_pupils_are_where_the_picture_is_dark(marked: Landmarks, face_image: Image) -> None:
    """The pixels within half an iris of its middle are darker than the eye's other pixels."""
    grey = face_image.mean(2)
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    for rows, eye in ((RIGHT_IRIS, "right_eye"), (LEFT_IRIS, "left_eye")):
        middle, radius = marked.points[rows][0], np.hypot(*(marked.points[rows][1] - marked.points[rows][3])) / 2
        inside = np.zeros(grey.shape, np.uint8)
        cv2.fillPoly(inside, [ring(marked, eye).round().astype(np.int32)], 1)  # type: ignore[arg-type]
        away = np.hypot(x - middle[0], y - middle[1])
        assert grey[(away < radius / 2)].mean() < 0.6 * grey[(inside > 0) & (away > 1.3 * radius)].mean()


@pytest.mark.weights
@pytest.mark.parametrize("degrees", [90, 180, -30])
def test_irises_turn_with_the_picture(landmarker: FaceMesh478, face_image: Image, marked: Landmarks, degrees: float) -> None:
    matrix = np.asarray(cv2.getRotationMatrix2D((255.5, 255.5), degrees, 0.8), np.float64)
    turned = np.asarray(cv2.warpAffine(face_image, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    wanted = apply(matrix, marked.points)
    five = Landmarks(apply(matrix, convert(marked, "five").points), "five")
    found = marks(landmarker, turned, Face(box_of(wanted), 1.0, five)).points
    off = np.hypot(*(found - wanted).T) / eye_distance(wanted)
    assert off.mean() < 0.02
    assert off[468:].max() < 0.03


@pytest.mark.weights
def test_a_mirrored_face_has_mirrored_irises(landmarker: FaceMesh478, face_image: Image, marked: Landmarks) -> None:
    """The rows are named after nose and temple, so each right one mirrors onto the left one of the same name."""
    box = np.array([511 - BOX[2], BOX[1], 511 - BOX[0], BOX[3]])
    there = marks(landmarker, np.ascontiguousarray(face_image[:, ::-1]), Face(box, 1.0)).points
    back = np.stack([511 - there[:, 0], there[:, 1]], axis=1)
    for here, other in ((RIGHT_IRIS, LEFT_IRIS), (LEFT_IRIS, RIGHT_IRIS)):
        assert np.hypot(*(marked.points[here] - back[other]).T).max() < 0.03 * eye_distance(marked.points)


@pytest.mark.weights
def test_the_mesh_is_facemesh_but_for_the_lids(face_image: Image, marked: Landmarks) -> None:
    calm = marks(FaceMesh(views=4), face_image, Face(BOX, 1.0)).points
    same = np.hypot(*(marked.points[:468] - calm).T) < 1e-9
    lids = set(np.flatnonzero(~same).tolist())
    assert len(lids) == 32
    assert {33, 133, 159, 145, 263, 362, 386, 374} <= lids


@pytest.mark.weights
def test_views_calm_the_points(face_image: Image) -> None:
    """The same picture moved by fractions of a pixel: the marks of four views follow at least a third more closely."""
    shifts = np.random.default_rng(0).uniform(-1, 1, (8, 2))
    spread = []
    for landmarker in (FaceMesh(), FaceMesh(views=4)):
        seen = []
        for dx, dy in shifts:
            move = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]])
            moved = cv2.warpAffine(face_image, move, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            seen.append(marks(landmarker, np.asarray(moved, np.uint8), Face(BOX, 1.0)).points - [dx, dy])
        spread.append(float(np.std(seen, axis=0).mean()))
    assert spread[1] < spread[0] / 1.5


@pytest.mark.weights
@pytest.mark.parametrize("setting", [{"presence": 1.1}, {"passes": 0}, {"views": -1}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        FaceMesh478(**setting)  # type: ignore[arg-type]


@pytest.mark.weights
def test_tiny_and_empty_faces_do_no_harm(landmarker: FaceMesh478) -> None:
    picture = np.full((40, 40, 3), 90, np.uint8)
    assert len(landmarker.mark(picture, [Face(np.array([10.0, 10.0, 12.0, 12.0]), 0.5)])) == 1


@pytest.mark.parametrize("degrees", [0.0, 5.0, -90.0])
def test_convention_a_turned_view_is_centred_and_turned_clockwise(degrees: float) -> None:
    """A point to the right of the middle, by half of the view's width, comes to lie at that angle below the level line."""
    square = np.array([[100.0, 60.0], [20.0, 20.0]])
    view = turned_roi(square, np.array([3.0, 0.0]), SIDE, 1.5, degrees)
    middle, right = apply(view, [[100, 60], [100 + 30, 60]])
    np.testing.assert_allclose(middle, [95.5, 95.5])
    angle = np.radians(degrees)
    np.testing.assert_allclose(right - middle, SIDE / 2 * np.array([np.cos(angle), np.sin(angle)]), atol=1e-9)

"""BlazeFace on pictures whose truth is known: a frame of the demo moved, shrunk, turned, darkened, covered, cut."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.detect._blazenet import GRIDS, _anchors, merge
from bianlian.detect.blazeface import BlazeFace, _tile
from bianlian.errors import ConfigError
from bianlian.geometry import apply, scaling
from bianlian.types import Face, Image, Matrix, Points

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def detector() -> BlazeFace:
    return BlazeFace()


@pytest.fixture(scope="module")
def five(detector: BlazeFace, face_image: Image) -> Points:
    (face,) = detector.detect([face_image])[0]
    assert face.landmarks is not None
    return face.landmarks.points


def place(image: Image, to_from: Matrix, width: int = 480, height: int = 480) -> Image:
    """Draw a picture into a grey one, smaller, larger or turned."""
    scale = float(np.sqrt(abs(np.linalg.det(to_from[:, :2]))))
    if scale < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5 * (1 / scale - 1)), np.uint8)
    out = cv2.warpAffine(image, to_from, (width, height), borderValue=(140, 140, 140))
    return np.asarray(out, np.uint8)


def turn(degrees: float, scale: float, size: int = 480, source: int = 512) -> Matrix:
    """Rotate and shrink about the middle."""
    middle = (source - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), degrees, scale), np.float64)
    return np.concatenate([matrix[:, :2], matrix[:, 2:] + (size - source) / 2], axis=1)


def error(face: Face, points: Points) -> float:
    """Mean distance of the five points from where they should be, over the distance of the eyes."""
    assert face.landmarks is not None
    apart = float(np.hypot(*(points[1] - points[0])))
    return float(np.hypot(*(face.landmarks.points - points).T).mean() / apart)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25, 0.12])
def test_small_faces_are_found_where_they_are(detector: BlazeFace, face_image: Image, five: Points, scale: float) -> None:
    matrix = np.array([[scale, 0, 50.0], [0, scale, 3.0]])
    (face,) = detector.detect([place(face_image, matrix, 562, 515)])[0]
    assert error(face, apply(matrix, five)) < 0.12


@pytest.mark.parametrize("degrees", [-90, -45, 30, 60, 90, 180])
def test_turned_faces_are_found_with_the_right_points(detector: BlazeFace, face_image: Image, five: Points, degrees: float) -> None:
    matrix = turn(degrees, 0.6)
    (face,) = detector.detect([place(face_image, matrix)])[0]
    assert error(face, apply(matrix, five)) < 0.15


def test_without_rotation_an_upside_down_face_may_be_missed_but_never_read_wrong(face_image: Image, five: Points) -> None:
    matrix = turn(180, 0.6)
    for face in BlazeFace(rotate=False).detect([place(face_image, matrix)])[0]:
        assert error(face, apply(matrix, five)) < 0.15


def test_convention_first_eye_is_the_one_left_in_the_picture(five: Points) -> None:
    right_eye, left_eye, nose, right_mouth, left_mouth = five
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_a_mirrored_picture_gives_mirrored_points(detector: BlazeFace, face_image: Image, five: Points) -> None:
    mirrored = np.ascontiguousarray(face_image[:, ::-1])
    (face,) = detector.detect([mirrored])[0]
    width = face_image.shape[1]
    wanted = np.stack([width - 1 - five[:, 0], five[:, 1]], axis=1)[[1, 0, 2, 4, 3]]
    assert error(face, wanted) < 0.06


def test_a_dark_face_is_found(detector: BlazeFace, face_image: Image, five: Points) -> None:
    (face,) = detector.detect([(face_image // 4).astype(np.uint8)])[0]
    assert error(face, five) < 0.15


def test_a_half_covered_face_is_found(detector: BlazeFace, face_image: Image, five: Points) -> None:
    covered = face_image.copy()
    covered[:, round(five[2, 0]) :] = 90
    assert len(detector.detect([covered])[0]) == 1


def test_a_face_partly_outside_is_found(detector: BlazeFace, face_image: Image, five: Points) -> None:
    cut = np.ascontiguousarray(face_image[:, round(five[0, 0] - 10) :])
    (face,) = detector.detect([cut])[0]
    assert error(face, five - np.array([round(five[0, 0] - 10), 0])) < 0.2


def test_a_face_larger_than_the_picture_is_found(detector: BlazeFace, face_image: Image, five: Points) -> None:
    apart = five[1, 0] - five[0, 0]
    x1, x2 = round(five[0, 0] - 0.55 * apart), round(five[1, 0] + 0.55 * apart)
    y1, y2 = round(five[:2, 1].mean() - 0.7 * apart), round(five[3:, 1].mean() + 0.45 * apart)
    tight = np.ascontiguousarray(face_image[y1:y2, x1:x2])
    (face,) = detector.detect([tight])[0]
    assert error(face, five - np.array([x1, y1])) < 0.2


def test_several_faces_of_different_size_in_a_large_picture(detector: BlazeFace, face_image: Image, five: Points) -> None:
    places = [(0.8, 60, 150), (0.25, 560, 300), (0.2, 900, 100), (0.2, 1100, 500)]
    picture = np.full((720, 1280, 3), 140, np.uint8)
    wanted = []
    for scale, x, y in places:
        size = round(512 * scale)
        small = cv2.resize(face_image, (size, size), interpolation=cv2.INTER_AREA)
        picture[y : y + size, x : x + size] = small
        wanted.append(apply(scaling(size / 512), five) + np.array([x, y]))
    faces = detector.detect([picture])[0]
    assert len(faces) == len(places)
    assert all(min(error(face, points) for face in faces) < 0.15 for points in wanted)


def test_tiles_find_what_is_too_small_for_the_whole_view(face_image: Image) -> None:
    picture = np.full((1080, 1920, 3), 140, np.uint8)
    picture[600:652, 1500:1552] = cv2.resize(face_image, (52, 52), interpolation=cv2.INTER_AREA)
    assert len(BlazeFace().detect([picture])[0]) == 1
    assert BlazeFace(tiles=False).detect([picture])[0] == []


def test_hands_prints_and_patterns_are_no_faces(detector: BlazeFace) -> None:
    """Two dark discs over a bar, and a skin-coloured blob, at several sizes: what single detectors fall for."""
    pictures = []
    for size in (40, 90, 160):
        drawn = np.full((480, 640, 3), 60, np.uint8)
        for dx in (-0.5, 0.5):
            cv2.circle(drawn, (round(320 + dx * size), 200), size // 4, (230, 230, 220), -1)
        cv2.rectangle(drawn, (320 - size // 2, 200 + size), (320 + size // 2, 200 + size + size // 5), (230, 230, 220), -1)
        blob = np.full((480, 640, 3), 140, np.uint8)
        cv2.ellipse(blob, (320, 240), (size // 2, size), 20, 0, 360, (205, 160, 135), -1)
        pictures += [drawn, np.asarray(cv2.GaussianBlur(blob, (0, 0), 2), np.uint8)]
    assert detector.detect(pictures) == [[]] * len(pictures)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="threshold"):
        BlazeFace(threshold=1.5)


def test_a_higher_threshold_finds_no_more(face_image: Image, detector: BlazeFace) -> None:
    dark = (face_image // 6).astype(np.uint8)
    strict = BlazeFace(threshold=0.99)
    assert len(strict.detect([dark])[0]) <= len(detector.detect([dark])[0])


@pytest.mark.parametrize(("name", "count"), [("blazeface_short", 896), ("blazeface_full", 2304)])
def test_anchors_are_as_many_as_the_network_answers(name: str, count: int) -> None:
    anchors = _anchors(GRIDS[name][1])
    assert anchors.shape == (count, 2)
    np.testing.assert_allclose(anchors.mean(0), 0.5)


def test_merge_averages_by_score_and_keeps_what_lies_apart() -> None:
    """Two squares of side 10 at x 0 and 1 with scores 0.6 and 0.2: centre (0.6 * 0 + 0.2 * 1) / 0.8 = 0.25; a third far away."""
    spots = np.zeros((3, 7, 2))
    spots[1, :, 0], spots[2, :, 0] = 1.0, 100.0
    near, far = merge(np.array([0.6, 0.2, 0.5]), np.full(3, 10.0), spots)
    assert (near.score, far.score) == (0.6, 0.5)
    np.testing.assert_allclose(near.centre, [0.25, 0])
    np.testing.assert_allclose(far.points, spots[2, 1:])


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (3840, 2160), (700, 3000)])
def test_tiles_cover_the_picture(width: int, height: int) -> None:
    seen = np.zeros((height, width), bool)
    for (x, y), side in _tile(width, height):
        top, left = max(0, round(y - side / 2)), max(0, round(x - side / 2))
        seen[top : round(y + side / 2) + 1, left : round(x + side / 2) + 1] = True
    assert seen.all()


def test_pictures_that_one_view_covers_have_no_tiles() -> None:
    assert _tile(720, 576) == []

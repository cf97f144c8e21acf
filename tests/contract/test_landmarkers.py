"""Every landmarker of the table keeps the contract ``Landmarker``."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from bianlian import plugins
from bianlian.detect.blazeface import BlazeFace
from bianlian.errors import TermsWarning
from bianlian.geometry import apply, box_of
from bianlian.landmark import Landmarker
from bianlian.landmark.schemes import convert
from bianlian.types import Face, Frame, Image, Landmarks, Points
from bianlian.weights import find
from bianlian.weights.cards import EXTRA_CARDS

pytestmark = [pytest.mark.weights, pytest.mark.parametrize("name", list(plugins.TABLES["landmarker"]))]


EXTRAS = {"dlib68": "dlib_68", "fan68": "fan_68"}
"""Landmarkers whose weights are only there where somebody asked for them."""


@pytest.fixture(autouse=True)
def _is_here(name: str) -> None:
    if name in EXTRAS and find(EXTRA_CARDS[EXTRAS[name]])[1] != "present":
        pytest.skip(f"the weights {EXTRAS[name]} are not in the cache; they are fetched when asked for")
    if name == "fan68" and find_spec("face_alignment") is None:
        pytest.skip("face-alignment is not installed")


@cache
def landmarker(name: str) -> Landmarker:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TermsWarning)
        made: Landmarker = plugins.load("landmarker", name)()
    return made


@pytest.fixture(scope="module")
def found(demo_frames: list[Frame]) -> list[Face]:
    """The face of each demo frame, by the default detector."""
    return [faces[0] for faces in BlazeFace().detect([frame.image for frame in demo_frames])]


def five(face: Face | None) -> Points:
    assert face is not None
    assert face.landmarks is not None
    return convert(face.landmarks, "five").points


def test_no_faces_give_no_faces(name: str, face_image: Image) -> None:
    assert landmarker(name).mark(face_image, []) == []


def test_a_face_in_gives_one_marked_face_out(name: str, face_image: Image, found: list[Face]) -> None:
    marked = landmarker(name).mark(face_image, [found[0], found[0]])
    assert len(marked) == 2
    for face in marked:
        assert face is not None
        assert face.landmarks is not None
        assert face.score == found[0].score
        points = face.landmarks.points
        assert (points.max(0) < 512).all()
        assert (points.min(0) > 0).all()


def test_a_face_without_points_is_marked_or_none(name: str, face_image: Image, found: list[Face]) -> None:
    (face,) = landmarker(name).mark(face_image, [Face(found[0].box, 0.9)])
    assert face is None or face.landmarks is not None


def test_points_lie_where_the_eyes_nose_and_mouth_are(name: str, demo_frames: list[Frame], found: list[Face]) -> None:
    """Two landmarkers that know nothing of each other agree within a tenth of the eye distance."""
    for frame, face in zip(demo_frames, found, strict=True):
        (marked,) = landmarker(name).mark(frame.image, [face])
        own = five(face)
        assert np.hypot(*(five(marked) - own).T).mean() < 0.1 * np.hypot(*(own[1] - own[0]))


def test_convention_right_eye_is_left_in_the_picture(name: str, face_image: Image, found: list[Face]) -> None:
    points = five(landmarker(name).mark(face_image, [found[0]])[0])
    assert points[0, 0] < points[1, 0]
    assert points[3, 0] < points[4, 0]
    assert points[:2, 1].max() < points[3:, 1].min()


def test_points_follow_the_picture(name: str, face_image: Image, found: list[Face]) -> None:
    """The same picture on a larger canvas, with the face given where it now is: all points move by (40, 24)."""
    moved = np.full((580, 600, 3), 127, np.uint8)
    moved[24 : 24 + 512, 40 : 40 + 512] = face_image
    assert found[0].landmarks is not None
    by = np.array([40.0, 24.0])
    shifted = type(found[0].landmarks)(found[0].landmarks.points + by, "five")
    (still,) = landmarker(name).mark(face_image, [found[0]])
    (gone,) = landmarker(name).mark(moved, [Face(found[0].box + np.tile(by, 2), 0.9, shifted)])
    np.testing.assert_allclose(five(gone) - five(still), np.tile(by, (5, 1)), atol=0.5)


def test_twice_gives_the_same_and_nothing_is_changed(name: str, face_image: Image, found: list[Face]) -> None:
    kept, box = face_image.copy(), found[0].box.copy()
    first, second = (five(landmarker(name).mark(face_image, [found[0]])[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(face_image, kept)
    np.testing.assert_array_equal(found[0].box, box)


def test_pictures_of_any_size_are_taken(name: str) -> None:
    for size in ((1, 1), (8, 8), (2, 300)):
        picture = np.full((*size, 3), 127, np.uint8)
        faces: list[Face] = [Face(np.array([0.0, 0.0, 1.0, 1.0]), 0.5), Face(np.array([-50.0, -50.0, -40.0, -40.0]), 0.5)]
        assert len(landmarker(name).mark(picture, faces)) == 2


def test_where_there_is_no_face_there_are_no_points(name: str) -> None:
    picture = np.asarray(cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8), (0, 0), 2), np.uint8)
    assert landmarker(name).mark(picture, [Face(np.array([50.0, 50.0, 150.0, 150.0]), 0.5)]) == [None]


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turned_face_whose_points_are_known_is_marked_as_well(
    name: str, face_image: Image, found: list[Face], degrees: float
) -> None:
    """A rendered face turned in the plane: marks turn with it, within 4 % of the eye distance (the picture is sampled anew)."""
    (still,) = landmarker(name).mark(face_image, [found[0]])
    matrix = np.asarray(cv2.getRotationMatrix2D((255.5, 255.5), degrees, 1.0), np.float64)
    turned = np.asarray(cv2.warpAffine(face_image, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    known = Landmarks(apply(matrix, five(found[0])), "five")
    x1, y1, x2, y2 = found[0].box
    box = box_of(apply(matrix, [[x1, y1], [x2, y2]]))
    (face,) = landmarker(name).mark(turned, [Face(box, 0.9, known)])
    assert face is not None
    assert face.landmarks is not None
    assert still is not None
    assert still.landmarks is not None
    wanted = apply(matrix, still.landmarks.points)
    distance = np.hypot(*(known.points[1] - known.points[0]))
    assert np.hypot(*(face.landmarks.points - wanted).T).mean() < 0.04 * distance

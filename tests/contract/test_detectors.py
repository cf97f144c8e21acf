"""Every detector of the table keeps the contract ``Detector``."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from bianlian import plugins
from bianlian.detect import Detector
from bianlian.detect.blazeface import BlazeFace
from bianlian.detect.turned import turn
from bianlian.errors import InputError
from bianlian.geometry import apply, box_of, iou
from bianlian.landmark.facemesh import FaceMesh
from bianlian.landmark.schemes import convert
from bianlian.types import Frame, Image

pytestmark = [pytest.mark.weights, pytest.mark.parametrize("name", list(plugins.TABLES["detector"]))]


QUICK: dict[str, dict[str, int]] = {"mmod": {"smallest": 60, "limit": 480}}
"""Settings that keep a slow detector's tests short."""


@cache
def detector(name: str) -> Detector:
    made: Detector = plugins.load("detector", name)(**QUICK.get(name, {}))
    return made


@cache
def mesh() -> FaceMesh:
    return FaceMesh()


def noise(height: int, width: int, blur: float = 0.0) -> Image:
    drawn = np.random.default_rng(0).integers(96, 160, (height, width, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), blur) if blur else drawn, np.uint8)


def grey(height: int, width: int) -> Image:
    return np.full((height, width, 3), 127, np.uint8)


def test_no_pictures_give_no_lists(name: str) -> None:
    assert detector(name).detect([]) == []


@pytest.mark.parametrize(
    "picture", [grey(240, 320), noise(240, 320), noise(200, 200, 3.0), grey(1, 1), grey(8, 8), noise(3, 200), grey(150, 2)]
)
def test_where_there_is_no_face_none_is_found(name: str, picture: Image) -> None:
    assert detector(name).detect([picture]) == [[]]


def test_pictures_of_different_sizes_in_one_batch(name: str, face_image: Image) -> None:
    small = np.asarray(cv2.resize(face_image, (300, 300), interpolation=cv2.INTER_AREA), np.uint8)
    pictures = [grey(8, 8), face_image, grey(100, 60), small, face_image]
    found = detector(name).detect(pictures)
    assert [len(faces) for faces in found] == [0, 1, 0, 1, 1]
    np.testing.assert_allclose(found[3][0].box, found[1][0].box * 300 / 512, atol=12)
    np.testing.assert_allclose(found[4][0].box, found[1][0].box, atol=0.01)


def test_boxes_are_those_of_the_68_points(name: str, demo_frames: list[Frame]) -> None:
    """Brow to chin, whichever detector: the box overlaps that of the mesh's 68 points by more than two thirds."""
    for frame in demo_frames:
        faces = detector(name).detect([frame.image])[0]
        assert len(faces) == 1
        (marked,) = mesh().mark(frame.image, faces)
        assert marked is not None
        assert marked.landmarks is not None
        assert iou(faces[0].box, box_of(convert(marked.landmarks, "ibug68").points)) > 0.67


def test_landmarks_if_any_are_five_and_lie_in_the_box(name: str, demo_frames: list[Frame]) -> None:
    for faces in detector(name).detect([frame.image for frame in demo_frames]):
        for face in faces:
            if face.landmarks is not None:
                assert face.landmarks.scheme == "five"
                assert (face.landmarks.points >= face.box[:2]).all()
                assert (face.landmarks.points <= face.box[2:]).all()
                assert face.landmarks.points[0, 0] < face.landmarks.points[1, 0]


def test_best_score_comes_first(name: str, face_image: Image) -> None:
    half = np.asarray(cv2.resize(face_image, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
    picture = np.concatenate([face_image, np.concatenate([half, half // 3 + 60])], axis=1)
    (faces,) = detector(name).detect([np.ascontiguousarray(picture)])
    scores = [face.score for face in faces]
    assert len(scores) >= 2
    assert scores == sorted(scores, reverse=True)


def test_the_result_follows_the_picture(name: str, face_image: Image) -> None:
    """A picture moved by (40, 24) pixels on a larger grey one moves the box by as much, as far as the detector's steps let it."""
    moved = grey(580, 600)
    moved[24 : 24 + 512, 40 : 40 + 512] = face_image
    (still,), (gone,) = detector(name).detect([face_image, moved])
    assert iou(gone.box - [40, 24, 40, 24], still.box) > 0.6


def test_the_same_picture_gives_the_same_faces_and_is_left_alone(name: str, face_image: Image) -> None:
    kept = face_image.copy()
    first, second = (detector(name).detect([face_image])[0][0] for _ in range(2))
    np.testing.assert_array_equal(first.box, second.box)
    assert first.score == second.score
    np.testing.assert_array_equal(face_image, kept)


def test_a_view_into_a_larger_array_is_read_as_it_looks(name: str, face_image: Image) -> None:
    wide = np.concatenate([face_image, face_image[:, :100]], axis=1)[:, :512]
    (plain,), (view,) = detector(name).detect([face_image, wide])
    np.testing.assert_allclose(view.box, plain.box, atol=0.01)


@pytest.mark.parametrize("degrees", [45, 90])
def test_turned_faces_are_found_and_can_be_marked(name: str, face_image: Image, degrees: int) -> None:
    """The mesh puts the five points where those of the upright picture go, within a tenth of the distance of the eyes."""
    small = np.asarray(cv2.resize(face_image, (240, 240), interpolation=cv2.INTER_AREA), np.uint8)
    copy, frame_from_copy = turn(small, degrees)
    (face,) = detector(name).detect([copy])[0]
    (upright,), (marked,) = mesh().mark(small, BlazeFace().detect([small])[0]), mesh().mark(copy, [face])
    assert upright is not None
    assert marked is not None
    wanted, got = (convert(f.landmarks, "five").points for f in (upright, marked) if f.landmarks is not None)
    apart = np.hypot(*(wanted[1] - wanted[0]))
    assert np.hypot(*(apply(frame_from_copy, got) - wanted).T).mean() / apart < 0.1


def test_rotation_can_be_left_out(name: str) -> None:
    quiet: Detector = plugins.load("detector", name)(rotate=False, **QUICK.get(name, {}))
    assert quiet.detect([grey(240, 320)]) == [[]]


@pytest.mark.parametrize("wrong", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3), np.float32)])
def test_what_is_no_rgb_picture_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(InputError, match="RGB uint8"):
        detector(name).detect([wrong])

"""BlazeFace and MTCNN together, on crowds drawn from one frame of the demo, whose places are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bianlian.detect.blazeface import BlazeFace
from bianlian.detect.duo import Duo
from bianlian.detect.mtcnn import Mtcnn
from bianlian.errors import ConfigError
from bianlian.geometry import apply as mapped
from bianlian.geometry import iou, scaling
from bianlian.types import Image

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def duo() -> Duo:
    return Duo()


@pytest.fixture(scope="module")
def upright_only() -> Mtcnn:
    return Mtcnn(rotate=False)


def crowd(image: Image, heights: list[float]) -> tuple[Image, list[NDArray[np.float64]]]:
    """Lay the picture into a grey one, once for each height of the face in pixels -> the drawn picture, the faces' boxes."""
    (face,) = BlazeFace().detect([image])[0]
    drawn = np.full((480, 960, 3), 140, np.uint8)
    boxes, x, y, row = [], 8, 8, 0
    for height in heights:
        factor = height / float(face.box[3] - face.box[1])
        side = round(512 * factor)
        if x + side > 950:
            x, y, row = 8, y + row + 8, 0
        drawn[y : y + side, x : x + side] = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        boxes.append(mapped(scaling(side / 512), face.box.reshape(2, 2)).ravel() + np.tile([x, y], 2))
        x, row = x + side + 8, max(row, side)
    return drawn, boxes


def test_every_face_of_a_crowd_is_found_once(duo: Duo, face_image: Image) -> None:
    picture, boxes = crowd(face_image, [60, 20, 30, 18, 24, 45, 17, 35, 22, 28] * 3)
    faces = duo.detect([picture])[0]
    assert len(faces) == len(boxes) == 30
    assert all(max(iou(box, face.box) for face in faces) > 0.5 for box in boxes)
    assert len(BlazeFace().detect([picture])[0]) < 30


def test_one_small_face_in_a_large_picture_is_found(duo: Duo, face_image: Image) -> None:
    picture, (box,) = crowd(face_image, [18])
    (face,) = duo.detect([picture])[0]
    assert iou(face.box, box) > 0.5
    assert face.landmarks is not None


def test_a_large_face_needs_no_search(duo: Duo, face_image: Image) -> None:
    """What BlazeFace alone says of one large face stands: the search would cost many times as much."""
    (mine,), (its,) = duo.detect([face_image])[0], BlazeFace().detect([face_image])[0]
    np.testing.assert_array_equal(mine.box, its.box)
    assert mine.score == its.score


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_small_turned_face_is_found_and_its_eyes_are_in_order(
    duo: Duo, upright_only: Mtcnn, face_image: Image, degrees: int
) -> None:
    """Too small for BlazeFace's view of the whole picture, too much turned for MTCNN's upright pass."""
    upright, (box,) = crowd(face_image, [45])
    turns = degrees // 90
    picture = np.ascontiguousarray(np.rot90(upright, turns))
    assert upright_only.detect([picture])[0] == [] or degrees == 180
    (face,) = duo.detect([picture])[0]
    assert face.landmarks is not None
    across = face.landmarks.points[1] - face.landmarks.points[0]
    angle = np.degrees(np.arctan2(-across[1], across[0])) % 360
    assert abs(angle - degrees) < 20
    assert face.area == pytest.approx(float(np.prod(box[2:] - box[:2])), rel=0.5)


def test_smallest_is_the_smallest_face_looked_for(face_image: Image) -> None:
    assert Duo(smallest=60).detect([crowd(face_image, [18])[0]]) == [[]]


@pytest.mark.parametrize("setting", [{"threshold": -0.1}, {"crowd_threshold": 1.2}, {"smallest": 3}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Duo(**setting)  # type: ignore[arg-type]

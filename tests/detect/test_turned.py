"""Turned copies: where their pixels come from, and the way back of boxes and points, with a detector that sees one colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bianlian.detect.turned import ANGLES, turn, turned_back, with_turns
from bianlian.geometry import apply, invert
from bianlian.types import Face, Image, Landmarks

SPOTS = np.array([[30.0, 20.0], [50.0, 20.0], [40.0, 30.0], [32.0, 40.0], [48.0, 40.0]])


def marked(width: int = 90, height: int = 70) -> Image:
    """A grey picture with five bright 3 x 3 spots of different brightness at SPOTS."""
    picture = np.full((height, width, 3), 127, np.uint8)
    for k, (x, y) in enumerate(SPOTS.astype(int)):
        picture[y - 1 : y + 2, x - 1 : x + 2] = 200 + 10 * k
    return picture


def spots_in(image: Image) -> list[Face]:
    """Detect: the centre of each spot, and a box around all, if the first eye is left of the second and above the mouth."""
    points = []
    for k in range(5):
        rows, columns = np.nonzero(np.abs(image[..., 0].astype(int) - 200 - 10 * k) <= 2)
        if len(rows) == 0:
            return []
        points.append([columns.mean(), rows.mean()])
    five = np.array(points)
    slope = np.arctan2(*(five[1] - five[0])[::-1])
    if abs(slope) > np.pi / 8:
        return []
    return [Face(np.array([*five.min(0) - 10, *five.max(0) + 10]), 0.9, Landmarks(five, "five"))]


def find(images: Sequence[Image]) -> list[list[Face]]:
    return [spots_in(image) for image in images]


@pytest.mark.parametrize("degrees", ANGLES)
def test_convention_a_copy_is_turned_counter_clockwise_and_holds_the_whole_picture(degrees: int) -> None:
    """A step to the right in the picture becomes a step (cos, -sin) in the copy, y down: up for an angle below 180."""
    image = marked()
    copy, frame_from_copy = turn(image, degrees)
    copy_from_frame = invert(frame_from_copy)
    wanted = [np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))]
    np.testing.assert_allclose(copy_from_frame[:, 0], wanted, atol=1e-12)
    corners = apply(copy_from_frame, [[0, 0], [89, 0], [0, 69], [89, 69]])
    assert (corners > -1e-9).all()
    assert (corners <= np.array(copy.shape[1::-1]) - 1 + 1e-9).all()


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_quarter_turns_move_each_pixel_as_it_is(degrees: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (7, 5, 3), dtype=np.uint8)
    copy, frame_from_copy = turn(image, degrees)
    for y in range(copy.shape[0]):
        for x in range(copy.shape[1]):
            column, row = apply(frame_from_copy, [[x, y]])[0].round(9)
            assert (copy[y, x] == image[int(row), int(column)]).all()


@pytest.mark.parametrize("degrees", [45, 135, 225, 315])
def test_other_turns_put_points_where_the_matrix_says(degrees: int) -> None:
    image = np.full((80, 60, 3), 127, np.uint8)
    image[38:43, 28:33] = 255
    copy, frame_from_copy = turn(image, degrees)
    weight = copy[..., 0].astype(float) - 127
    rows, columns = np.indices(weight.shape)
    centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    np.testing.assert_allclose(apply(frame_from_copy, [centre])[0], [30, 40], atol=0.1)


@pytest.mark.parametrize("degrees", ANGLES)
def test_boxes_and_points_come_back_exactly(degrees: int) -> None:
    """By quarters a box 20 x 30 becomes itself; otherwise the square around the same centre, of side sqrt(600)."""
    _, frame_from_copy = turn(marked(), degrees)
    corners = np.array([[30.0, 20.0], [50.0, 50.0]])
    centre = apply(invert(frame_from_copy), [[40.0, 35.0]])[0]
    half = np.array([15.0, 10.0] if degrees in (90, 270) else [10.0, 15.0])
    copied = Face(np.concatenate([centre - half, centre + half]), 0.7, Landmarks(apply(invert(frame_from_copy), SPOTS), "five"))
    back = turned_back(copied, frame_from_copy)
    side = np.sqrt(600) / 2
    wanted = corners if degrees % 90 == 0 else np.array([[40 - side, 35 - side], [40 + side, 35 + side]])
    np.testing.assert_allclose(back.box.reshape(2, 2), wanted, atol=1e-9)
    assert back.landmarks is not None
    np.testing.assert_allclose(back.landmarks.points, SPOTS, atol=1e-9)
    assert back.score == 0.7


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_face_is_found_with_its_points_in_order(degrees: int) -> None:
    image, frame_from_copy = turn(marked(), degrees)
    assert find([image]) == [[]]
    (face,) = with_turns(find, [image])[0]
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks.points, apply(invert(frame_from_copy), SPOTS), atol=1e-9)


def test_turned_copies_are_looked_at_only_where_the_upright_pass_finds_nothing() -> None:
    calls: list[int] = []

    def counted(images: Sequence[Image]) -> list[list[Face]]:
        calls.append(len(images))
        return find(images)

    faces, nothing = with_turns(counted, [marked(), np.full((40, 40, 3), 127, np.uint8)])
    assert len(faces) == 1
    assert nothing == []
    assert calls == [2, len(ANGLES)]


def test_what_two_copies_show_is_one_face_and_the_corners_of_copies_are_no_place_for_one() -> None:
    """A detector that answers every picture but the first alike: middle and corner; copies of 45 degrees have empty corners."""
    image = np.full((100, 100, 3), 127, np.uint8)

    def everywhere(images: Sequence[Image]) -> list[list[Face]]:
        found = []
        for seen in images:
            middle, corner = (np.array(seen.shape[1::-1]) - 1) / 2, np.array([2.0, 2.0])
            boxes = [np.concatenate([c - 12, c + 12]) for c in (middle, corner)]
            found.append([] if seen is image else [Face(box, 0.9 - 0.1 * k) for k, box in enumerate(boxes)])
        return found

    faces = with_turns(everywhere, [image], angles=(45, 90, 180))[0]
    centres = [(face.box[:2] + face.box[2:]) / 2 for face in faces]
    np.testing.assert_allclose(centres[0], [49.5, 49.5], atol=0.5)
    np.testing.assert_allclose(sorted(tuple(c) for c in centres[1:]), [[97, 2], [97, 97]], atol=1e-9)

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.align import template
from bianlian.errors import ConfigError, InputError
from bianlian.geometry import apply, scaling
from bianlian.landmark.schemes import IBUG68_FROM_MESH
from bianlian.mask.hull import hull_mask, outline
from bianlian.mask.regions import FOREHEAD, Brows, Eyes, Hull, Mouth, Nose, Soft, WholeFace, face_outline, soft_mask
from bianlian.types import Image, Landmarks, Mask


def face(size: int = 256) -> Landmarks:
    return Landmarks(template("ibug68", size), "ibug68")


def blank(height: int = 256, width: int = 256) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def at(mask: Mask, point: np.ndarray) -> float:
    return float(mask[round(point[1]), round(point[0])])


def test_eyes_are_hull_then_13_by_13_dilation_then_7_by_7_gaussian_in_a_256_px_crop() -> None:
    points = face().points
    filled = np.zeros((256, 256), np.uint8)
    for eye in (points[36:42], points[42:48]):
        ring = cv2.convexHull(np.round(eye * 16).astype(np.int32))
        cv2.fillConvexPoly(filled, ring, 1, cv2.LINE_8, 4)
    wide = cv2.dilate(filled, np.ones((13, 13), np.uint8)).astype(np.float32)
    expected = cv2.GaussianBlur(wide, (7, 7), 0)
    np.testing.assert_allclose(Eyes().mask([blank()], [face()])[0], expected, atol=1 / 255)


def test_the_dilation_reaches_6_pixels_beyond_the_points() -> None:
    points = face().points
    mask = Eyes(Soft(13, 0)).mask([blank()], [face()])[0]
    left = points[36]  # the outer corner, the leftmost point: 6 = (13 - 1) / 2 pixels beyond it are in, 8 are not
    assert at(mask, left - (6, 0)) == 1
    assert at(mask, left - (8, 0)) == 0


def test_a_mask_of_a_resized_picture_is_the_resized_mask() -> None:
    small, large = face(), Landmarks(apply(scaling(3.0), face().points), "ibug68")
    for masker in (Hull(), WholeFace(), Eyes(), Mouth(), Nose(), Brows()):
        one = masker.mask([blank()], [small])[0]
        three = masker.mask([blank(768, 768)], [large])[0]
        assert np.abs(cv2.resize(three, (256, 256), interpolation=cv2.INTER_AREA) - one).mean() < 0.004


@pytest.mark.parametrize(
    ("masker", "inside", "outside"),
    [
        (Eyes(), [slice(36, 42), slice(42, 48)], [27, 30, 8, 19]),
        (Mouth(), [slice(48, 60), slice(60, 68)], [33, 8, 30]),
        (Nose(), [slice(27, 31), slice(31, 36)], [37, 8, 51]),
        (Brows(), [slice(17, 22), slice(22, 27)], [41, 33, 27]),
        (WholeFace(), [slice(36, 42), slice(48, 60), slice(17, 27)], []),
        (Hull(), [slice(36, 42), slice(48, 60)], []),
    ],
)
def test_each_part_covers_itself_and_not_its_neighbours(masker: Eyes, inside: list[slice], outside: list[int]) -> None:
    points = face().points
    mask = masker.mask([blank()], [face()])[0]
    for part in inside:
        assert at(mask, points[part].mean(0)) > 0.9
    for row in outside:
        assert at(mask, points[row]) == 0


def test_the_whole_face_adds_the_forehead_to_the_hull() -> None:
    points = face().points
    edge = face_outline(face())
    # up is from the chin to the bridge of the nose; the highest brow point rises by FOREHEAD of it
    highest = points[17:27, 1].min() - FOREHEAD * (points[8, 1] - points[27, 1])
    assert edge[:, 1].min() == pytest.approx(highest, abs=1e-3)
    assert edge[:, 1].min() < outline(face())[:, 1].min()
    np.testing.assert_array_equal(Hull().mask([blank()], [face()])[0], hull_mask(outline(face()), (256, 256)))


def test_mesh_and_68_points_agree_on_parts_of_the_same_points() -> None:
    mesh = np.tile(face().points[30], (468, 1))
    mesh[list(IBUG68_FROM_MESH)] = face().points
    marks = Landmarks(mesh, "mesh468")
    np.testing.assert_array_equal(Eyes().mask([blank()], [marks])[0], Eyes().mask([blank()], [face()])[0])


def test_five_points_bound_eyes_and_nothing_else() -> None:
    five = Landmarks(template("five", 256), "five")
    by_five, by_six = (Eyes().mask([blank()], [marks])[0] > 0.5 for marks in (five, face()))
    assert (by_five & by_six).sum() / (by_five | by_six).sum() > 0.7
    for masker in (Hull(), WholeFace(), Mouth(), Nose(), Brows()):
        with pytest.raises(InputError, match="five"):
            masker.mask([blank()], [five])


def test_a_part_cut_by_the_picture_is_the_part_of_the_whole() -> None:
    whole = Mouth().mask([blank()], [face()])[0]
    x, y = face().points[48:60].mean(0).astype(int)
    moved = Landmarks(face().points - (x, y), "ibug68")
    cut = Mouth().mask([blank(60, 70)], [moved])[0]
    np.testing.assert_allclose(cut, whole[y : y + 60, x : x + 70], atol=1e-6)


def test_a_part_outside_the_picture_is_nothing() -> None:
    for by in (5000.0, -5000.0, 1e7):
        far = Landmarks(face().points + by, "ibug68")
        assert not soft_mask([far.points[48:60]], far, (40, 50), Soft(13, 7)).any()


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[0, 256\]"):
        Soft(-1, 7)

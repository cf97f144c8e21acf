"""The shipped weights: on people without anything in front, and with things pasted before them."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from mask_faces import hand, landmarks_of
from numpy.typing import NDArray

from bianlian import align
from bianlian.errors import InputError
from bianlian.geometry import box_of, compose, invert
from bianlian.landmark.facemesh import FaceMesh
from bianlian.mask.hull import hull_mask, outline
from bianlian.mask.learned import COVERAGE, SIDE, LearnedMask, seen_in, steadied, view, view_of
from bianlian.types import Crop, Face, Frame, Image, Landmarks, Mask

Bits = NDArray[np.bool_]


@cache
def network() -> LearnedMask:
    return LearnedMask()


def iou(a: Bits, b: Bits) -> float:
    return float((a & b).sum() / (a | b).sum())


def hull(marks: Landmarks) -> Bits:
    return hull_mask(outline(marks), (512, 512), erode=0, feather=0) > 0.5


def bar(marks: Landmarks) -> tuple[Image, Bits]:
    """Draw a dark stick with a ball before the mouth."""
    points = marks.points
    unit = float(np.hypot(*(points[45] - points[36])))
    cover = np.zeros((512, 512), np.uint8)
    tip = tuple(int(v) for v in points[57] + (0, 0.05 * unit))
    cv2.line(cover, tip, (tip[0] - 40, 560), 255, int(0.2 * unit), cv2.LINE_AA)
    cv2.circle(cover, tip, int(0.26 * unit), 255, -1, cv2.LINE_AA)
    picture = np.full((512, 512, 3), 45, np.uint8)
    picture[::3, ::3] = 90
    return picture, cover > 127


@pytest.mark.weights
def test_without_anything_in_front_it_covers_the_hull_and_the_forehead(demo_frames: list[Frame]) -> None:
    """The rendered inner face reaches above the brows' hull and hardly anywhere else beyond it."""
    mesh = FaceMesh()
    for frame in demo_frames:
        place = landmarks_of(frame.index)
        (face,) = mesh.mark(frame.image, [Face(box_of(place.points), 1.0)])
        assert face is not None
        marks = face.landmarks
        assert marks is not None
        mask = network().mask([frame.image], [marks])[0] > 0.5
        middle = hull_mask(outline(marks), (512, 512), erode=12, feather=0) > 0.5
        assert mask[middle].mean() > 0.97
        wide = hull_mask(outline(marks), (512, 512), erode=-25, feather=0) > 0.5
        assert mask[~wide].sum() < 0.03 * mask.sum()


@pytest.mark.parametrize("kind", ["pale hand", "dark hand", "stick"])
def test_what_is_pasted_in_front_is_left_out(demo_frames: list[Frame], kind: str) -> None:
    """Truth: where the face was seen before, less the thing. The hull, which cannot see, is the measure."""
    learned, blind = [], []
    for frame in demo_frames:
        marks = landmarks_of(frame.index)
        free = network().mask([frame.image], [marks])[0] > 0.5
        thing, cover = bar(marks) if kind == "stick" else hand(marks, (225, 175, 150) if kind == "pale hand" else (120, 80, 62))
        hidden = np.where(cover[..., None], thing, frame.image)
        truth = free & ~cover
        assert 0.05 < 1 - truth.sum() / free.sum() < 0.6
        mask = network().mask([hidden], [marks])[0] > 0.5
        learned.append(iou(mask, truth))
        blind.append(iou(hull(marks) & free, truth))  # the hull, given even the face's true edge
    assert np.mean(learned) > 0.9
    assert np.mean(learned) > np.mean(blind) + 0.05


def test_views_out_of_a_swaps_crops_are_those_of_landmarks(demo_frames: list[Frame]) -> None:
    image, marks = demo_frames[0].image, landmarks_of(0)
    direct = align.crop_from_frame(marks, SIDE, COVERAGE)
    for size, coverage in ((128, align.COVERAGE), (192, 0.6)):
        crop_from_frame = align.crop_from_frame(marks, size, coverage)
        np.testing.assert_allclose(view_of(crop_from_frame, size, coverage), direct, atol=1e-6)
    # a mask over the crop is the mask over the frame, cut
    crop = align.cut(image, align.crop_from_frame(marks, 128), 128)
    seen = view(image, view_of(crop.crop_from_frame, 128))
    (mask,) = network().weigh([seen])
    over_frame = seen_in(mask, invert(seen.crop_from_frame), (512, 512))
    over_crop = seen_in(mask, compose(crop.crop_from_frame, invert(seen.crop_from_frame)), (128, 128))
    again = cv2.warpAffine(over_frame, crop.crop_from_frame, (128, 128), flags=cv2.INTER_LINEAR)
    assert np.abs(again - over_crop).mean() < 0.01
    np.testing.assert_allclose(network().mask([image], [marks])[0], over_frame, atol=1e-3)


def test_views_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="128 x 128"):
        network().weigh([Crop(np.zeros((64, 64, 3), np.uint8), np.eye(2, 3))])


def test_calming_is_centred_and_keeps_what_stands_still() -> None:
    still: Mask = np.full((4, 4), 0.6, np.float32)
    np.testing.assert_allclose(steadied(still, still, still), still)
    flash: Mask = np.ones((4, 4), np.float32)
    none = np.zeros_like(flash)
    np.testing.assert_allclose(steadied(none, flash, none), 0.5)  # its own share
    np.testing.assert_allclose(steadied(flash, none, none), steadied(none, none, flash))
    np.testing.assert_allclose(steadied(None, flash, none), 0.5 / 0.75)  # shares of what is there
    np.testing.assert_array_equal(steadied(None, still, None), still)

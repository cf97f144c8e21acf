from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from swap_scene import RED, crop_map, landmarks_at, picture

from bianlian.align import cut
from bianlian.geometry import scaling
from bianlian.mask.hull import hull_mask, outline
from bianlian.swap.blend import overlay
from bianlian.swap.color import unchanged
from bianlian.swap.paste import Finish, paste, warp
from bianlian.types import Crop, Image, Points

PLAIN = Finish(color=unchanged, shade=0, sharpen=0, grain=0)
ONES = np.ones((64, 64), np.float32)


def scene(centre: tuple[float, float] = (80, 60)) -> tuple[Image, Crop, Points]:
    image = picture(centre)
    x, y = centre
    edge = outline(landmarks_at(np.array([x - 24, y - 24, x + 24, y + 24])))
    return image, cut(image, crop_map(centre, 70, 64), 64), edge


def test_pixels_outside_the_mask_are_the_old_ones_exactly() -> None:
    image, crop, edge = scene()
    out = paste(image, crop, 255 - crop.image, ONES, edge, PLAIN)
    mask = hull_mask(edge, (image.shape[0], image.shape[1]), erode=PLAIN.erode, feather=PLAIN.feather)
    np.testing.assert_array_equal(out[mask == 0], image[mask == 0])
    full = mask == 1
    # In the middle of the face the frame shows the swapped colour: 255 minus the red, within what resampling adds.
    assert np.abs(np.median(out[full], 0) - (255 - np.array(RED))).max() <= 2


def test_the_input_is_not_changed() -> None:
    image, crop, edge = scene()
    before = image.copy()
    paste(image, crop, 255 - crop.image, ONES, edge, PLAIN)
    np.testing.assert_array_equal(image, before)


def test_the_crop_itself_goes_back_where_it_came_from() -> None:
    image, _, edge = scene()
    big = cut(image, crop_map((80, 60), 70, 280), 280)  # four times finer than the frame: nothing is lost
    out = paste(image, big, big.image, np.ones((280, 280), np.float32), edge, PLAIN)
    middle = np.s_[40:80, 60:100]
    assert np.abs(out[middle].astype(int) - image[middle]).mean() < 1.5


def test_the_networks_own_mask_counts() -> None:
    image, crop, edge = scene()
    weights = ONES.copy()
    weights[:, :32] = 0  # the left half is not the network's
    out = paste(image, crop, 255 - crop.image, weights, edge, replace(PLAIN, blend=overlay))
    np.testing.assert_array_equal(out[:, :79], image[:, :79])
    assert (out[60, 85] != image[60, 85]).any()


@pytest.mark.parametrize("centre", [(2, 60), (158, 60), (80, 1), (80, 119)])
def test_a_face_over_the_edge_is_pasted_as_far_as_it_is_seen(centre: tuple[float, float]) -> None:
    image, crop, edge = scene(centre)
    out = paste(image, crop, 255 - crop.image, ONES, edge, PLAIN)
    assert out.shape == image.shape
    assert (out != image).any()


def test_a_face_off_the_picture_changes_nothing() -> None:
    image, crop, edge = scene()
    assert paste(image, crop, crop.image, ONES, edge + np.array([500.0, 0.0]), PLAIN) is image


def test_a_blend_that_touches_everything_is_held_to_the_mask() -> None:
    def everywhere(face: Image, target: Image, mask: np.ndarray) -> Image:
        return face

    image, crop, edge = scene()
    out = paste(image, crop, 255 - crop.image, ONES, edge, replace(PLAIN, blend=everywhere))
    mask = hull_mask(edge, (image.shape[0], image.shape[1]), erode=PLAIN.erode, feather=PLAIN.feather)
    np.testing.assert_array_equal(out[mask == 0], image[mask == 0])


def test_warp_shrinks_without_aliasing() -> None:
    stripes = (255 * (np.indices((64, 64)).sum(0) % 2)).astype(np.uint8)
    small = warp(np.repeat(stripes[..., None], 3, axis=2), scaling(0.2), (12, 12))
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() < 20

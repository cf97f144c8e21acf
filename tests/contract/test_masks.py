"""Every mask of the table keeps the contract ``Masker``."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from bianlian import plugins
from bianlian.align import template
from bianlian.errors import InputError
from bianlian.geometry import apply
from bianlian.mask import Masker
from bianlian.types import Frame, Image, Landmarks

pytestmark = pytest.mark.parametrize("name", list(plugins.TABLES["mask"]))
FACE = np.array([[2.95, 0.546, 90.8], [-0.546, 2.95, 130.7]])
"""Demo frame 0 from an aligned 100-px crop."""
FRONTAL = np.array([[3.151, 0.445, 34.126], [-0.445, 3.151, 135.325]])
"""Demo frame 40, the same."""


@cache
def masker(name: str) -> Masker:
    made: Masker = plugins.load("mask", name)()
    return made


def marks(by: tuple[float, float] = (0, 0), scheme: str = "ibug68") -> Landmarks:
    return Landmarks(apply(FACE, template(scheme, 100)) + by, scheme)


def test_no_pictures_give_no_masks(name: str) -> None:
    assert masker(name).mask([], []) == []


def test_pictures_of_any_size_give_masks_of_theirs(name: str, face_image: Image) -> None:
    pictures = [face_image, face_image[:301, 50:450], face_image[200:201, 200:201], np.ascontiguousarray(face_image[:, :7])]
    masks = masker(name).mask(pictures, [marks()] * len(pictures))
    assert len(masks) == len(pictures)
    for picture, mask in zip(pictures, masks, strict=True):
        assert mask.shape == picture.shape[:2]
        assert mask.dtype == np.float32
        assert mask.min() >= 0
        assert mask.max() <= 1
    assert masks[0].max() > 0.9


def test_the_mask_lies_on_the_face(name: str, demo_frames: list[Frame]) -> None:
    """Of a frame that shows the face from the front, where the mean face fits."""
    points = apply(FRONTAL, template("ibug68", 100))
    (mask,) = masker(name).mask([demo_frames[2].image], [Landmarks(points, "ibug68")])
    x1, y1 = (points.min(0) - (30, 110)).astype(int)  # the forehead lies above all points
    x2, y2 = (points.max(0) + 30).astype(int)
    assert mask[y1:y2, x1:x2].sum() > 0.97 * mask.sum()
    assert 0.002 < mask.mean() < 0.4


def test_the_mask_follows_the_face(name: str, face_image: Image) -> None:
    """The same picture lower and further right on a larger canvas."""
    moved = np.full((580, 600, 3), 127, np.uint8)
    moved[24 : 24 + 512, 40 : 40 + 512] = face_image
    (still,), (gone,) = masker(name).mask([face_image], [marks()]), masker(name).mask([moved], [marks((40, 24))])
    assert np.abs(gone[24 : 24 + 512, 40 : 40 + 512] - still).max() < 0.02


def test_in_a_batch_each_gets_its_own(name: str, demo_frames: list[Frame]) -> None:
    first, second = demo_frames[0].image, demo_frames[0].image[:, ::-1]
    mirrored = marks().points[:, :] * (-1, 1) + (511, 0)
    order = [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        45,
        44,
        43,
        42,
        47,
        46,
        39,
        38,
        37,
        36,
        41,
        40,
    ]
    order += [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
    both = [marks(), Landmarks(mirrored[order], "ibug68")]
    together = masker(name).mask([first, np.ascontiguousarray(second)], both)
    (alone,) = masker(name).mask([first], both[:1])
    np.testing.assert_allclose(together[0], alone, atol=1e-4)
    one, other = together[0] > 0.5, together[1][:, ::-1] > 0.5  # a mirrored face has the mirrored mask
    assert (one & other).sum() / (one | other).sum() > 0.9


def test_nothing_that_is_given_is_changed(name: str, face_image: Image) -> None:
    picture, points = face_image.copy(), marks().points.copy()
    masker(name).mask([face_image], [marks()])
    np.testing.assert_array_equal(face_image, picture)
    np.testing.assert_array_equal(marks().points, points)


def test_a_face_outside_the_picture_gives_an_empty_mask(name: str, face_image: Image) -> None:
    (mask,) = masker(name).mask([face_image], [marks((4000, 4000))])
    assert not mask.any()


def test_what_does_not_fit_is_refused(name: str, face_image: Image) -> None:
    with pytest.raises(InputError, match="1 pictures and 2 faces"):
        masker(name).mask([face_image], [marks(), marks()])
    with pytest.raises(InputError, match="RGB uint8"):
        masker(name).mask([face_image[..., 0]], [marks()])

"""dlib's convolutional detector behind the project's contract."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.detect.mmod import Mmod
from bianlian.errors import ConfigError
from bianlian.types import Image

pytestmark = pytest.mark.weights


def small(image: Image, side: int) -> Image:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def test_faces_have_a_score_and_no_landmarks(face_image: Image) -> None:
    (face,) = Mmod(smallest=80).detect([small(face_image, 220)])[0]
    assert face.landmarks is None
    assert 0.9 < face.score < 1


def test_smallest_says_how_far_a_picture_is_enlarged(face_image: Image) -> None:
    """The face of the demo is about 260 of 512 pixels wide: 51 in a picture of 100, below dlib's window of 80, doubled above it."""
    picture = small(face_image, 100)
    assert Mmod(smallest=80, rotate=False).detect([picture]) == [[]]
    (face,) = Mmod(smallest=40, rotate=False).detect([picture])[0]
    (large,) = Mmod(smallest=80, rotate=False).detect([small(face_image, 200)])[0]
    np.testing.assert_allclose(face.box, large.box / 2, atol=5)


def test_the_limit_goes_before_smallest(face_image: Image) -> None:
    """Shrunk to 100 pixels the face is below the window, whatever smallest asks for."""
    assert Mmod(smallest=20, limit=100, rotate=False).detect([face_image]) == [[]]


@pytest.mark.parametrize("setting", [{"smallest": 0}, {"limit": 10}, {"limit": 100_000}])
def test_settings_out_of_range_are_refused(setting: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        Mmod(**setting)  # type: ignore[arg-type]

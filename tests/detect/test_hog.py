"""dlib's HOG detector behind the project's contract."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bianlian.detect.hog import Hog
from bianlian.errors import ConfigError
from bianlian.types import Image


def test_faces_have_a_score_and_no_landmarks(face_image: Image) -> None:
    (face,) = Hog(upsample=0).detect([face_image])[0]
    assert face.landmarks is None
    assert 0.5 <= face.score < 1


def test_upsampling_finds_smaller_faces(face_image: Image) -> None:
    """The face of the demo is about 260 pixels wide; at a sixth of its size it is below dlib's window of 80, doubled above it."""
    small = np.asarray(cv2.resize(face_image, (85, 85), interpolation=cv2.INTER_AREA), np.uint8)
    assert Hog(upsample=0).detect([small]) == [[]]
    assert len(Hog(upsample=1).detect([small])[0]) == 1


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="upsample"):
        Hog(upsample=-1)

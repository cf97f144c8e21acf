"""The data types check themselves, and the conventions hold."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from bianlian.errors import InputError
from bianlian.types import SCHEMES, Crop, Face, Frame, Landmarks, Track, TrackPoint

PICTURE = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Frame(np.zeros((4, 6), np.uint8), 0), "RGB uint8"),
        (lambda: Frame(PICTURE.astype(np.float32), 0), "RGB uint8"),
        (lambda: Frame(np.zeros((0, 6, 3), np.uint8), 0), "RGB uint8"),
        (lambda: Frame(PICTURE, -1), "index"),
        (lambda: Frame(PICTURE, 0, pts=3), "together"),
        (lambda: Landmarks(np.zeros((67, 2)), "ibug68"), r"\(68, 2\)"),
        (lambda: Landmarks(np.zeros((68, 2)), "ibug69"), "one of five"),
        (lambda: Landmarks(np.full((5, 2), np.nan), "five"), "finite"),
        (lambda: Face(np.array([0.0, 0, 0, 4]), 1.0), "x1 < x2"),
        (lambda: Face(np.array([0.0, 0, 4]), 1.0), r"\(4,\)"),
        (lambda: Face(np.array([0.0, 0, 4, np.inf]), 1.0), "finite"),
        (lambda: Face(np.array([0.0, 0, 4, 4]), 1.5), "score"),
        (lambda: Crop(PICTURE, np.zeros((2, 3))), "square"),
        (lambda: Crop(PICTURE[:, :4], np.eye(3)), r"\(2, 3\)"),
        (lambda: Track(0, ()), "at least one"),
    ],
)
def test_wrong_shapes_are_refused_with_what_was_wanted(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_track_must_be_in_frame_order() -> None:
    face = Face(np.array([0.0, 0, 4, 4]), 1.0)
    with pytest.raises(InputError, match="frame order"):
        Track(0, (TrackPoint(3, face), TrackPoint(3, face)))


def test_convention_time_is_pts_times_time_base() -> None:
    # 1001 ticks of 1/30000 s are one frame of 29.97 video, exactly.
    assert Frame(PICTURE, 1, pts=1001, time_base=Fraction(1, 30000)).seconds == Fraction(1001, 30000)
    assert Frame(PICTURE, 1).seconds is None


def test_convention_schemes_and_their_sizes() -> None:
    assert dict(SCHEMES) == {"five": 5, "ibug68": 68, "mesh468": 468, "mesh478": 478}


def test_face_area_is_width_times_height() -> None:
    assert Face(np.array([1.0, 2, 4, 8]), 0.5).area == 3 * 6


def test_data_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Frame(PICTURE, 0).index = 2  # type: ignore[misc]

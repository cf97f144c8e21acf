from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from swap_scene import landmarks_at

from bianlian.align import COVERAGE, template
from bianlian.errors import ConfigError
from bianlian.swap.plan import Plan, make_plan
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import Analysis
from bianlian.types import Face, Landmarks, Track, TrackPoint
from bianlian.video import Encoding


def at(x: float, y: float = 60.0, side: float = 40.0) -> Face:
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    return Face(box, 0.9, landmarks_at(box))


def plan(*tracks: Track, **settings: object) -> Plan:
    analysis = Analysis("t", "f", 160, 120, 9, Fraction(25), "d", "l", "who", (), tracks)
    return make_plan(analysis, replace(SwapSettings(), **settings), size=64, coverage=COVERAGE)  # type: ignore[arg-type]


def still(number: int, face: Face, frames: range = range(3)) -> Track:
    return Track(number, tuple(TrackPoint(k, face) for k in frames))


def test_the_main_face_is_swapped_and_others_are_named() -> None:
    found = plan(still(0, at(40)), still(1, at(110, side=20), range(5)))
    assert sorted(found.places) == [0, 1, 2]
    assert [p.track for p in found.places[0]] == [0]
    assert found.reason(3) == "another person's face"
    assert found.reason(7) == "no face found"


def test_all_faces() -> None:
    found = plan(still(0, at(40)), still(1, at(110, side=30)), faces="all")
    assert [p.track for p in found.places[0]] == [0, 1]


def test_the_crop_takes_the_mean_face_to_its_template() -> None:
    place = plan(still(0, at(80)), smooth=0.0).places[0][0]
    marks = at(80).landmarks
    assert marks is not None
    moved = marks.points @ place.crop_from_frame[:, :2].T + place.crop_from_frame[:, 2]
    wanted = template("ibug68", 64)[17:]
    assert np.abs(moved[17:] - wanted).mean() < 3  # the fake face is the mean one stretched to a square


def test_faces_by_track_number() -> None:
    both = still(0, at(40)), still(1, at(110, side=30))
    assert [p.track for p in plan(*both, faces="1").places[0]] == [1]
    assert [p.track for p in plan(*both, faces="1,0,1").places[0]] == [0, 1]
    with pytest.raises(ConfigError, match=r"track 7, which is not there; tracks: 0 \(frames 0-2, 40 px\), 1"):
        plan(*both, faces="0,7")


@pytest.mark.parametrize(
    ("face", "why"),
    [
        (at(80, side=14), "smaller than 16 px"),
        (at(-15), "outside the picture"),
        (Face(np.array([10.0, 10, 50, 50]), 1.0), "no landmarks"),
        (Face(np.array([10.0, 10, 50, 50]), 1.0, Landmarks(np.full((68, 2), 30.0), "ibug68")), "landmarks fit no face"),
        (Face(np.array([10.0, 10, 50, 50]), 1.0, Landmarks(np.ones((5, 2)), "five")), "landmarks fit no face"),
    ],
)
def test_faces_that_cannot_be_swapped_are_left_with_a_reason(face: Face, why: str) -> None:
    found = plan(still(0, face))
    assert not found.places
    assert why in found.reason(0)


def test_a_face_half_outside_is_swapped() -> None:
    assert plan(still(0, at(5))).places


@pytest.mark.parametrize(
    "wrong",
    [
        {"blend": "glue"},
        {"color": "hsv"},
        {"detector": "eye"},
        {"landmarker": "hand"},
        {"faces": "none"},
        {"faces": "1,"},
        {"erode": 99.0},
        {"feather": -1.0},
        {"sharpen": 11.0},
        {"grain": float("nan")},
        {"batch": 0},
        {"smooth": -0.1},
        {"steady": -1.0},
        {"fade": 6.0},
        {"segment": 0},
        {"super": True, "refine": 0},
        {"gap": 9.0},
        {"smallest": 0.0},
    ],
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SwapSettings(**wrong)  # type: ignore[arg-type]


def test_settings_can_be_compared() -> None:
    assert SwapSettings() == SwapSettings(encoding=Encoding())

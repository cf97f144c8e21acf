from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.errors import ConfigError
from bianlian.track import gaussian, link, main_tracks, shots, smooth
from bianlian.types import Face, Landmarks, Track, TrackPoint


def face(x: float, y: float = 50.0, side: float = 20.0, marked: bool = True) -> Face:
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    five = np.array([[-4.0, -4], [4, -4], [0, 0], [-3, 4], [3, 4]]) * side / 20 + [x, y]
    return Face(box, 0.9, Landmarks(five, "five") if marked else None)


def frames(track: Track) -> list[int]:
    return [p.frame for p in track.points]


def xs(track: Track) -> list[float]:
    return [float(p.face.box[[0, 2]].mean()) for p in track.points]


def test_two_faces_are_followed_apart() -> None:
    tracks = link([(k, [face(20 + k), face(80 - k)]) for k in range(10)])
    assert [xs(t) for t in tracks] == [[20.0 + k for k in range(10)], [80.0 - k for k in range(10)]]


def test_order_of_detections_does_not_matter() -> None:
    tracks = link([(k, [face(20), face(80)] if k % 2 else [face(80), face(20)]) for k in range(6)])
    assert [set(xs(t)) for t in tracks] == [{80.0}, {20.0}]


def test_crossing_faces_keep_their_direction() -> None:
    # They meet at 50 between frames 5 and 6 and pass: 4 px a frame each, constant velocity tells them apart.
    tracks = link([(k, [face(28 + 4 * k), face(72 - 4 * k, y=51)]) for k in range(12)])
    assert [xs(t)[-1] for t in tracks] == [28 + 44, 72 - 44]


def test_short_gaps_are_filled_on_the_straight_line() -> None:
    seen = [(0, [face(20)]), (1, [face(22)]), (2, []), (3, []), (4, [face(28)])]
    (track,) = link(seen, gap=2)
    assert frames(track) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(xs(track), [20, 22, 24, 26, 28])  # (28 - 22) / 3 = 2 a frame
    assert [p.filled for p in track.points] == [False, False, True, True, False]
    assert track.points[2].face.landmarks is not None
    np.testing.assert_allclose(track.points[2].face.landmarks.points[2], [24, 50])


def test_longer_gaps_are_not_filled_but_the_face_is_known_again_where_it_was() -> None:
    seen = [(0, [face(20)]), *[(k, []) for k in range(1, 6)], (6, [face(22)]), (7, [face(22)])]
    assert [frames(t) for t in link(seen, gap=2, memory=10)] == [[0, 6, 7]]
    assert [frames(t) for t in link(seen, gap=2, memory=3)] == [[0], [6, 7]]


def test_a_cut_ends_every_track() -> None:
    assert [frames(t) for t in link([(k, [face(20)]) for k in range(4)], cuts={2})] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("other", [face(60), face(20, side=40)])
def test_a_jump_in_place_or_size_is_another_face(other: Face) -> None:
    assert len(link([(0, [face(20)]), (1, [other])], gap=2)) == 2


def test_frames_without_faces_give_no_track() -> None:
    assert link([(0, []), (1, [])]) == []
    assert link([]) == []


def test_the_main_track_of_each_shot_is_the_largest_in_sum() -> None:
    small_long = [(k, [face(20, side=20), *([face(80, side=30)] if k < 4 else [])]) for k in range(10)]
    after = [(k, [face(50, side=10)]) for k in (10, 11)]
    tracks = link([*small_long, *after], cuts={10})
    # 10 frames * 20^2 = 4000 against 4 * 30^2 = 3600; the shot after the cut has a face of its own.
    assert [frames(t) for t in main_tracks(tracks, {10})] == [list(range(10)), [10, 11]]
    assert [len(s) for s in shots(tracks, {10})] == [2, 1]
    assert main_tracks([]) == []


@given(st.floats(-5, 5), st.floats(-100, 100), st.integers(1, 40), st.floats(0.1, 6))
def test_smoothing_keeps_a_straight_line(slope: float, start: float, count: int, sigma: float) -> None:
    line = start + slope * np.arange(count, dtype=np.float64)[:, None]
    np.testing.assert_allclose(gaussian(line, sigma), line, atol=1e-6)


def test_smoothing_has_no_lag_and_lowers_noise() -> None:
    t = np.arange(200)
    clean = 10 * np.sin(2 * np.pi * t / 50)[:, None]
    noisy = clean + np.random.default_rng(0).normal(0, 1, clean.shape)
    out = gaussian(noisy, 1.5)
    # White noise through a Gaussian of sigma s keeps 1 / sqrt(2 s sqrt(pi)) of its spread: 0.434 for 1.5.
    assert np.std(out - clean) == pytest.approx(1 / np.sqrt(2 * 1.5 * np.sqrt(np.pi)), abs=0.08)
    shifts = [np.abs(np.roll(clean, k) - out).mean() for k in (-1, 0, 1)]
    assert np.argmin(shifts) == 1


def test_smoothing_does_not_reach_over_a_gap_or_change_the_frames() -> None:
    points = [TrackPoint(k, face(20)) for k in range(5)] + [TrackPoint(k, face(90)) for k in range(9, 14)]
    out = smooth(Track(3, tuple(points), "anna"), 2)
    np.testing.assert_allclose(xs(out), [20.0] * 5 + [90.0] * 5)
    assert (out.id, out.person, frames(out)) == (3, "anna", [*range(5), *range(9, 14)])


def test_smoothing_moves_landmarks_with_the_box() -> None:
    points = [TrackPoint(k, face(20 + (k % 2))) for k in range(9)]
    out = smooth(Track(0, tuple(points)), 2)
    marks = out.points[4].face.landmarks
    assert marks is not None
    np.testing.assert_allclose(marks.points[2, 0], 20.5, atol=0.05)
    np.testing.assert_allclose(xs(out)[4], 20.5, atol=0.05)


def test_smoothing_takes_faces_without_landmarks_and_single_points() -> None:
    alone = Track(0, (TrackPoint(4, face(20, marked=False)),))
    assert xs(smooth(alone, 3)) == [20.0]
    np.testing.assert_array_equal(gaussian(np.ones((3, 2)), 0), np.ones((3, 2)))


def test_negative_sigma_is_refused() -> None:
    with pytest.raises(ConfigError, match="sigma"):
        smooth(Track(0, (TrackPoint(0, face(1)),)), -1)

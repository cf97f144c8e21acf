"""Faces that come, go and turn away fade; their size does not breathe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from swap_scene import Tint, decoded, landmarks_at, movie, picture
from swap_scene import _red_world as _red_world

from bianlian.align import COVERAGE, crop_from_frame
from bianlian.geometry import apply, invert, scale_of
from bianlian.landmark.pose import HEAD68
from bianlian.swap.pipeline import swap
from bianlian.swap.plan import TURNED, Plan, make_plan
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import Analysis
from bianlian.track import smooth
from bianlian.types import Face, Landmarks, Points, Track, TrackPoint
from bianlian.video import Encoding

SIZE = 64


def marked(points: Points) -> Face:
    return Face(np.concatenate([points.min(0), points.max(0)]), 0.9, Landmarks(points, "ibug68"))


def at(x: float = 60.0, side: float = 40.0) -> Face:
    box = np.array([x - side / 2, 40 - side / 2, x + side / 2, 40 + side / 2])
    return Face(box, 0.9, landmarks_at(box))


def track(faces: dict[int, Face], number: int = 0) -> Track:
    return Track(number, tuple(TrackPoint(k, face) for k, face in sorted(faces.items())))


def plan(*tracks: Track, frames: int = 60, cuts: tuple[int, ...] = (), rate: int = 25, **settings: float) -> Plan:
    analysis = Analysis("t", "f", 160, 120, frames, Fraction(rate), "d", "l", "who", cuts, tracks)
    chosen = replace(SwapSettings(faces="all"), **settings)  # type: ignore[arg-type]
    return make_plan(analysis, chosen, size=SIZE, coverage=COVERAGE)


def shares(found: Plan, frames: Sequence[int]) -> list[float]:
    return [found.places[k][0].share for k in frames]


def test_a_face_that_leaves_and_returns_fades_out_and_in() -> None:
    # 0.16 s at 25 a second are 4 frames: shares of 1/5 to 4/5 before the last, and after the first frame of a run.
    found = plan(track({k: at() for k in (*range(20), *range(40, 60))}))
    np.testing.assert_allclose(shares(found, range(15, 20)), [1.0, 0.8, 0.6, 0.4, 0.2])
    np.testing.assert_allclose(shares(found, range(40, 45)), [0.2, 0.4, 0.6, 0.8, 1.0])
    assert shares(found, [0, 1, 58, 59]) == [1.0] * 4  # the footage begins and ends with the face in it
    assert found.reason(30) == "no face found"


def test_nothing_fades_at_a_cut() -> None:
    found = plan(track({k: at() for k in range(20)}), track({k: at(100) for k in range(20, 40)}, 1), cuts=(20, 40))
    assert shares(found, range(40)) == [1.0] * 40


def test_a_face_seen_for_two_frames_hardly_shows() -> None:
    assert max(shares(plan(track({k: at() for k in (30, 31)})), [30, 31])) == pytest.approx(0.2)


def test_another_track_that_goes_on_in_the_same_place_is_no_loss() -> None:
    found = plan(track({k: at() for k in range(30)}), track({k: at(63) for k in range(30, 60)}, 1))
    assert shares(found, range(60)) == [1.0] * 60
    apart = plan(track({k: at(40) for k in range(30)}), track({k: at(110) for k in range(30, 60)}, 1))
    np.testing.assert_allclose(shares(apart, [29, 30]), [0.2, 0.2])


def test_no_fade_without_time_and_when_turned_off() -> None:
    gone = track({k: at() for k in range(20)})
    assert shares(plan(gone, fade=0.0), range(20)) == [1.0] * 20


def turned(yaw: float) -> Face:
    turn = np.deg2rad(yaw)
    head = np.array(HEAD68) - np.mean(HEAD68, axis=0)
    x = head[:, 0] * np.cos(turn) - head[:, 2] * np.sin(turn)
    return marked(np.stack([80 + 40 * x, 60 + 40 * head[:, 1]], 1))


@pytest.mark.parametrize("side", [-1, 1])
def test_a_head_that_turns_to_profile_and_back_fades(side: int) -> None:
    angles = np.concatenate([np.linspace(0, 90, 40), np.linspace(90, 0, 40)])
    found = plan(track({k: turned(side * a) for k, a in enumerate(angles)}), frames=80, smooth=0.0)
    seen = np.array([found.places[k][0].share if k in found.places else 0.0 for k in range(80)])
    np.testing.assert_array_equal(seen[np.abs(angles) < 60], 1.0)
    np.testing.assert_array_equal(seen[np.abs(angles) > 86], 0.0)
    assert np.abs(np.diff(seen)).max() <= 0.25  # in steps of no more than one of the four frames, and a little of the turn
    assert found.reason(40) == TURNED


def test_the_size_does_not_breathe_with_the_mouth_and_follows_the_head() -> None:
    """A mouth that opens and closes four times a second moves 20 of the 51 points; the head comes nearer by a half in 4 s."""
    frames, growth, sizes = 100, np.linspace(1, 1.5, 100), []
    faces = {}
    for k in range(frames):
        points = np.array(HEAD68)[:, :2].copy()
        points[48:68, 1] += 0.06 * np.sin(2 * np.pi * 4 * k / 25) * (points[48:68, 1] > 0.48)
        faces[k] = marked(80 + 30 * growth[k] * points)
    for seconds in (0.0, 0.06):
        found = plan(track(faces), frames=frames, smooth=seconds)
        scale = np.array([1 / scale_of(found.places[k][0].crop_from_frame) for k in range(frames)])
        sizes.append(np.log(scale / scale[0] / growth))
    raw, calm = (float(np.std(x[10:90])) for x in sizes)
    assert raw > 0.003
    assert calm < 0.15 * raw
    assert np.abs(sizes[1][10:90] - np.mean(sizes[0])).max() < 0.005


def test_the_middle_of_the_crop_stays_where_the_landmarks_put_it() -> None:
    one = track({k: at(60 + 0.3 * k, 40 + 6 * (k % 2)) for k in range(30)})
    middle, found = [[(SIZE - 1) / 2] * 2], plan(one, frames=30)
    for point in smooth(one, 0.06 * 25).points:
        assert point.face.landmarks is not None
        by_itself = crop_from_frame(point.face.landmarks, SIZE)
        sized = found.places[point.frame][0].crop_from_frame
        np.testing.assert_allclose(apply(invert(sized), middle), apply(invert(by_itself), middle), atol=1e-9)
        assert point.frame in (0, 29) or abs(scale_of(sized) / scale_of(by_itself) - 1) > 1e-6


@pytest.mark.usefixtures("red_world")
@pytest.mark.parametrize("blend", ["mask", "overlay", "poisson", "pyramid"])
def test_the_new_face_goes_step_by_step_in_the_picture(tmp_path: Path, blend: str) -> None:
    """Nobody for a second between two appearances: the change of the picture shrinks before, and grows after."""
    images = [picture((80, 60), seed=1) for _ in range(12)] + [picture(None, seed=1) for _ in range(30)]
    images += [picture((80, 60), seed=1) for _ in range(12)]
    settings = SwapSettings(
        encoding=Encoding(codec="ffv1"), blend=blend, color="none", mask="hull", refine=0, shade=0, sharpen=0, grain=0
    )
    report = swap(movie(tmp_path / "in.mkv", images), Tint(), tmp_path / "out.mkv", settings)
    assert [(s.reason, s.frames) for s in report.skipped] == [("no face found", 30)]
    pairs = zip(images, decoded(tmp_path / "out.mkv")[0], strict=True)
    change = np.array([np.abs(a.astype(float) - b)[50:70, 70:90].mean() for a, b in pairs])
    np.testing.assert_allclose(change[8:12] / change[5], [0.8, 0.6, 0.4, 0.2], atol=0.03)
    np.testing.assert_allclose(change[42:46] / change[5], [0.2, 0.4, 0.6, 0.8], atol=0.03)

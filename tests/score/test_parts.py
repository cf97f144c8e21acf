"""The parts of a score that want no network: following, checks, the summary, worst frames, drawings, what lies beside an output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bianlian.align import template
from bianlian.errors import ConfigError
from bianlian.geometry import box_of
from bianlian.score import coverage, pose, seam, sharpness, stalls, truth_ssim, warp
from bianlian.score.follow import AGAIN, Follower
from bianlian.score.made import made
from bianlian.score.metric import Card, Controls, Part, near
from bianlian.score.pair import Array, region_of
from bianlian.score.plot import distance_plot, series_plot
from bianlian.score.result import Result, badness, result_of
from bianlian.score.score import PLAIN, TRUE
from bianlian.score.settings import ScoreSettings
from bianlian.score.total import scaled, total
from bianlian.score.worst import worst_frames
from bianlian.types import Face, Image, Landmarks

NONE = float("nan")


class Two:
    """Finds two faces, a large one left and a small one right; counts how often it is asked."""

    asked = 0

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        self.asked += 1
        return [[Face(np.array([10.0, 10, 70, 70]), 0.9), Face(np.array([100.0, 20, 130, 50]), 0.9)] for _ in images]

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        points = template("ibug68", 1)
        return [Face(f.box, f.score, Landmarks(f.box[:2] + (points + 0.5) * (f.box[2:] - f.box[:2]), "ibug68")) for f in faces]


def made_result(card: Card, value: float, series: Array | None = None, **more: object) -> Result:
    """A result that was not measured."""
    series = np.full(4, value) if series is None else series
    return Result(card, value, value, value, value, series, Controls(itself=-0.4, held_out=0.4), **more)  # type: ignore[arg-type]


def card_of(part: Part, name: str = "x") -> Card:
    return Card(name, name, "", "up", 1.0, "", "", part=part)


def test_the_face_that_the_output_changed_is_followed() -> None:
    fake = Two()
    follower = Follower(fake, fake)
    target = np.zeros((120, 160, 3), np.uint8)
    changed = target.copy()
    changed[25:45, 105:125] = 90
    face = follower.find(0, target, changed)
    assert face is not None
    assert face.box[0] == 100
    for k in range(1, AGAIN + 1):
        follower.saw(face)
        assert follower.find(k, target, changed) is face
    assert fake.asked == 1
    follower.find(AGAIN + 1, target, changed)
    assert fake.asked == 2
    cut = follower.find(AGAIN + 2, target + np.uint8(100), target + np.uint8(100))
    assert follower.cut
    assert fake.asked == 3
    assert cut is not None
    assert cut.box[0] == 10, "where nothing is changed the largest face counts"


def test_convention_depth_is_positive_inside_and_in_face_sizes() -> None:
    points = template("ibug68", 100) + 50
    region = region_of(Landmarks(points, "ibug68"), (200, 200, 3))
    assert region is not None
    x1, y1, x2, y2 = region.box
    assert region.depth.shape == (y2 - y1, x2 - x1)
    middle = region.depth[round(99.5 - y1), round(99.5 - x1)]
    left, right = box_of(points)[[0, 2]]
    assert middle == pytest.approx((right - left) / 2 / region.size, abs=0.1)
    assert region.depth[0, 0] < 0
    assert region_of(Landmarks(points + 1000, "ibug68"), (200, 200, 3)) is None


def test_ssim_is_one_for_equal_pictures_and_that_of_the_paper_for_a_gain() -> None:
    grey = np.random.default_rng(0).uniform(50, 150, (32, 32)).astype(np.float32)
    assert truth_ssim.ssim(grey, grey).min() == pytest.approx(1, abs=1e-4)
    flat = np.full((32, 32), 100, np.float32)
    c1 = (0.01 * 255) ** 2
    # without any structure only the term of the means is left
    assert truth_ssim.ssim(flat, flat * 1.2).mean() == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-3)


def test_a_check_says_which_control_failed() -> None:
    check = near(1.0, 0.01, 0.2)
    assert check(Controls(itself=1.0, codec=0.9)) is None
    assert check(Controls()) is None
    assert "against itself scores 0.5" in str(check(Controls(itself=0.5)))
    assert "anew is enough" in str(check(Controls(itself=1.0, codec=0.5)))


@pytest.mark.parametrize(
    ("card", "value", "codec", "wanted"),
    [
        (pose.CARD, pose.CARD.good, NONE, 1.0),
        (pose.CARD, pose.CARD.bad, NONE, 0.0),
        (pose.CARD, 3.0, 3.0, 1.0),
        (pose.CARD, pose.CARD.bad + 2.0, pose.CARD.good + 2.0, 0.0),  # the codec's cost moves both ends
        (coverage.CARD, 85.0, 95.0, 0.5),  # 75 to 95
        (coverage.CARD, 90.0, NONE, 0.5),
        (sharpness.CARD, 1.0, NONE, 1.0),
        (sharpness.CARD, 1 / sharpness.CARD.bad, NONE, 0.0),
        (sharpness.CARD, sharpness.CARD.bad, NONE, 0.0),
        (seam.CARD, float(np.sqrt(seam.CARD.bad * seam.CARD.good)), NONE, 0.5),
    ],
)
def test_how_a_value_counts(card: Card, value: float, codec: float, wanted: float) -> None:
    assert scaled(card, value, codec) == pytest.approx(wanted)


def test_nothing_makes_up_for_a_part_that_is_missing() -> None:
    fine = {"a": made_result(card_of("seam"), 1.0), "b": made_result(card_of("sharpness"), 1.0)}
    assert total(fine).score == pytest.approx(100)
    assert total(fine).held_by is None
    dead = total(fine | {"c": made_result(card_of("expression"), 0.0)})
    # weights 0.1, 0.15 and 0.3; the dead part counts 0.01
    assert dead.score == pytest.approx(100 * 0.01 ** (0.3 / 0.55))
    assert dead.held_by == "expression"
    left_out = total(fine | {"c": made_result(card_of("expression"), 0.0, invalid="a control failed")})
    assert left_out.score == pytest.approx(100)
    assert total({}).score is None


def test_identity_counts_the_way_from_target_to_source() -> None:
    card = card_of("identity")
    # the target's margin is -0.4, that of the source's own pictures 0.4: 0.2 is three quarters of the way
    assert total({"m": made_result(card, 0.2)}).parts["identity"] == pytest.approx(1)
    assert total({"m": made_result(card, -0.4)}).parts["identity"] == 0
    half = total({"m": made_result(card, 0.0)}).parts["identity"]
    assert half == pytest.approx((0.5 - 0.2) / (0.75 - 0.2))


def test_the_truth_counts_by_what_is_gone() -> None:
    card = card_of("truth")
    assert total({"t": made_result(card, 0.07, noop=0.1, gain=0.03)}).parts["truth"] == pytest.approx(0.5)
    assert total({"t": made_result(card, 0.12, noop=0.1, gain=-0.02)}).parts["truth"] == 0


def test_p95_is_what_nearly_all_frames_are_no_worse_than() -> None:
    rows, steps = np.arange(1.0, 101)[:, None], np.ones(100, np.bool_)
    assert result_of(pose.METRIC, rows, steps, Controls()).p95 == 95
    assert result_of(coverage.METRIC, rows, steps, Controls()).p95 == 6
    low = result_of(sharpness.METRIC, np.array([[1.0]] * 19 + [[0.1]]), np.ones(20, np.bool_), Controls())
    assert (low.value, low.p95) == (1.0, 1.0)
    empty = result_of(pose.METRIC, np.zeros((0, 1)), np.zeros(0, np.bool_), Controls())
    assert np.isnan(empty.value)
    assert list(badness(warp.CARD, np.array([1.0, 2.0, 0.5])).round(3)) == [0, 0.693, 0.693]


def test_the_worst_frames_are_apart_and_named() -> None:
    series = np.zeros(20)
    series[[5, 6, 15]] = (9, 8, 7)
    results = {"a": made_result(pose.CARD, 0.0, series), "b": made_result(stalls.CARD, 0.0, np.zeros(20))}
    found = worst_frames(results, 2, set(range(20)))
    assert [(w.place, w.name, w.value) for w in found] == [(5, "a", 9), (15, "a", 7)]
    assert [w.place for w in worst_frames(results, 1, {15})] == [15]
    assert worst_frames({}, 3, {1}) == []


def test_drawings_hold_what_they_show() -> None:
    times, values = np.arange(2000) / 25, np.ones(2000)
    values[777] = 9
    drawn = series_plot(pose.CARD, values, times, "s", [float(times[777])])
    points = drawn.split('points="')[1].split('"')[0].split()
    assert len(points) == 600
    top = min(float(p.split(",")[1]) for p in points)
    assert sum(float(p.split(",")[1]) == top for p in points) == 1, "the worst value is never thinned out"
    assert drawn.count('class="mark"') == 1
    assert series_plot(pose.CARD, np.full(5, np.nan), times[:5], "s") == ""
    groups = distance_plot({"output": np.array([0.3, 0.4]), "target": np.array([0.7]), "source": np.zeros(0)})
    assert groups.count('class="output middle"') == groups.count('class="target middle"') == 1
    assert "source" not in groups.split("</svg>")[0].split("description")[1]


@pytest.mark.parametrize(
    ("text", "by_us", "crf"),
    [
        (json.dumps({"model": "runs/x", "settings": {"encoding": {"codec": "h264", "crf": 30, "preset": "fast"}}}), True, 30),
        (json.dumps({"settings": {"encoding": {"codec": "h264", "crf": 300, "preset": "fast"}}}), True, 18),
        ("[1, 2]", False, 18),
        ("no json", False, 18),
        (None, False, 18),
    ],
)
def test_what_lies_beside_an_output_is_read_with_care(tmp_path: Path, text: str | None, by_us: bool, crf: int) -> None:
    if text is not None:
        (tmp_path / "out.json").write_text(text)
    (tmp_path / "out.tracks.jsonl").write_text("not tracks\n")
    notes: list[str] = []
    found = made(tmp_path / "out.mp4", tmp_path / "target.mp4", notes.append)
    assert (found.by_us, found.encoding.crf, found.analysis) == (by_us, crf, None)
    assert "faces are looked for anew" in notes[0]
    assert not found.fitted
    (tmp_path / "out.json").write_text(json.dumps({"settings": {}, "fitted": True}))
    assert made(tmp_path / "out.mp4", tmp_path / "target.mp4", notes.append).fitted


def test_settings_out_of_range_are_refused() -> None:
    wrongs: list[dict[str, Any]] = [{"every": 0}, {"describe": 0}, {"worst": -1}]
    for wrong in wrongs:
        with pytest.raises(ConfigError, match="must be"):
            ScoreSettings(**wrong)


def test_every_metric_says_what_it_is() -> None:
    names = [m.card.name for m in (*PLAIN, *TRUE)]
    assert len(set(names)) == len(names)
    for metric in (*PLAIN, *TRUE):
        card = metric.card
        assert card.title
        assert card.says
        assert card.source
        assert card.better in ("up", "down", "one")
        assert card.bad != card.good

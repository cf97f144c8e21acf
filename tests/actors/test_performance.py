"""Performances: fixed by their seed, within their limits, written and read back."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bianlian.actors.performance import SHAPES, Script, random_performance, read_performance, still
from bianlian.errors import ConfigError, InputError

SCRIPT = Script(120, Fraction(30000, 1001), yaw=20, pitch=10, roll=5)


def test_a_seed_fixes_everything_and_another_one_nothing() -> None:
    one, same, other = (random_performance(seed, SCRIPT).columns() for seed in (3, 3, 4))
    assert all(np.array_equal(one[k], same[k]) for k in one)
    assert not any(np.array_equal(one[k], other[k]) for k in one if k not in ("rate",))


def test_a_performance_keeps_its_limits() -> None:
    act = random_performance(1, SCRIPT)
    for name, most in (("yaw", 20), ("pitch", 10), ("roll", 5)):
        # a curve is scaled to its peak
        assert np.abs(getattr(act, name)).max() == pytest.approx(most, rel=1e-4)
    assert all(curve.min() >= 0 and curve.max() <= 1 for curve in act.expression.values())
    np.testing.assert_allclose(np.linalg.norm(act.light, axis=1), 1, atol=1e-5)
    assert max(act.expression["eyeBlink_L"]) == 1
    assert not (act.expression["eyeLookUp_L"] * act.expression["eyeLookDown_L"]).any()


def test_a_mouth_that_does_not_talk_is_shut() -> None:
    act = random_performance(1, replace(SCRIPT, talk=0))
    assert not act.expression["jawOpen"].any()
    assert not act.expression["mouthFunnel"].any()


def test_a_still_looks_ahead() -> None:
    act = still(7)
    assert len(act) == 1
    assert (act.yaw[0], act.pitch[0], act.roll[0]) == (0, 0, 0)
    assert not act.expression
    assert not act.gaze.any()


def test_a_truth_file_plays_again(tmp_path: Path) -> None:
    act = random_performance(5, SCRIPT)
    np.savez(tmp_path / "t.npz", landmarks68=np.zeros(3), **act.columns())  # type: ignore[arg-type]
    again = read_performance(tmp_path / "t.npz")
    assert again.rate == Fraction(30000, 1001)
    assert again.backdrop == 5
    assert all(np.array_equal(v, again.columns()[k]) for k, v in act.columns().items())


def test_a_frame_is_a_performance_of_its_own() -> None:
    act = random_performance(5, SCRIPT)
    one = act.frame(17)
    assert len(one) == 1
    assert all(np.array_equal(getattr(one, name)[0], getattr(act, name)[17]) for name in SHAPES)
    assert one.weights(0) == act.weights(17)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Script(0), "1 frame or more"),
        (lambda: Script(5, yaw=41), "yaw must lie in 0 to 40, got 41"),
        (lambda: Script(5, talk=2), "talk must lie in 0 to 1"),
        (lambda: random_performance(-1, SCRIPT), "seed must be 0 or more, got -1"),
    ],
)
def test_values_out_of_range_are_refused(make: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make()  # type: ignore[operator]


def test_what_is_no_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; wanted the truth"):
        read_performance(tmp_path / "t.npz")
    (tmp_path / "t.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="holds no performance"):
        read_performance(tmp_path / "t.npz")
    columns = random_performance(5, SCRIPT).columns()
    np.savez(tmp_path / "t.npz", **{**columns, "gaze": np.zeros((3, 2))})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="wants gaze as"):
        read_performance(tmp_path / "t.npz")

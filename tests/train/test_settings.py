"""The learning rate over time and the moving average, by hand; settings out of range."""

from __future__ import annotations

from typing import Any

import pytest

from bianlian.errors import ConfigError
from bianlian.train.settings import TrainSettings


def test_the_rate_rises_and_then_falls_as_planned() -> None:
    cosine = TrainSettings(schedule="cosine", planned=100, warm_up=10)
    assert cosine.rate(0) == pytest.approx(0.1)  # the first of ten steps of warm-up
    assert cosine.rate(50) == pytest.approx(0.02 + 0.98 / 2)  # half way down half a cosine wave from 1 to 0.02
    assert cosine.rate(100) == pytest.approx(0.02)
    assert cosine.rate(500) == pytest.approx(0.02)  # a run that goes on past its plan keeps the last rate
    linear = TrainSettings(schedule="linear", planned=100, warm_up=0)
    assert [linear.rate(n) for n in (0, 25, 100)] == pytest.approx([1, 1 - 0.98 / 4, 0.02])
    assert [TrainSettings().rate(n) for n in (4, 19, 10**6)] == pytest.approx([5 / 20, 1, 1])


def test_the_average_forgets_faster_in_the_first_steps() -> None:
    settings = TrainSettings(average=0.9)
    assert [settings.stays(n) for n in (1, 10, 90, 10**6)] == pytest.approx([1 / 11, 0.5, 0.9, 0.9])
    assert TrainSettings(average=0.0).stays(50) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accumulate": 0}, "accumulate must be 1 to 1024"),
        ({"schedule": "steps"}, "there are: constant, cosine, linear"),
        ({"schedule": "cosine"}, "needs a planned end"),
        ({"average": 1.0}, "average must lie in"),
        ({"held_out": 0.6}, r"held_out in \[0, 0.5\]"),
        ({"balance": -1.0}, "balance must lie in"),
        ({"warm_up": -1}, "warm_up must be 0 or more"),
    ],
)
def test_settings_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainSettings(**changes)

"""What the log says of the losses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bianlian.train.log import Meter
from bianlian.train.processes import ALONE


def test_a_loss_that_begins_or_ends_between_two_lines_has_its_own_mean() -> None:
    feed: Any = SimpleNamespace(waited=0.0)
    meter = Meter(ALONE, feed)
    for losses in ({"l1": 1.0, "hinge": 4.0}, {"l1": 2.0}, {"l1": 6.0, "perceptual": 8.0}):
        meter.add({name: torch.tensor(value) for name, value in losses.items()})
    means, waited = meter.read()
    assert means == pytest.approx({"l1": 3.0, "hinge": 4.0, "perceptual": 8.0})
    assert waited == 0
    meter.add({"l1": torch.tensor(5.0)})
    assert meter.read()[0] == {"l1": 5.0}

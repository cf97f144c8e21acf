"""One step for several batches: gradients of each phase of a step are added up apart from the other phases'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bianlian.model.protocol import Batch, Engine
from bianlian.train.processes import ALONE
from bianlian.train.state import Gate


class TwoPhases:
    """Two weights, each trained in a phase of its own, the way a judge and an artist take turns; a schedule doubles the rate."""

    def __init__(self) -> None:
        self.networks = nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in range(2)])

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        mean = batch[0].truth.mean()
        if engine.part == 0:
            for group in engine.optimizer.param_groups:
                group["lr"] *= 2
        for phase, weight in enumerate(self.networks):
            engine.optimizer.zero_grad()
            engine.backward((weight * mean).sum() * (phase + 1))
            engine.optimizer.step()
        return {"total": mean}


def batch(value: float) -> list[Batch]:
    picture = torch.full((1, 3, 2, 2), value)
    plane = torch.ones(1, 1, 2, 2)
    return [Batch(picture, picture, plane, plane)]


@pytest.mark.parametrize("values", [(1.0,), (1.0, 3.0), (1.0, 3.0, 5.0)])
def test_each_phase_steps_by_the_mean_of_its_own_gradients(values: tuple[float, ...]) -> None:
    model: Any = TwoPhases()
    weights = list(model.networks.parameters())
    gate = Gate(torch.optim.SGD(weights, lr=0.5), weights, len(values), ALONE)
    engine = Engine(lambda x: list(x), gate, lambda loss: torch.autograd.backward(loss / len(values)))
    losses = gate.run(model, [batch(v) for v in values], engine)
    mean = sum(values) / len(values)
    assert float(losses["total"]) == pytest.approx(mean)
    # gradient of phase k: (k + 1) times the mean of the batches; one step of rate 2 * 0.5 downhill from 0
    assert [float(w.detach()) for w in weights] == pytest.approx([-mean, -2 * mean])
    gate.param_groups[0]["lr"] = 0.5
    gate.run(model, [batch(v) for v in values], engine)  # nothing is left over from the step before
    assert [float(w.detach()) for w in weights] == pytest.approx([-2 * mean, -4 * mean])

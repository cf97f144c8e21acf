"""What changes while a run trains: the networks, the moving average of their weights, the optimiser; saved, restored, checked.

Weights drift by noise from step to step; their moving average over the last few hundred steps draws sharper faces at once, as a
falling learning rate would at the end, without a planned end. The average is what previews and swaps use.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bianlian.errors import RunError
from bianlian.model.protocol import Batch, Engine, Stepper, Trainable
from bianlian.train.checkpoint import Checkpoint, fill, optimizer_tensors, restore_optimizer
from bianlian.train.processes import Processes
from bianlian.train.settings import TrainSettings


class State:
    """Model, average and optimiser of a run, on the device. setbacks, shares: see ``checkpoint.Checkpoint``."""

    def __init__(self, model: Trainable, settings: TrainSettings, device: torch.device) -> None:
        model.networks.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model, self.average, self.settings = model, copy.deepcopy(model), settings
        self.optimizer = torch.optim.Adam(model.parameter_groups(), fused=True)
        self.setbacks, self.shares = 0, tuple[float, ...]()
        self._rates = [float(group["lr"]) for group in self.optimizer.param_groups]

    def checkpoint(self, iteration: int, seconds: float) -> Checkpoint:
        """Take a checkpoint; it shares memory with this state."""
        networks, average = self.model.networks.state_dict(), self.average.networks.state_dict()
        return Checkpoint(iteration, seconds, networks, average, optimizer_tensors(self.optimizer), self.setbacks, self.shares)

    def restore(self, saved: Checkpoint, folder: Path) -> None:
        """Go to the checkpoint in a folder. The setbacks never become fewer: what failed once is not tried the same way again.

        Raises RunError for one of other networks, people or weights.
        """
        if len(saved.shares) not in (0, len(self.model.people)):
            raise RunError(f"the checkpoint {folder} has shares of {len(saved.shares)} people; use the run's own files")
        fill(self.model.networks, saved.networks, folder)
        fill(self.average.networks, saved.average, folder)
        restore_optimizer(self.optimizer, saved.optimizer)
        self.setbacks, self.shares = max(self.setbacks, saved.setbacks), saved.shares

    def rate(self, iteration: int) -> float:
        """Set and give the factor of the learning rate for the step after ``iteration`` steps; each setback halves it."""
        factor = self.settings.rate(iteration) * 0.5**self.setbacks
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        return factor

    def follow(self, iteration: int) -> None:
        """Let the average follow the weights after step ``iteration``."""
        stays = self.settings.stays(iteration)
        with torch.no_grad():
            theirs = self.model.networks.state_dict()
            for name, value in self.average.networks.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(theirs[name], 1 - stays)
                else:
                    value.copy_(theirs[name])

    def sound(self) -> bool:
        """Tell whether every weight is a finite number."""
        weights = [v for v in self.model.networks.state_dict().values() if v.is_floating_point()]
        return bool(torch.stack([torch.isfinite(v).all() for v in weights]).all())


class Gate:
    """An optimiser that steps once for several batches, by the mean of their gradients over all batches and processes.

    A model may step it more than once in its own step, as adversarial training does. The gradients of each such phase are kept
    apart from batch to batch, and it steps in the last batch only.
    """

    def __init__(self, inner: Stepper, weights: Sequence[Tensor], batches: int, processes: Processes) -> None:
        self._inner, self._weights, self._batches, self._processes = inner, weights, batches, processes
        self._kept: list[dict[int, Tensor]] = []
        self._phase, self._last = 0, True

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The optimiser's groups."""
        return self._inner.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; those of the batches before are kept apart."""
        self._inner.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Add this batch's gradients to those of its phase; in the last batch, step by them."""
        while len(self._kept) <= self._phase:
            self._kept.append({})
        kept = self._kept[self._phase]
        self._phase += 1
        for k, weight in enumerate(self._weights):
            if k in kept:
                weight.grad = kept[k] if weight.grad is None else weight.grad.add_(kept[k])
        if not self._last:
            kept.update({k: weight.grad for k, weight in enumerate(self._weights) if weight.grad is not None})
            self._inner.zero_grad(set_to_none=True)
            return
        kept.clear()
        self._processes.average([weight.grad for weight in self._weights if weight.grad is not None])
        self._inner.step()

    def run(self, model: Trainable, batches: Sequence[Sequence[Batch]], engine: Engine) -> dict[str, Tensor]:
        """Train one step on all batches -> mean losses."""
        sums: dict[str, Tensor] = {}
        for number, batch in enumerate(batches):
            self._phase, self._last = 0, number == self._batches - 1
            for name, value in model.step(batch, replace(engine, part=number)).items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        return {name: value / len(batches) for name, value in sums.items()}

"""The training loop: data, device, precision, checkpoints, previews and logs; the model owns its step.

Weights drift by noise from step to step; their moving average over the last few hundred steps draws sharper faces at once, as a
falling learning rate would at the end, without a planned end. The average is what previews and swaps use.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Protocol

import torch
from lightning_fabric import Fabric

from bianlian.errors import ConfigError, RunError
from bianlian.model.protocol import Engine, Trainable
from bianlian.train.batches import BatchMaker, People, ahead
from bianlian.train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    newest,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from bianlian.train.cpu import keep_memory
from bianlian.train.log import RunLog
from bianlian.train.preview import preview, save_preview
from bianlian.train.start import Begun

WARM_UP = 20
"""Steps over which the learning rate rises to its value: Adam's moments are guesses at first."""
AVERAGE = 0.99
"""Share of the moving average that stays, a step; less in the first steps."""


@dataclass(frozen=True)
class Limits:
    """When to stop, save and show. Whichever of iterations and minutes is reached first stops the training.

    iterations: of the run in all. minutes: of this call. preview_every, save_every, log_every: iterations.
    """

    iterations: int | None = None
    minutes: float | None = None
    preview_every: int = 300
    save_every: int = 500
    log_every: int = 10

    def __post_init__(self) -> None:
        if min(self.preview_every, self.save_every, self.log_every) < 1:
            raise ConfigError("preview, save and log must be every 1 or more iterations")
        if (self.iterations is not None and self.iterations < 1) or (self.minutes is not None and not self.minutes > 0):
            raise ConfigError(f"iterations and minutes must be above 0, got {self.iterations} and {self.minutes}")


class Watcher(Protocol):
    """Is told of every step."""

    def __call__(self, iteration: int, seconds: float, losses: Mapping[str, float]) -> None:
        """Take note. seconds: since this call of ``train`` began to train; losses: means since the last call."""
        ...


@dataclass(frozen=True)
class TrainResult:
    """What a call of ``train`` did. waited: seconds in which the step waited for its batch."""

    iteration: int
    seconds: float
    waited: float
    checkpoint: Path
    losses: dict[str, float]


def train(
    begun: Begun,
    folder: Path,
    limits: Limits,
    *,
    stop: Callable[[], bool] = lambda: False,
    watch: Watcher | None = None,
) -> TrainResult:
    """Train a run in its folder until a limit is reached or ``stop`` says so; saves at the end.

    begun: from ``start.begin`` or ``start.resume``. On a CPU a resumed run equals an unbroken one bit for bit.
    Raises NoFaceError for a person without a kept face, RunError for a damaged checkpoint or a loss that is no number,
    OutputError when the disk is full; the last saved state stays.
    """
    keep_memory()
    run = begun.run
    fabric = Fabric(accelerator="auto", devices=1, precision=run.precision)  # type: ignore[arg-type]
    model = run.build()
    maker = BatchMaker(People(begun.facesets), model.size, model.shares * run.batch, run.augment, run.seed)
    saved = load_checkpoint(newest(folder)) if begun.resumed else None
    if begun.base is not None:
        model.start_from(begun.base, [maker.portraits(k) for k in range(len(run.people))])
    if saved is not None:
        model.networks.load_state_dict(saved.networks)
    model.networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(model)
    if saved is not None:
        average.networks.load_state_dict(saved.average)
    average.networks.to(fabric.device)
    optimizer = torch.optim.Adam(model.parameter_groups(), fused=True)
    if saved is not None:
        restore_optimizer(optimizer, saved.optimizer)
    networks, wrapped = fabric.setup(model.networks, optimizer)
    engine = Engine(networks, wrapped, fabric.backward)
    return _State(folder, limits, model, average, optimizer, maker, fabric).loop(engine, saved, stop, watch)


class _State:
    """The moving parts of one call of ``train``."""

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        model: Trainable,
        average: Trainable,
        optimizer: torch.optim.Optimizer,
        maker: BatchMaker,
        fabric: Fabric,
    ) -> None:
        self.folder, self.limits, self.maker, self.fabric = folder, limits, maker, fabric
        self.model, self.average, self.optimizer = model, average, optimizer
        self.rates = [float(group["lr"]) for group in optimizer.param_groups]

    def loop(self, engine: Engine, saved: Checkpoint | None, stop: Callable[[], bool], watch: Watcher | None) -> TrainResult:
        """Step until the end; save."""
        iteration = saved.iteration if saved else 0
        before = saved.seconds if saved else 0.0
        log = RunLog(self.folder, iteration)
        sums: dict[str, float] = {}
        last: dict[str, float] = {}
        waited, count, first = 0.0, 0, iteration + 1
        try:
            if iteration == 0:
                self._preview(0)
            began = monotonic()
            with closing(ahead(self.maker, iteration)) as batches:
                while not self._done(iteration, began) and not stop():
                    asked = monotonic()
                    batch = [b.mapped(self.fabric.to_device) for b in next(batches)]
                    waited += monotonic() - asked
                    self._warm_up(iteration)
                    losses = self.model.step(batch, replace(engine, iteration=iteration))
                    iteration, count = iteration + 1, count + 1
                    self._average(iteration)
                    for name, value in losses.items():
                        sums[name] = sums.get(name, 0.0) + float(value)
                    if iteration % self.limits.log_every == 0 or iteration == first:
                        last, sums, count = {name: value / count for name, value in sums.items()}, {}, 0
                        self._check(last, iteration)
                        log.write(iteration, before + monotonic() - began, last)
                        if watch is not None:
                            watch(iteration, monotonic() - began, last)
                    if iteration % self.limits.save_every == 0:
                        self._check({name: float(value) for name, value in losses.items()}, iteration)
                        self._save(iteration, before + monotonic() - began)
                    if iteration % self.limits.preview_every == 0:
                        self._preview(iteration)
            seconds = monotonic() - began
            checkpoint = self._save(iteration, before + seconds)
            self._preview(iteration)
            return TrainResult(iteration, seconds, waited, checkpoint, last)
        finally:
            log.close()

    def _done(self, iteration: int, began: float) -> bool:
        limits = self.limits
        if limits.iterations is not None and iteration >= limits.iterations:
            return True
        return limits.minutes is not None and monotonic() - began >= 60 * limits.minutes

    def _warm_up(self, iteration: int) -> None:
        share = min(1.0, (iteration + 1) / WARM_UP)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share

    def _average(self, iteration: int) -> None:
        stays = min(AVERAGE, iteration / (iteration + 10))
        with torch.no_grad():
            ours, theirs = self.average.networks.state_dict(), self.model.networks.state_dict()
            for name, value in ours.items():
                value.lerp_(theirs[name], 1 - stays)

    def _check(self, losses: Mapping[str, float], iteration: int) -> None:
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if bad:
            raise RunError(
                f"the loss {bad[0]!r} is no number any more at iteration {iteration}; the last good state is in"
                f" {self.folder / 'checkpoints'}: go on from it with --resume and a smaller learning rate"
            )

    def _save(self, iteration: int, seconds: float) -> Path:
        parts = self.model.networks.state_dict(), self.average.networks.state_dict(), optimizer_tensors(self.optimizer)
        return save_checkpoint(self.folder, Checkpoint(iteration, seconds, *parts))

    def _preview(self, iteration: int) -> None:
        save_preview(preview(self.average, self.maker), self.folder, iteration)

"""The training loop: data, device, precision, checkpoints, previews and logs; the model owns its step.

A loss or weight that is no number any more throws the run back to its last checkpoint, from which it goes on with half the
learning rate and other faces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.single_device import SingleDeviceStrategy

from bianlian.errors import ConfigError, RunError
from bianlian.faceset.journal import exclusive
from bianlian.files import sweep
from bianlian.model.protocol import Batch, Engine
from bianlian.train.balance import counts, fair_shares
from bianlian.train.batches import BatchMaker, Draw, Feed, People
from bianlian.train.checkpoint import Checkpoint, load_checkpoint, newest, save_checkpoint, save_snapshot
from bianlian.train.cpu import flushed, keep_memory
from bianlian.train.log import Meter, RunLog
from bianlian.train.plateau import Judge
from bianlian.train.preview import preview, save_preview
from bianlian.train.processes import ALONE, Processes
from bianlian.train.run import SETTINGS
from bianlian.train.start import Begun
from bianlian.train.state import Gate, State
from bianlian.types import Note, silent

MOST_SETBACKS = 4
"""Setbacks in a row, without a checkpoint between them, after which the run is given up."""


@dataclass(frozen=True)
class Limits:
    """When to stop, save and show. Whichever of iterations and minutes is reached first stops the training.

    iterations: of the run in all. minutes: of this call. preview_every, save_every, log_every: iterations. backup_every,
    snapshot_every: iterations between kept checkpoints and between kept weights, 0 for none.
    """

    iterations: int | None = None
    minutes: float | None = None
    preview_every: int = 300
    save_every: int = 500
    log_every: int = 10
    backup_every: int = 5000
    snapshot_every: int = 0

    def __post_init__(self) -> None:
        if min(self.preview_every, self.save_every, self.log_every) < 1:
            raise ConfigError("preview, save and log must be every 1 or more iterations")
        if min(self.backup_every, self.snapshot_every) < 0:
            raise ConfigError("backup and snapshot must be every 1 or more iterations, or 0 for none")
        if (self.iterations is not None and self.iterations < 1) or (self.minutes is not None and not self.minutes > 0):
            raise ConfigError(f"iterations and minutes must be above 0, got {self.iterations} and {self.minutes}")

    def keeps(self, iteration: int) -> bool:
        """Whether a checkpoint is written after so many iterations."""
        return any(due(iteration, every) for every in (self.save_every, self.backup_every, self.snapshot_every))


def due(iteration: int, every: int) -> bool:
    """Whether something that is done every so many iterations (0: never) is due."""
    return every > 0 and iteration % every == 0


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
    setbacks: int = 0


@flushed()
def train(
    begun: Begun,
    folder: Path,
    limits: Limits,
    *,
    stop: Callable[[], bool] = lambda: False,
    watch: Watcher | None = None,
    note: Note = silent,
    processes: Processes = ALONE,
    judge: Judge | None = None,
) -> TrainResult:
    """Train a run in its folder until a limit is reached or ``stop`` says so; saves at the end.

    begun: from ``start.begin`` or ``start.resume``. On a CPU a resumed run equals an unbroken one bit for bit. processes: all of
    them call this with the same arguments; the first one writes, each trains on ``batch`` faces of its own. judge: of previews.
    Raises NoFaceError for a person without a kept face, RunError for a damaged checkpoint or a loss that is no number time and
    again, OutputError when the disk is full or another process is training the run; the last saved state stays.
    """
    with exclusive(folder / SETTINGS) if processes.first else nullcontext():
        if processes.first:
            for place in ("", "checkpoints", "previews", "snapshots"):
                sweep(folder / place)
        keep_memory()
        fabric = _fabric(begun.run.precision, processes)
        maker, state, saved = _prepared(begun, folder, fabric.device)
        with closing(Feed(maker)) as feed:
            return _Loop(folder, limits, state, maker, feed, fabric, processes, note, judge).run(saved, stop, watch)


def _prepared(begun: Begun, folder: Path, device: torch.device) -> tuple[BatchMaker, State, Checkpoint | None]:
    """Open the faces and build the model, filled from its base or from the newest checkpoint, which is given too."""
    run = begun.run
    model = run.build()
    people = People(begun.facesets, run.training.held_out)
    maker = BatchMaker(people, model.size, model.shares * run.batch, run.augment, run.seed)
    if begun.base is not None:
        model.start_from(begun.base, [maker.portraits(k) for k in range(len(run.people))])
    state = State(model, run.training, device)
    saved = load_checkpoint(newest(folder)) if begun.resumed else None
    if saved is not None:
        state.restore(saved, newest(folder))
    return maker, state, saved


def _fabric(precision: str, processes: Processes) -> Fabric:
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", processes.local) if cuda else torch.device("cpu")
    return Fabric(
        accelerator="cuda" if cuda else "cpu",
        strategy=SingleDeviceStrategy(device),
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        plugins=[LightningEnvironment()],  # and not what it finds: gradients are averaged by ``Gate``
    )


class _Loop:
    """The moving parts of one call of ``train``."""

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        state: State,
        maker: BatchMaker,
        feed: Feed,
        fabric: Fabric,
        processes: Processes,
        note: Note,
        judge: Judge | None,
    ) -> None:
        self.judge = judge
        self.folder, self.limits, self.state, self.maker, self.feed = folder, limits, state, maker, feed
        self.fabric, self.processes, self.note = fabric, processes, note
        networks, wrapped = fabric.setup(state.model.networks, state.optimizer)
        settings = state.settings
        self.gate = Gate(wrapped, list(state.model.networks.parameters()), settings.accumulate, processes)
        self.engine = Engine(networks, self.gate, lambda loss: fabric.backward(loss / settings.accumulate))
        self.parts = tuple(k * processes.count + processes.rank for k in range(settings.accumulate))
        self.failed = 0
        self.saved: tuple[int, int] | None = None
        """Iteration and setbacks of the newest checkpoint."""
        self.log: RunLog | None = None

    def run(self, saved: Checkpoint | None, stop: Callable[[], bool], watch: Watcher | None) -> TrainResult:
        """Step from the checkpoint that the state is at, or from the beginning, until the end; save."""
        iteration, before = (0, 0.0) if saved is None else (saved.iteration, saved.seconds)
        self.saved = None if saved is None else (iteration, self.state.setbacks)
        meter, first, last = Meter(self.processes, self.feed), iteration + 1, dict[str, float]()
        self._open_log(iteration)
        began = monotonic()
        try:
            if iteration == 0:
                self._save(0, 0.0)
                self._preview(0)
            while not self._done(iteration, monotonic() - began, stop):
                self._balance(iteration)
                rate = self.state.rate(iteration)
                engine = replace(self.engine, iteration=iteration, clock=self._clock(before, monotonic() - began))
                meter.add(self.gate.run(self.state.model, self._batches(iteration), engine))
                iteration += 1
                self.state.follow(iteration)
                shown, kept = iteration % self.limits.log_every == 0 or iteration == first, self.limits.keeps(iteration)
                if (shown or kept) and not self._sound(meter, kept):
                    iteration = self._roll_back(meter, iteration)
                    continue
                if shown:
                    last, waited = meter.read()
                    self._log(iteration, before + monotonic() - began, last, {"waited": waited, "rate": rate})
                    if watch is not None:
                        watch(iteration, monotonic() - began, last)
                if kept:
                    self._save(iteration, before + monotonic() - began)
                if due(iteration, self.limits.preview_every):
                    self._preview(iteration)
                    self._judge(iteration, before + monotonic() - began)
            if not self._sound(meter, True):
                iteration = self._roll_back(meter, iteration)
            seconds = monotonic() - began
            self._save(iteration, before + seconds)
            self._preview(iteration)
            self.processes.wait()  # for the first one to have written
            return TrainResult(iteration, seconds, self.feed.waited, newest(self.folder), last, self.state.setbacks)
        finally:
            self._close_log()

    def _done(self, iteration: int, seconds: float, stop: Callable[[], bool]) -> bool:
        if self.limits.iterations is not None and iteration >= self.limits.iterations:
            return True
        over = stop() or (self.limits.minutes is not None and seconds >= 60 * self.limits.minutes)
        return bool(self.processes.agree(float(over), self.fabric.device))

    def _clock(self, before: float, seconds: float) -> float:
        """Tell which share of the run's minutes is over, those of the calls before among them."""
        if self.limits.minutes is None:
            return 0.0
        return self.processes.agree(min(1.0, (before + seconds) / (before + 60 * self.limits.minutes)), self.fabric.device)

    def _batches(self, iteration: int) -> list[list[Batch]]:
        shares = self.state.shares
        drawn = None
        if shares:
            each = self.state.model.shares
            drawn = tuple(each * n for n in counts(shares, self.maker.batch // each * len(shares)))
        made = self.feed.get(iteration, Draw(drawn, self.parts, self.state.setbacks))
        return [[b.mapped(self.fabric.to_device) for b in batch] for batch in made]

    def _balance(self, iteration: int) -> None:
        """Now and then, see who is drawn worse on held-out faces, and draw more of them from here on."""
        settings = self.state.settings
        if settings.balance > 0 and due(iteration, settings.balance_every):
            self.state.shares = fair_shares(self.state.average, self.maker, settings.balance)

    def _sound(self, meter: Meter, weights: bool) -> bool:
        """Tell whether all losses, and with ``weights`` all weights, are numbers; the same answer in every process."""
        return not meter.bad() and not (weights and self.processes.any(not self.state.sound(), self.fabric.device))

    def _roll_back(self, meter: Meter, iteration: int) -> int:
        """Go to the last checkpoint with half the learning rate and other faces -> its iteration."""
        what = f"the loss {meter.bad()!r}" if meter.bad() else "a weight"
        self.failed += 1
        if self.failed > MOST_SETBACKS:
            raise RunError(
                f"{what} was no number again at iteration {iteration}, after {MOST_SETBACKS} setbacks in a row; the last good"
                f" state is in {self.folder / 'checkpoints'}: go on from it with --resume, or start anew with a smaller --lr"
            )
        self.processes.wait()
        saved = load_checkpoint(newest(self.folder))
        self.state.restore(saved, newest(self.folder))
        self.state.setbacks += 1
        meter.clear()
        self._close_log()
        self._open_log(saved.iteration)
        self.note(
            f"{what} was no number at iteration {iteration}: back to iteration {saved.iteration}, on with other faces and"
            f" {0.5**self.state.setbacks:g} of the learning rate"
        )
        return saved.iteration

    def _save(self, iteration: int, seconds: float) -> None:
        self.failed = 0
        now = (iteration, self.state.setbacks)
        if not self.processes.first or self.saved == now:  # to write it again would take it away for a moment
            return
        save_checkpoint(self.folder, self.state.checkpoint(iteration, seconds), self.limits.backup_every)
        self.saved = now
        if due(iteration, self.limits.snapshot_every) and iteration > 0:
            save_snapshot(self.folder, iteration, self.state.average.networks.state_dict())

    def _preview(self, iteration: int) -> None:
        if self.processes.first:
            save_preview(preview(self.state.average, self.maker), self.folder, iteration)

    def _judge(self, iteration: int, seconds: float) -> None:
        if self.processes.first and self.judge is not None and (found := self.judge(self.state.average, self.maker, iteration)):
            self._log(iteration, seconds, {}, found)

    def _open_log(self, iteration: int) -> None:
        self.log = RunLog(self.folder, iteration) if self.processes.first else None

    def _log(self, iteration: int, seconds: float, losses: Mapping[str, float], numbers: Mapping[str, float]) -> None:
        if self.log is not None:
            self.log.write(iteration, seconds, losses, numbers)

    def _close_log(self) -> None:
        if self.log is not None:
            self.log.close()

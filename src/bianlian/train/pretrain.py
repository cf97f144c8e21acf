"""Train a network that ships on rendered people, by a recipe: the loop, its averages and its state on disk."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bianlian.errors import WeightsError
from bianlian.files import replacing
from bianlian.train.cpu import best_precision, flushed, keep_memory
from bianlian.train.pairs import WEIGHT_STEPS

AVERAGE = 0.998
AHEAD = 6
"""Batches that are made while others are learned from."""
SAVE_EVERY, SAVE_SECONDS = 300, 300.0
"""Iterations, and seconds, after which the state is written."""
SHOW_EVERY, SHOW_SECONDS = 50, 60.0
"""Iterations, and seconds, over which losses are averaged for whoever watches."""

Arrays = tuple[NDArray[Any], ...]
Watch = Callable[[int, float, dict[str, float]], None]
Judge = Callable[[Any], dict[str, float]]
"""Measures the averaged network on what it was not trained on -> named figures."""
Data = TypeVar("Data")
DataIn = TypeVar("DataIn", contravariant=True)


class Recipe(Protocol[DataIn]):
    """What is trained, on what, against what. Its data is what its batches are made of, such as ``train.pairs.Pairs``."""

    betas: tuple[float, float]

    @property
    def network(self) -> nn.Module:
        """What is trained."""
        ...

    def batch(self, data: DataIn, count: int, rng: np.random.Generator) -> Arrays:
        """Make about ``count`` examples: arrays, all of the same first size. Called from several threads."""
        ...

    def draw(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Run the network on the arrays of ``batch``, which are on its device -> what it draws, (B, C, S, S)."""
        ...

    def losses(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare what was drawn, as float32, with the answer -> named scalars, ``total`` among them."""
        ...


class Rival(Protocol):
    """A second network that learns against the first, with an optimiser of its own, such as critics."""

    @property
    def network(self) -> nn.Module:
        """What is saved with the state."""
        ...

    def learn(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Take a step. drawn: what the first network drew, without gradients -> named scalars to show."""
        ...


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of pretraining. batch: examples a step. minutes: of this call. seed: of the examples.

    constant: the learning rate stays as it is, for a call that others will follow. iterations: of all calls, None for any number.
    """

    batch: int = 16
    lr: float = 5e-4
    minutes: float = 120.0
    seed: int = 0
    constant: bool = False
    iterations: int | None = None


@flushed()
def pretrain(
    recipe: Recipe[Data],
    data: Data,
    out: Path,
    config: PretrainConfig,
    *,
    stop: Callable[[], bool] = lambda: False,
    watch: Watch | None = None,
    judge: Judge | None = None,
    rival: Rival | None = None,
) -> int:
    """Train -> iterations done; ``out`` gets the averaged weights in half precision, ``out`` + ``.state`` the rest.

    Goes on from ``out.state`` when that is there. The learning rate falls along a cosine in the second half of the minutes.
    judge: called whenever the state is written; its figures go to ``watch``. rival: learns from each batch before the network does.
    Raises WeightsError when the state is damaged or of another network.
    """
    keep_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    halved = best_precision(device.type == "cuda") == "bf16-mixed"
    network, state = recipe.network, out.with_name(out.name + ".state")
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.lr, betas=recipe.betas, fused=True)
    against = rival.network.to(device) if rival is not None else nn.Module()
    iteration = _resume(network, average, against, optimizer, state)
    first, began, seen = iteration, monotonic(), _Means(watch)
    saved = (iteration, began)
    last = math.inf if config.iterations is None else config.iterations
    with closing(_batches(recipe, data, config, iteration)) as batches:
        while iteration < last and monotonic() - began < 60 * config.minutes and not stop():
            share = 0.0 if config.constant else (monotonic() - began) / 60 / config.minutes
            rate = _rate(iteration - first, share)
            for group in optimizer.param_groups:
                group["lr"] = config.lr * rate
            batch = tuple(torch.from_numpy(array).to(device) for array in next(batches))
            with torch.autocast(device.type, torch.bfloat16, enabled=halved):
                drawn = recipe.draw(batch)
            more = rival.learn(drawn.detach().float(), batch) if rival is not None else {}
            losses = recipe.losses(drawn.float(), batch)
            optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            iteration += 1
            _follow(average, network, iteration)
            seen.add(losses | more)
            seen.show(iteration, monotonic() - began)
            if iteration - saved[0] >= SAVE_EVERY or monotonic() - saved[1] >= SAVE_SECONDS:
                _save(out, state, network, average, against, optimizer, iteration)
                if judge is not None and watch is not None:
                    watch(iteration, monotonic() - began, judge(average))
                saved = (iteration, monotonic())
    _save(out, state, network, average, against, optimizer, iteration)
    return iteration


class _Means:
    """Averages losses over some iterations, and shows them."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch, self._sums, self._count, self._shown = watch, dict[str, float](), 0, monotonic()

    def add(self, losses: dict[str, Tensor]) -> None:
        """Take the losses of one iteration."""
        self._count += 1
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())

    def show(self, iteration: int, seconds: float) -> None:
        """Show the means when it is time."""
        if iteration % SHOW_EVERY == 0 or monotonic() - self._shown >= SHOW_SECONDS:
            if self._watch is not None:
                self._watch(iteration, seconds, {name: value / self._count for name, value in self._sums.items()})
            self._sums, self._count, self._shown = {}, 0, monotonic()


def stacked(rows: Sequence[tuple[NDArray[Any], ...]]) -> Arrays:
    """Turn examples into one array for each of their parts."""
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def as_picture(batch: Tensor) -> Tensor:
    """Pictures (B, S, S, 3) uint8 -> (B, 3, S, S) float32 in [0, 1], channels last in memory."""
    return (batch.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)


def as_weight(batch: Tensor) -> Tensor:
    """Stored weights (B, S, S) uint8 -> (B, 1, S, S) float32."""
    return batch[:, None].float() / WEIGHT_STEPS


def _resume(network: nn.Module, average: nn.Module, against: nn.Module, optimizer: torch.optim.Adam, state: Path) -> int:
    """Read the state -> iterations done, 0 where there is none. A state without averages, moments and rival will do."""
    if not state.exists():
        return 0
    try:
        tensors = load_file(state)
        iteration = int(tensors.pop("iteration"))
        means = {name.removeprefix(_MEAN): tensors.pop(name) for name in list(tensors) if name.startswith(_MEAN)}
        moments = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_ADAM)}
        theirs = {name.removeprefix(_RIVAL): tensors.pop(name) for name in list(tensors) if name.startswith(_RIVAL)}
        network.load_state_dict(tensors)
        average.load_state_dict(means or tensors)
        _load_moments(optimizer, moments)
        if theirs and against.state_dict():
            against.load_state_dict(theirs)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        line = str(error).splitlines()[0]
        raise WeightsError(f"{state} is damaged or of another network ({line}); delete it to start anew") from error
    return iteration


_MEAN, _ADAM, _RIVAL = "average/", "adam/", "rival/"


def _load_moments(optimizer: torch.optim.Adam, moments: dict[str, Tensor]) -> None:
    loaded: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        number, _, kind = name.removeprefix(_ADAM).partition("/")
        loaded.setdefault(int(number), {})[kind] = value
    if loaded:
        optimizer.load_state_dict({**optimizer.state_dict(), "state": loaded})


def _save(
    out: Path,
    state: Path,
    network: nn.Module,
    average: nn.Module,
    against: nn.Module,
    optimizer: torch.optim.Adam,
    iteration: int,
) -> None:
    with replacing(out) as path:
        shipped = {k: v.half() if v.is_floating_point() else v for k, v in average.state_dict().items()}
        save_file({k: v.detach().cpu().contiguous() for k, v in shipped.items()}, path)
    moments = {f"{_ADAM}{n}/{kind}": v for n, values in optimizer.state_dict()["state"].items() for kind, v in values.items()}
    rest = {f"{_MEAN}{k}": v for k, v in average.state_dict().items()}
    rest |= {f"{_RIVAL}{k}": v for k, v in against.state_dict().items()}
    with replacing(state) as path:
        tensors = {k: v.detach().cpu().contiguous() for k, v in (network.state_dict() | rest | moments).items()}
        save_file({**tensors, "iteration": torch.tensor(iteration)}, path)


def _rate(done: int, share: float) -> float:
    warm = min(1.0, (done + 1) / 100)
    return warm if share < 0.5 else warm * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, 2 * share - 1))))


def _follow(average: nn.Module, network: nn.Module, done: int) -> None:
    stays = min(AVERAGE, done / (done + 20))
    with torch.no_grad():
        theirs = network.state_dict()
        for name, value in average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1 - stays)
            else:  # a count, such as that of batches seen by a normalisation
                value.copy_(theirs[name])


def _batches(recipe: Recipe[Data], data: Data, config: PretrainConfig, start: int) -> Generator[Arrays, None, None]:
    """Make batches ahead in threads, each fixed by (seed, iteration)."""

    def make(iteration: int) -> Arrays:
        return recipe.batch(data, config.batch, np.random.default_rng([config.seed, iteration]))

    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as pool:
        waiting: list[Future[Arrays]] = [pool.submit(make, start + k) for k in range(AHEAD)]
        iteration = start + len(waiting)
        while True:
            ready = waiting.pop(0).result()
            waiting.append(pool.submit(make, iteration))
            iteration += 1
            yield ready

"""How much memory a training step will take, known before it starts: the step is played through on tensors without contents.

Such tensors (torch's fake tensors) have shapes, types and lifetimes, but no numbers, so a step of any model takes a moment and no
memory. Every storage that comes to life is counted until it dies; the most that lives at once is the step's need. It is a straight
line in the number of faces, so that two plays tell it for every batch.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import psutil
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bianlian.errors import ConfigError
from bianlian.model.protocol import Batch, Engine
from bianlian.train.batches import CACHE_BYTES
from bianlian.train.run import RunConfig
from bianlian.types import Note

SPARE = 1.3
"""What a step takes over the tensors that are counted: work space of convolutions, gaps between blocks."""
PROCESS = 400 << 20
"""Bytes of the process itself: libraries, threads, a batch that is being made."""
_PLAYED = (32, 96)
"""Batches that are played; with so many faces the peak lies where they are drawn."""
_LATE = 1 << 30
"""Iteration that is played: with a schedule, some of what a step takes is not there at its beginning."""
_GROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"))


@dataclass(frozen=True)
class Need:
    """Bytes of a training step: fixed ones (weights, gradients, moments, average), and those of each face of each person."""

    fixed: int
    face: int

    def bytes(self, batch: int) -> int:
        """Bytes of a step on ``batch`` faces of each person."""
        return int(SPARE * (self.fixed + batch * self.face))

    def largest(self, free: int) -> int:
        """Largest batch that fits into so many bytes, 0 when none does."""
        return max(0, int((free / SPARE - self.fixed) / max(1, self.face)))


def free_memory(cuda: bool) -> int:
    """Bytes that training may take: of the GPU, or of what the machine and the container leave."""
    if cuda:
        return int(torch.cuda.mem_get_info()[0])
    free = int(psutil.virtual_memory().available)
    try:
        most, used = (path.read_text(encoding="ascii").strip() for path in _GROUPS)
    except OSError:
        return free - PROCESS
    room = free if most == "max" else min(free, int(most) - int(used))
    return room - PROCESS


def need_of(run: RunConfig) -> Need | None:
    """Play some steps of a run -> its need, None for a model whose step asks for numbers and so cannot be played."""
    try:
        few, many = (_peak(run, batch) for batch in _PLAYED)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return None
    face = (many - few) // (_PLAYED[1] - _PLAYED[0])
    return Need(few - _PLAYED[0] * face, face)


def fit(run: RunConfig, free: int, *, asked: bool, faces: int, note: Note) -> RunConfig:
    """Say what a run will take and what would fit; lower the batch when it was not asked for.

    free: bytes, see ``free_memory``; asked: whether the user chose the batch; faces: bytes of all decoded crops, of which the
    first GB is kept in memory. Raises ConfigError when a batch that was asked for, or any at all, does not fit.
    """
    need = need_of(run)
    if need is None:
        note(f"memory: what a step of {run.model} takes cannot be told before it runs")
        return run
    room = free - min(faces, CACHE_BYTES)
    largest, wanted = need.largest(room), need.bytes(run.batch)
    side = f"{run.settings.get('size', '?')} px"
    if largest < 1:
        raise ConfigError(
            f"{run.model} at {side} takes {_gb(need.bytes(1))} for a batch of 1, and {_gb(room)} are free;"
            " choose a smaller --size or --width light"
        )
    if run.batch <= largest:
        note(f"memory: about {_gb(wanted)} of {_gb(room)} for a batch of {run.batch} at {side}; up to {largest} would fit")
        return run
    if asked:
        raise ConfigError(
            f"a batch of {run.batch} at {side} takes {_gb(wanted)}, and {_gb(room)} are free; the largest that fits is --batch"
            f" {largest} (with --accumulate {-(-run.batch // largest)} it trains like the one you asked for)"
        )
    parts = -(-run.batch // largest)
    batch = -(-run.batch // parts)
    note(f"memory: a batch of {run.batch} at {side} takes {_gb(wanted)} of {_gb(room)}: {parts} batches of {batch} make a step")
    return replace(run, batch=batch, training=replace(run.training, accumulate=run.training.accumulate * parts))


def _gb(count: int) -> str:
    return f"{max(0, count) / 2**30:.1f} GB"


def _peak(run: RunConfig, batch: int) -> int:
    """Most bytes that live at once in a step that is not the first."""
    with FakeTensorMode(allow_non_fake_inputs=True), _Count() as count:
        model = run.build()
        _order(model.networks)
        count.extra(model.networks, 3)  # the moving average, and the optimiser's two moments
        cast = torch.autocast("cpu", torch.bfloat16) if "bf16" in run.precision else nullcontext()

        def networks(*inputs: Any) -> Any:
            with cast:
                return model.networks(*inputs)

        for weight in model.networks.parameters():
            weight.grad = torch.zeros_like(weight)  # of the step before
        faces = [_faces(model.shares * batch, model.size) for _ in model.people]
        model.step(faces, Engine(networks, _Idle(model.parameter_groups()), _backward, iteration=_LATE))
    return int(count.most)


def _order(networks: torch.nn.Module) -> None:
    """Lay weights out as the loop does; ``Module.to`` cannot while nothing is computed."""
    for module in networks.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            if weight.ndim == 4:
                laid = weight.detach().contiguous(memory_format=torch.channels_last)
                setattr(module, name, torch.nn.Parameter(laid, weight.requires_grad))


def _faces(batch: int, size: int) -> Batch:
    picture, plane = torch.zeros(batch, 3, size, size), torch.ones(batch, 1, size, size)
    return Batch(picture, picture.clone(), plane, plane.clone())


def _backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


@final
class _Idle:
    """An optimiser that takes no step: Adam's own takes no memory beyond its moments."""

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups = [{"lr": 0.0, **group} for group in groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None

    def step(self) -> None:
        """Do nothing."""


class _Count(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all storages that live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most = self._now = 0
        self._known: dict[int, int] = {}

    def extra(self, module: torch.nn.Module, times: int) -> None:
        """Count the weights of a module some more times."""
        self._add(times * sum(p.numel() * p.element_size() for p in module.parameters()))

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation and note what it made."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._see(leaf.untyped_storage())
        return out

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known[key] = storage.nbytes()
        self._add(self._known[key])
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._now -= self._known.pop(key, 0)

    def _add(self, count: int) -> None:
        self._now += count
        self.most = max(self.most, self._now)

"""Several processes that train one run together, as ``torchrun`` starts them: who is first, and means over all of them.

Gradients are averaged when a model's optimiser steps, not inside of its networks: a model owns its step and may call its networks
in any order and as often as it likes. Source: data-parallel training as in S. Li et al., "PyTorch Distributed", arXiv 2006.15704,
without its overlap of communication and backward.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Processes:
    """The processes of a run. rank: this one's number, 0 to count - 1; local: its number on its machine."""

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over all processes, which must give the same shapes in the same order."""
        if self.count == 1:
            return
        flat = [t if t.is_contiguous() else t.contiguous() for t in tensors]
        works = [distributed.all_reduce(t, async_op=True) for t in flat]
        for work, mean, tensor in zip(works, flat, tensors, strict=True):
            work.wait()
            mean /= self.count
            if mean is not tensor:
                tensor.copy_(mean)

    def agree(self, value: float, device: torch.device) -> float:
        """Give the first process's value to all."""
        if self.count == 1:
            return value
        told = torch.tensor([value], dtype=torch.float32, device=device)
        distributed.broadcast(told, 0)
        return float(told)

    def any(self, value: bool, device: torch.device) -> bool:
        """Tell whether ``value`` holds in any process."""
        if self.count == 1:
            return value
        told = torch.tensor([float(value)], device=device)
        distributed.all_reduce(told)
        return float(told) > 0

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            distributed.barrier()


ALONE = Processes()


@contextmanager
def together() -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started (over NCCL on GPUs, gloo on CPUs); ``ALONE`` without ``torchrun``."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or not distributed.is_torchelastic_launched():
        yield ALONE
        return
    local = int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available():
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Processes(distributed.get_rank(), count, local)
    finally:
        distributed.destroy_process_group()

"""Octave convolutions in a model: parameters, work, step time, memory, and quality at the same iterations and in the same time.

The shares take turns step by step on the same batches, so that a change of the machine's load hits all of them. Work is what a swap
of one crop costs (multiply-adds times two, counted by PyTorch), memory what one step keeps for its backward. Quality is the L1 of
faces that training does not see, drawn as themselves by their own decoder (lower is better): after all iterations, and at the last
look within the time that the fastest share took in all.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.utils.flop_counter import FlopCounterMode

from bianlian import plugins
from bianlian.config import from_mapping
from bianlian.faceset.store import Faceset
from bianlian.model.blocks import count_parameters
from bianlian.model.octave import flops_share, memory_share
from bianlian.model.protocol import Batch, Engine, Trainable
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.cpu import best_precision, keep_memory

ALPHAS = (0.0, 0.125, 0.25, 0.5, 0.75)


@dataclass
class Case:
    """One share in training: its model and engine, the seconds of each step, and (seconds, L1) of each look."""

    alpha: float
    model: Trainable
    engine: Engine
    optimizer: Any
    rates: list[float]
    device: torch.device
    times: list[float] = field(default_factory=list)
    looks: list[tuple[float, float]] = field(default_factory=list)

    def step(self, batch: list[Batch], iteration: int) -> None:
        """Take one step of training."""
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate
        moved = [b.mapped(lambda t: t.to(self.device)) for b in batch]
        began = perf_counter()
        self.model.step(moved, replace(self.engine, iteration=iteration))
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.times.append(perf_counter() - began)

    def look(self, held: list[torch.Tensor]) -> None:
        """Measure how well unseen faces are drawn."""
        with torch.no_grad():
            errors = [(self.model.path(k)(x.to(self.device))[:, :3] - x.to(self.device)).abs().mean() for k, x in enumerate(held)]
        self.looks.append((sum(self.times), float(torch.stack(errors).mean())))


def make(name: str, size: int, width: str, alpha: float, people: list[str], iterations: int) -> Case:
    """Make a model of one share, ready to train; all shares start from one seed."""
    kind = plugins.load("model", name)
    chosen = {"size": size, "width": width, "octave": alpha}
    config = from_mapping(kind.Config, {**kind.defaults(width, based=False, iterations=iterations), **chosen})
    model: Trainable = kind(config, people, torch.Generator().manual_seed(0))
    model.networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameter_groups(), fused=True)
    cuda = torch.cuda.is_available()
    fabric = Fabric(accelerator="auto", devices=1, precision=best_precision(cuda))  # type: ignore[arg-type]
    networks, wrapped = fabric.setup(model.networks, optimizer)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return Case(alpha, model, Engine(networks, wrapped, fabric.backward), optimizer, rates, fabric.device)


def work(case: Case) -> int:
    """Count the operations of a swap of one crop."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        case.model.path(0)(torch.zeros(1, 3, case.model.size, case.model.size, device=case.device))
    return int(counter.get_total_flops())


def kept(case: Case, batch: list[Batch]) -> int:
    """Bytes that one step keeps for its backward, each piece of memory counted once."""
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        case.step(batch, 0)
    case.times.clear()
    return sum(seen.values())


def main() -> None:
    """Train all shares in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facesets", nargs="+", type=Path)
    parser.add_argument("--model", default="deepfake")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", default="light")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--look-every", type=int, default=10)
    given = parser.parse_args()
    keep_memory()
    facesets = [Faceset.open(path) for path in given.facesets]
    names = [f.person for f in facesets]
    cases = [make(given.model, given.size, given.width, alpha, names, given.iterations) for alpha in ALPHAS]
    maker = BatchMaker(People(facesets), given.size, given.batch * cases[0].model.shares, AugmentConfig(), 0)
    held = [maker.portraits(k, 16) for k in range(len(names))]
    memory = [kept(case, maker.make(0)) for case in cases]
    for k in range(given.iterations):
        batch = maker.make(k + 1)
        for case in cases:
            case.step(batch, k + 1)
            if (k + 1) % given.look_every == 0:
                case.look(held)
    budget = min(sum(case.times) for case in cases)
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    title = f"{given.model} {given.width} {given.size} px, {given.batch} faces of each of {len(names)}"
    print(f"{title}, {given.iterations} steps, {where}")
    print("alpha  parameters    GFLOPs (share, formula)   kept MB (share, formula)   step ms (speed)   L1 all steps   L1 same time")
    plain, size = cases[0], work(cases[0])
    for case, held_bytes in zip(cases, memory, strict=True):
        ms, first = (1e3 * statistics.median(c.times) for c in (case, plain))
        flops, until = work(case), [error for spent, error in case.looks if spent <= budget * 1.001]
        print(
            f"{case.alpha:5.3f}  {count_parameters(case.model.networks) / 1e6:8.2f} M"
            f"{flops / 1e9:11.2f} ({flops / size:4.2f}, {flops_share(case.alpha):4.2f})"
            f"{held_bytes / 1e6:14.0f} ({held_bytes / memory[0]:4.2f}, {memory_share(case.alpha):4.2f})"
            f"{ms:16.0f} ({first / ms:4.2f}x){case.looks[-1][1]:15.4f}{until[-1] if until else float('nan'):15.4f}"
        )


if __name__ == "__main__":
    main()

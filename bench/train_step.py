"""One training step of the deepfake autoencoder: the plain fp32 loop of the same network against the project's settings.

The baseline is what one would write first: contiguous float32, Adam without fusion, gradients freed and allocated anew. "person
after person" is the loop of the first deepfakes: a forward, a backward and a step for each person in turn. The others add one thing
each to the line above, so that the table tells what each is worth here. The malloc settings hold for a whole process, so each case
runs in processes of its own (``--case``), which take turns; the parent prints the table.

With ``--cpu`` the processor's seconds are counted and not the clock's, on one thread: for a machine that others use too.

usage: python bench/train_step.py [--runs 5] [--rounds 2] [--widths full:64,light:64,light:128] [--cpu]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter, process_time

import torch
from torch import Tensor
from torch.nn import functional

from bianlian.model import losses, small_map
from bianlian.model.autoencoder import Autoencoder, DeepfakeConfig, reconstruction_losses
from bianlian.model.blocks import init_weights
from bianlian.train.cpu import best_precision, keep_memory

CASES = (
    "plain fp32",
    "person after person",
    "+ fused Adam",
    "+ channels last",
    "+ kept memory",
    "+ small maps as products",
    "+ structure by sums",
    "+ bf16 (as chosen here)",
)
"""The last five include all above them, from "+ fused Adam" on."""
FACES = 8


def step_times(case: str, width: str, size: int, runs: int, clock: Callable[[], float]) -> list[float]:
    """Seconds of each step after two for warm-up: 8 faces of each of two people."""
    level = max(0, CASES.index(case) - 1)
    if level >= 3:
        keep_memory()
    if level < 4:
        small_map.SMALL = 0
    if level < 5:
        losses.box_mean = pooled
    config = DeepfakeConfig(size=size, width=width)
    net = Autoencoder(config, 2)
    init_weights(net, torch.Generator().manual_seed(0))
    order = torch.channels_last if level >= 2 else torch.contiguous_format
    net.to(memory_format=order)  # type: ignore[call-overload]
    adam = torch.optim.Adam(net.parameters(), lr=config.lr, betas=config.betas, fused=level >= 1)
    faces = [torch.rand(FACES, 3, size, size).contiguous(memory_format=order) for _ in range(2)]
    weight = torch.ones(FACES, 1, size, size)
    bf16 = level >= 6 and best_precision(cuda=False) == "bf16-mixed"

    def loss(drawn: Tensor, person: int) -> Tensor:
        return reconstruction_losses(config, drawn, faces[person], weight)["total"]

    def together() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            drawn = net(faces)
        update(adam, loss(drawn[0], 0) + loss(drawn[1], 1))

    def in_turn() -> None:
        for person in range(2):
            update(adam, loss(net.path(person)(faces[person]), person))

    return timed(in_turn if case == "person after person" else together, runs, clock)


def pooled(x: Tensor, window: int) -> Tensor:
    """Mean over windows as one would first write it, an axis at a time."""
    return functional.avg_pool2d(functional.avg_pool2d(x, (window, 1), stride=1), (1, window), stride=1)


def update(adam: torch.optim.Adam, total: Tensor) -> None:
    """Backward and step."""
    adam.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    adam.step()


def timed(step: Callable[[], None], runs: int, clock: Callable[[], float]) -> list[float]:
    """Seconds of each of ``runs`` calls after two more."""
    times = []
    for _ in range(runs + 2):
        start = clock()
        step()
        times.append(clock() - start)
    return times[2:]


def measured(case: str, width: str, size: int, runs: int, cpu: bool) -> list[float]:
    """Run a case in a process of its own."""
    command = [sys.executable, __file__, "--case", case, width, str(size), str(runs), *(["--cpu"] if cpu else [])]
    return [float(v) for v in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def table(width: str, size: int, times: dict[str, list[float]], cpu: bool) -> None:
    """Print medians, spread, and how many times as fast as the first case each one is."""
    how = "processor time of one thread" if cpu else f"{torch.get_num_threads()} threads"
    print(f"training step, {width} {size} px, {FACES} faces of each of two people, {how}")
    base = statistics.median(times[CASES[0]])
    for case, values in times.items():
        middle, low, high = statistics.median(values), 1e3 * min(values), 1e3 * max(values)
        print(f"  {case:<26}{1e3 * middle:8.0f} ms   min {low:6.0f}   max {high:6.0f}   {base / middle:5.2f}x")


def main() -> None:
    """Print a table for each width and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs=4, metavar=("NAME", "WIDTH", "SIZE", "RUNS"), help="time one case (used by itself)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2, help="processes of each case; the cases take turns")
    parser.add_argument("--widths", default="full:64,light:64,light:128")
    parser.add_argument("--cpu", action="store_true", help="count the processor's seconds, on one thread")
    given = parser.parse_args()
    if given.cpu:
        torch.set_num_threads(1)
    if given.case:
        name, width, size, runs = given.case
        print(*step_times(name, width, int(size), int(runs), process_time if given.cpu else perf_counter))
        return
    for pair in given.widths.split(","):
        width, size = pair.split(":")
        times: dict[str, list[float]] = {case: [] for case in CASES}
        for _ in range(given.rounds):
            for case, values in times.items():
                values += measured(case, width, int(size), given.runs, given.cpu)
        table(width, int(size), times, given.cpu)


if __name__ == "__main__":
    main()

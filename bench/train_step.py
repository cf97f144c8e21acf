"""One training step of the deepfake autoencoder: the plain fp32 loop of the same network against the project's settings.

The baseline is what one would write first: contiguous float32, Adam without fusion. The malloc settings hold for a whole
process, so each case runs in a process of its own (``--case``), and the table is printed by the parent.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from time import perf_counter

import torch

from bianlian.model.autoencoder import Autoencoder, DeepfakeConfig, reconstruction_losses
from bianlian.model.blocks import init_weights
from bianlian.train.cpu import best_precision, keep_memory

CASES = ("plain fp32", "ours")


def step_times(case: str, width: str, size: int, runs: int) -> list[float]:
    """Seconds of each step after two for warm-up: 8 faces of each of two people."""
    ours = case == "ours"
    if ours:
        keep_memory()
    config = DeepfakeConfig(size=size, width=width)
    net = Autoencoder(config, 2)
    init_weights(net, torch.Generator().manual_seed(0))
    order = torch.channels_last if ours else torch.contiguous_format
    net.to(memory_format=order)  # type: ignore[call-overload]
    adam = torch.optim.Adam(net.parameters(), lr=config.lr, betas=config.betas, fused=ours)
    faces = [torch.rand(8, 3, size, size).contiguous(memory_format=order) for _ in range(2)]
    weight = torch.ones(8, 1, size, size)
    bf16 = ours and best_precision(cuda=False) == "bf16-mixed"
    times = []
    for _ in range(runs + 2):
        start = perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            drawn = net(faces)
        total = sum(reconstruction_losses(config, d, f, weight)["total"] for d, f in zip(drawn, faces, strict=True))
        adam.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[union-attr]
        adam.step()
        times.append(perf_counter() - start)
    return times[2:]


def main() -> None:
    """Print a table for each size and width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", nargs=4, metavar=("NAME", "WIDTH", "SIZE", "RUNS"), help="time one case (used by itself)")
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    if given.case:
        name, width, size, runs = given.case
        print(*step_times(name, width, int(size), int(runs)))
        return
    for width, size in (("full", 64), ("light", 128)):
        print(f"training step, {width} {size} px, 8 faces of each of two people")
        base = 0.0
        for name in CASES:
            command = [sys.executable, __file__, "--case", name, width, str(size), str(given.runs)]
            values = [float(v) for v in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]
            middle = statistics.median(values)
            base = base or middle
            low, high = 1e3 * min(values), 1e3 * max(values)
            print(f"  {name:<14}{1e3 * middle:8.0f} ms   min {low:6.0f}   max {high:6.0f}   {base / middle:5.2f}x")


if __name__ == "__main__":
    main()

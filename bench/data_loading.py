"""Does the training step wait for its faces? The share of waiting, and what a batch costs beside a step.

usage: python bench/data_loading.py FACESET FACESET [--size 128] [--width light] [--batch 8] [--seconds 60]

Trains in a temporary folder for some seconds and prints the share of that time in which the step had nothing to do but wait for its
batch (as in every run's metrics.jsonl), and the processor time of making a batch against that of a step. The reader starts with
cold pictures: each crop is decoded when first needed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from time import perf_counter, thread_time

from bianlian.faceset.store import Faceset
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.log import METRICS
from bianlian.train.loop import Limits, train
from bianlian.train.start import Choices, begin


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facesets", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", default="light")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    maker = BatchMaker(People([Faceset.open(p) for p in given.facesets]), given.size, given.batch, AugmentConfig(), 0)
    costs = []
    for iteration in range(30):
        start = thread_time()
        maker.make(iteration)
        costs.append(thread_time() - start)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        choices = Choices(size=given.size, width=given.width, batch=given.batch, start="scratch")
        began = perf_counter()
        result = train(begin(run, given.facesets, choices), run, Limits(minutes=given.seconds / 60, preview_every=10**6))
        rows = [json.loads(line) for line in (run / METRICS).read_text(encoding="utf-8").splitlines()]
    step = result.seconds / max(1, result.iteration)
    print(f"{given.width} {given.size} px, {given.batch} faces of each person: {result.iteration} steps in {result.seconds:.0f} s")
    print(f"  waiting for faces   {100 * result.waited / result.seconds:6.2f} % of the step time")
    print(f"  worst ten steps     {100 * max(r['waited'] for r in rows[1:] or rows):6.2f} %")
    print(f"  a step              {1e3 * step:6.0f} ms")
    print(f"  making a batch      {1e3 * statistics.median(costs):6.0f} ms of a thread beside it")
    print(f"  (start and end took {perf_counter() - began - result.seconds:.1f} s)")


if __name__ == "__main__":
    main()

"""Extraction against its bound: each stage alone, and the whole beside what the slowest stage, or all work over the cores, allows.

The stages run one after the other first, each alone on frames that are held in memory; then the whole runs as users run it. Both
take turns. The bound is the longer of the slowest stage alone and the processor time of all stages over the cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time

import bianlian
from bianlian import plugins
from bianlian.detect import Detector
from bianlian.faceset.extract import extract
from bianlian.faceset.header import Header
from bianlian.faceset.inputs import Footage
from bianlian.faceset.quality import KEEP_LARGEST
from bianlian.faceset.stages import Job, Shot, decode, detect, mark, write
from bianlian.faceset.writer import FacesetWriter, Pass
from bianlian.landmark import Landmarker
from bianlian.types import silent

DEMO = Path(bianlian.__file__).parent / "data/demo/source.mp4"
STAGES = ("decode", "detect", "mark", "write")


def alone(clip: Path, every: int, most: int, detector: Detector, landmarker: Landmarker) -> tuple[list[float], float]:
    """Run the stages one after the other -> seconds of each, and processor seconds of all."""
    footage = Footage(clip, clip.name, picture=False, named=True)
    job = Job(footage, Pass(clip.name, "", ""), every)
    seconds, cpu, shots = [], process_time(), list[Shot]()

    def generated(some: Sequence[Shot]) -> Generator[Shot, None, None]:
        yield from some

    with tempfile.TemporaryDirectory() as folder, FacesetWriter(Path(folder) / "alone", Header("bench")) as writer:
        for stage in STAGES:
            start = perf_counter()
            if stage == "decode":
                with closing(decode([job], silent)) as decoded:
                    shots = list(islice(decoded, most))
            elif stage == "detect":
                shots = list(detect(generated(shots), detector))
            elif stage == "mark":
                shots = list(mark(generated(shots), landmarker))
            else:
                write(iter(shots), writer, KEEP_LARGEST, None, silent, silent)
            seconds.append(perf_counter() - start)
    return seconds, process_time() - cpu


def whole(clip: Path, every: int, detector: Detector, landmarker: Landmarker) -> tuple[float, int]:
    """Extract as users do -> seconds, faces."""
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        faceset = extract([clip], "bench", Path(folder) / "whole", detector=detector, landmarker=landmarker, every=every)
        return perf_counter() - start, len(faceset)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, nargs="?", default=DEMO)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--most", type=int, default=2000, help="frames held in memory at most; a longer clip must be cut first")
    parser.add_argument("--detector", default="duo")
    given = parser.parse_args()
    detector, landmarker = plugins.load("detector", given.detector)(), plugins.load("landmarker", "facemesh")()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    stages, work, total, faces = [], [], [], 0
    whole(given.clip, given.every, detector, landmarker)
    for _ in range(given.runs):
        seconds, cpu = alone(given.clip, given.every, given.most, detector, landmarker)
        stages.append(seconds)
        work.append(cpu)
        seconds_of_whole, faces = whole(given.clip, given.every, detector, landmarker)
        total.append(seconds_of_whole)
    own = [statistics.median(column) for column in zip(*stages, strict=True)]
    bound, took = max(*own, statistics.median(work) / cores), statistics.median(total)
    print(f"{given.clip.name}, every {given.every}: {faces} faces, {cores} cores, median of {given.runs} runs in turns")
    for name, seconds in zip(STAGES, own, strict=True):
        print(f"  {name:<10}{seconds:8.2f} s alone")
    print(f"  {'all':<10}{statistics.median(work):8.2f} s of processor time")
    print(f"  {'whole':<10}{took:8.2f} s   min {min(total):.2f}   max {max(total):.2f}   {faces / took:.1f} faces/s")
    print(f"  {'bound':<10}{bound:8.2f} s   the whole reaches {100 * bound / took:.0f} % of what it allows")


if __name__ == "__main__":
    main()

"""Scoring at 720p against its parts: each stage alone, and the whole beside the baseline, the stages one after the other.

The clips are the demo's target, scaled to 720 lines, and the same with a soft face. Frames are held in memory for the stages; the
whole runs as users run it, without loading the networks and describing the source, which is told apart. They take turns.
The goal is 100 ms a frame on two cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time

import cv2
import numpy as np

import bianlian
from bianlian import plugins
from bianlian.score.follow import Follower
from bianlian.score.footage import together
from bianlian.score.identity import identity_metrics
from bianlian.score.measure import Eyes, Rows, find_faces, measure
from bianlian.score.people import Finders, source_people
from bianlian.score.score import PLAIN
from bianlian.score.thumbs import Thumbs
from bianlian.types import Frame, Image, silent
from bianlian.video import VideoWriter, frames, probe

DEMO = Path(bianlian.__file__).parent / "data/demo"
STAGES = ("decode", "find", "look")
GOAL = 100.0


def large(image: Image, *, soft: bool) -> Image:
    """Put a square picture into a frame of 1280 x 720; soft: with a soft middle."""
    frame = np.full((720, 1280, 3), 90, np.uint8)
    frame[:, 280:1000] = cv2.resize(image, (720, 720))
    if soft:
        middle = cv2.ellipse(np.zeros((720, 1280), np.uint8), (640, 360), (150, 200), 0, 0, 360, 255, -1)
        frame[middle > 0] = cv2.GaussianBlur(frame, (0, 0), 3)[middle > 0]
    return frame


def write(path: Path, count: int, *, soft: bool) -> Path:
    """Write a clip of the demo's frames, over again where there are too few."""
    with VideoWriter(path, probe(DEMO / "target.mp4"), size=(1280, 720), stop=Fraction(0)) as writer:
        for index, image in enumerate(islice(_again(), count)):
            writer.write(Frame(large(image, soft=soft), index, 512 * index, Fraction(1, 12800)))
    return path


def _again() -> Iterator[Image]:
    while True:
        yield from (frame.image for frame in frames(DEMO / "target.mp4"))


class Case:
    """The clips, the networks and the metrics."""

    def __init__(self, folder: Path, count: int) -> None:
        self.target, self.out = (write(folder / f"{n}.mp4", count, soft=n == "out") for n in ("target", "out"))
        start = perf_counter()
        self.finders = Finders(
            *(plugins.load(k, n)() for k, n in (("detector", "duo"), ("landmarker", "facemesh"), ("describer", "dlib")))
        )
        self.loading = perf_counter() - start
        self.metrics = [*PLAIN, *identity_metrics(source_people(DEMO / "source.mp4", self.finders, silent))]
        self.describing = perf_counter() - start - self.loading
        self.eyes = Eyes(self.finders.landmarker, self.finders.describer, 3)

    def follower(self) -> Follower:
        """Make a new one."""
        return Follower(self.finders.detector, self.finders.landmarker)

    def in_turn(self) -> list[float]:
        """Run the stages one after the other -> seconds of each."""
        rows, thumbs, times = Rows(self.metrics), Thumbs(), [perf_counter()]
        moments = list(together(self.out, self.target, None, 1))
        times.append(perf_counter())
        found = list(find_faces(iter(moments), self.follower(), self.eyes))
        times.append(perf_counter())
        before = None
        for _, pair, _ in found:
            if pair is not None:
                rows.add(pair, before)
                thumbs.add(pair)
            before = pair
        times.append(perf_counter())
        return list(np.diff(times))

    def whole(self) -> tuple[float, float]:
        """Score as users do -> seconds, processor seconds."""
        thumbs, start, cpu = Thumbs(), perf_counter(), process_time()
        measure(
            together(self.out, self.target, None, 1),
            self.follower(),
            self.eyes,
            Rows(self.metrics),
            lambda frame, pair, follows: None if pair is None else thumbs.add(pair),
        )
        return perf_counter() - start, process_time() - cpu


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60, help="held in memory: 8 MB each")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        case = Case(Path(folder), given.frames)
        case.whole()
        turns = [(case.in_turn(), case.whole()) for _ in range(given.runs)]
    each = 1000 / given.frames
    stages = [each * statistics.median(t[0][k] for t in turns) for k in range(len(STAGES))]
    base = each * statistics.median(sum(t[0]) for t in turns)
    whole, cpu = (each * statistics.median(t[1][k] for t in turns) for k in (0, 1))
    print(f"{given.frames} frames of 1280 x 720, {cores} cores, median of {given.runs} runs in turns, milliseconds a frame")
    for name, value in zip(STAGES, stages, strict=True):
        print(f"  {name:<10}{value:8.1f} alone")
    print(f"  {'baseline':<10}{base:8.1f} one after the other")
    print(f"  {'whole':<10}{whole:8.1f} {base / whole:.2f}x; {cpu:.1f} of processor time; {1000 / whole:.1f} frames/s")
    print(f"  {'goal':<10}{GOAL:8.1f} {'reached' if whole <= GOAL else 'missed'}")
    print(f"before that: {case.loading:.1f} s to load the networks, {case.describing:.1f} s to describe the source")


if __name__ == "__main__":
    main()

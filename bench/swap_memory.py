"""How much memory a long swap takes: the peak of the process, and how it grows with the clip's length.

usage: python bench/swap_memory.py [--minutes 1 3] [--size 1280 720] [--quick]

The demo's target is played again and again until the clip is as long as asked; each length runs in a process of its own. The growth
between the first and the last length is carried on to 30 minutes. --quick leaves the refiner and the learned mask out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import psutil

from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings
from bianlian.types import Frame
from bianlian.video import VideoWriter, frames, probe
from swap import DEMO, make_model, make_swapper

RATE = 25
LONG = 30


def make_long(path: Path, total: int, size: tuple[int, int]) -> Path:
    """Play the demo's target to and fro, in the middle of a larger picture."""
    info = probe(DEMO)
    base = info.time_base
    shown = [f.image for f in frames(DEMO)]
    shown += shown[-2:0:-1]
    with VideoWriter(path, info, size=size) as writer:
        for k in islice(count(), total):
            picture = np.zeros((size[1], size[0], 3), np.uint8)
            side = min(size)
            y, x = (size[1] - side) // 2, (size[0] - side) // 2
            picture[y : y + side, x : x + side] = cv2.resize(shown[k % len(shown)], (side, side), interpolation=cv2.INTER_AREA)
            assert base is not None
            writer.write(Frame(picture, k, round(k / RATE / base), base))
    return path


def child(minutes: float, size: tuple[int, int], quick: bool) -> None:
    """Run one length and print the peak of this process in MiB, before and with the swap."""
    settings = SwapSettings(refine=0, mask="hull") if quick else SwapSettings()
    with tempfile.TemporaryDirectory() as folder:
        clip = make_long(Path(folder) / "clip.mp4", round(60 * RATE * minutes), size)
        swapper = make_swapper(make_model())
        before = peak()
        swap(clip, swapper, Path(folder) / "out.mp4", settings)
        print(before, peak())


def peak() -> int:
    """Peak memory of this process in MiB."""
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # Windows
        return int(psutil.Process().memory_info().peak_wset // 2**20)
    return getrusage(RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Print a line a length, and what 30 minutes would take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0, 3.0])
    parser.add_argument("--size", type=int, nargs=2, default=[1280, 720])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    width, height = asked.size
    if asked.child is not None:
        child(asked.child, (width, height), asked.quick)
        return
    found = []
    for minutes in asked.minutes:
        words = ["--child", str(minutes), "--size", str(width), str(height), *(["--quick"] if asked.quick else [])]
        told = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True).stdout
        before, most = (int(word) for word in told.split()[-2:])
        found.append((minutes, most))
        print(f"{minutes:g} minutes of {width} x {height}: peak {most} MiB, of which {before} before the swap", flush=True)
    if len(found) > 1:
        slope = (found[-1][1] - found[0][1]) / (found[-1][0] - found[0][0])
        print(f"{slope:.1f} MiB a minute: {LONG} minutes would take {found[-1][1] + slope * (LONG - found[-1][0]):.0f} MiB")


if __name__ == "__main__":
    main()

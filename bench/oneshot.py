"""A swap from one photo, from the photo to the last frame: what comes before it, each stage alone, and the whole.

usage: python bench/oneshot.py [--frames 150] [--runs 2] [--steps 60] [--no-plain]

The photo is the first frame of the demo's source, the footage the demo's target on a canvas of 1280 x 720 (``swap.make_clip``).
First the photo is looked at, studied and compiled, once on one thread and once on all cores. Then the stages of a swap run one
after the other and the whole runs, as in ``bench/swap.py``, with this person's network; and by turns with it, as baselines, the
same swap by a trained person's network (of the same shape: all that differs is done before) and that bench's plain loop.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import cv2
import torch

import bianlian
from bianlian.model import Swapper
from bianlian.swap.oneshot import Artist, open_artist, tell_artist
from bianlian.swap.photos import Eyes, Sitter, sit
from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import STEPS
from bianlian.video import frames
from swap import CORES, Stopwatch, alone, make_clip, make_model, make_swapper, plain, show, timed

SOURCE = Path(bianlian.__file__).parent / "data/demo/source.mp4"
GOAL = 10.0
"""Frames a second that the project wants on two cores."""


def make_photo(folder: Path) -> Path:
    """Write the first frame of the demo's source."""
    path = folder / "photo.png"
    cv2.imwrite(str(path), next(iter(frames(SOURCE))).image[..., ::-1])
    return path


def prepared(photo: Path, settings: SwapSettings, steps: int) -> Swapper:
    """Look at a photo, study it on one thread and on all cores, and print what each took -> the person's network."""
    start = perf_counter()
    artist, eyes = open_artist(), Eyes.open(settings)
    opened = perf_counter()
    sitter = sit([photo], eyes)
    print(f"open the networks {opened - start:.2f} s, look at the photo {perf_counter() - opened:.2f} s")
    for threads in dict.fromkeys((1, CORES)):
        torch.set_num_threads(threads)
        wall, cpu = perf_counter(), process_time()
        swapper = tell_artist(artist, sitter, steps=steps)
        print(f"study in {steps} steps on {threads} threads, and compile: {perf_counter() - wall:.1f} s, ", end="")
        print(f"processor {process_time() - cpu:.1f} s (without study {compiled(artist, sitter):.1f} s)")
    return swapper


def compiled(artist: Artist, sitter: Sitter) -> float:
    """Time what is left without any study."""
    start = perf_counter()
    tell_artist(artist, sitter, steps=0)
    return perf_counter() - start


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--no-plain", action="store_true", help="leave the plain loop out")
    asked = parser.parse_args()
    settings, model = SwapSettings(), make_model()
    watches, wholes, plains, trained = list[Stopwatch](), list[tuple[float, float]](), list[tuple[float, float]](), list[float]()
    with tempfile.TemporaryDirectory() as name:
        swapper, known = prepared(make_photo(Path(name)), settings, asked.steps), make_swapper(model)
    for _ in range(asked.runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            clip = make_clip(folder / "clip.mp4", asked.frames)
            watches.append(alone(clip, swapper, settings, folder))
            wholes.append(timed(swap(clip, swapper, folder / "whole.mp4", settings) and None for _ in range(1)))
            trained.append(timed(swap(clip, known, folder / "known.mp4", settings) and None for _ in range(1))[0])
            if not asked.no_plain:
                plains.append(timed(plain(clip, model, folder / "plain") for _ in range(1)))
    show(watches, wholes, plains, asked.frames)
    took, other = statistics.median(w for w, _ in wholes), statistics.median(trained)
    rate = asked.frames / took
    print(f"  a trained person's network in the same swap: {other:.2f} s; from one photo takes {took / other:.2f} times as long")
    print(f"  from one photo {rate:.1f} frames/s on {CORES} cores; {GOAL:g} were wanted, {rate / GOAL:.1f} times that")


if __name__ == "__main__":
    main()

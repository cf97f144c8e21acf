"""A swap against its bound, and against a plain loop: each stage alone, and the whole as users run it.

The footage is the demo's target on a canvas of 1280 x 720, the model a light one of 128 px that has learned nothing: both cost what
real ones do. The stages of both passes run one after the other first, each alone on what is held in memory; then the whole runs.
The bound is the longer of the slowest stage alone and the processor time of all stages over the cores.

The plain loop is how such a swap is first written: the frames as PNG files; of each file the face is searched, cut, drawn by
torch, colour-matched, blended with OpenCV under a soft mask and written as PNG; then the files are encoded. It has no second pass,
no smoothing, no refiner and no learned mask, and so less to do.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

import cv2
import numpy as np
import torch

import bianlian
from bianlian import align, plugins
from bianlian.mask.hull import hull_mask, outline
from bianlian.model.deepfake import Deepfake, DeepfakeConfig
from bianlian.provenance.mark import Marker, Origin
from bianlian.runtime import compile_module
from bianlian.swap.analyse import BATCH, Search
from bianlian.swap.front import Front
from bianlian.swap.pipeline import swap
from bianlian.swap.plan import make_plan
from bianlian.swap.refine import refined_size
from bianlian.swap.report import Clock
from bianlian.swap.settings import SwapSettings
from bianlian.swap.stages import Artist, cut, draw, join, look
from bianlian.swap.swapper import CompiledSwapper
from bianlian.swap.tracks import Analysis
from bianlian.types import Frame, silent
from bianlian.video import WHOLE, VideoWriter, frames, probe
from bianlian.video.segments import open_segments

DEMO = Path(bianlian.__file__).parent / "data/demo/target.mp4"
SIDES, RATE = (1280, 720), Fraction(25)
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
Item = TypeVar("Item")


def make_clip(path: Path, count: int) -> Path:
    """Put the demo's target into the middle of a larger picture, over a blurred enlargement of itself; to and fro, so often as the
    count wants it."""
    info, shown = probe(DEMO), list(frames(DEMO))
    order = [*range(len(shown)), *range(len(shown) - 2, 0, -1)]
    with VideoWriter(path, info, size=SIDES, bare=True) as writer:
        for index in range(count):
            image = shown[order[index % len(order)]].image
            behind = cv2.GaussianBlur(cv2.resize(image, SIDES), (0, 0), 20)
            y, x = (SIDES[1] - image.shape[0]) // 2, (SIDES[0] - image.shape[1]) // 2
            behind[y : y + image.shape[0], x : x + image.shape[1]] = image
            writer.write(Frame(np.asarray(behind, np.uint8), index, index, 1 / RATE))
    return path


def make_model() -> Deepfake:
    """Make a light model that has learned nothing."""
    return Deepfake(DeepfakeConfig(size=128, width="light"), ("ana",), torch.Generator().manual_seed(0))


def make_swapper(model: Deepfake) -> CompiledSwapper:
    """Compile a model as a run's is compiled."""
    shape = (1, 3, model.size, model.size)
    return CompiledSwapper(compile_module(model.path(0), shape, threads=CORES, dynamic_batch=True), model.size, "ana")


class Stopwatch:
    """Takes the wall and processor time of stages that run alone."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def all(self, stage: str, items: Generator[Item, None, None]) -> list[Item]:
        """Run a stage to its end -> what it gives."""
        wall, cpu = perf_counter(), process_time()
        with closing(items):
            found = list(items)
        self.wall[stage], self.cpu[stage] = perf_counter() - wall, process_time() - cpu
        return found


def alone(clip: Path, swapper: CompiledSwapper, settings: SwapSettings, folder: Path) -> Stopwatch:
    """Run the stages of both passes one after the other."""
    watch, info, clock = Stopwatch(), probe(clip), Clock()
    names = (settings.detector, settings.landmarker, settings.describer)
    finders = [plugins.load(kind, name)() for kind, name in zip(("detector", "landmarker", "describer"), names, strict=True)]
    search = Search.of(info, *finders, gap=settings.gap, clock=clock)
    decoded = watch.all("decode", (frame for frame in frames(clip, rough=True)))
    batches = [decoded[k : k + BATCH] for k in range(0, len(decoded), BATCH)]
    found = watch.all("detect", (search.detect(batch) for batch in batches))
    watch.all("landmark, link", (search.link(some) for some in found))
    analysis = Analysis(clip.name, "", info.width, info.height, len(decoded), info.average_rate, *names, (), search.tracks())
    del decoded, batches, found
    plan = make_plan(analysis, settings, size=swapper.size, coverage=swapper.coverage)
    size, front = refined_size(plan, swapper.size), Front(swapper.coverage)
    artist = Artist([swapper], size, settings, clock)
    jobs = watch.all("decode, cut", cut(clip, WHOLE, plan, swapper.size, size, 0, clock, silent))
    jobs = watch.all("see what is in front", look(given(jobs), front, clock))
    jobs = watch.all("draw, refine", draw(given(jobs), artist, settings.batch, settings.segment))
    done = watch.all("fit, paste", join(given(jobs), front, settings, analysis, {}, clock, layered=False))
    del jobs

    marker = Marker(folder / "alone.mp4", Origin(clip), SIDES, number=1)

    def encode() -> Generator[None, None, None]:
        with open_segments(folder / "alone.mp4", info, settings.encoding, folder, (), marks=marker.marks) as writer:
            for item in done:
                writer.write(marker.frame(item.frame, swapped=bool(item.places)))
            writer.cut()
        yield

    watch.all("mark, encode", encode())
    return watch


def given(items: Sequence[Item]) -> Generator[Item, None, None]:
    """Give the items of a list."""
    yield from items


def plain(clip: Path, model: Deepfake, folder: Path) -> None:
    """Swap as a plain loop does."""
    folder.mkdir()
    info, shown = probe(clip), []
    for frame in frames(clip):
        cv2.imwrite(str(folder / f"{frame.index:06d}.png"), frame.image[..., ::-1])
        shown.append((frame.index, frame.pts, frame.time_base))
    detector, landmarker = plugins.load("detector", "mtcnn")(), plugins.load("landmarker", "facemesh")()
    network = model.path(0).eval()
    for path in sorted(folder.glob("*.png")):
        image = cv2.imread(str(path))[..., ::-1]
        faces = [f for f in landmarker.mark(image, detector.detect([image])[0][:1]) if f is not None and f.landmarks is not None]
        for face in faces:
            assert face.landmarks is not None
            crop = align.cut(image, align.crop_from_frame(face.landmarks, model.size), model.size)
            with torch.no_grad():
                drawn = network(torch.from_numpy(crop.image.copy()).permute(2, 0, 1)[None].float() / 255)[0]
            face_drawn = (drawn.clamp(0, 1).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            ours, theirs = face_drawn.reshape(-1, 3).astype(np.float32), crop.image.reshape(-1, 3).astype(np.float32)
            moved = (ours - ours.mean(0)) / (ours.std(0) + 1) * theirs.std(0) + theirs.mean(0)
            matched = np.clip(moved, 0, 255).astype(np.uint8).reshape(face_drawn.shape)
            placed = cv2.warpAffine(matched, align.frame_from_crop(crop), image.shape[1::-1], flags=cv2.INTER_CUBIC)
            mask = hull_mask(outline(face.landmarks), image.shape[:2])[..., None]
            image = (placed * mask + image * (1 - mask)).astype(np.uint8)
        cv2.imwrite(str(path), image[..., ::-1])
    with VideoWriter(folder / "plain.mp4", info) as writer:
        for index, pts, base in shown:
            picture = np.ascontiguousarray(cv2.imread(str(folder / f"{index:06d}.png"))[..., ::-1])
            writer.write(Frame(picture, index, pts, base))


def timed(run: Generator[None, None, None]) -> tuple[float, float]:
    """Run something -> wall and processor seconds."""
    watch = Stopwatch()
    watch.all("", run)
    return watch.wall[""], watch.cpu[""]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-plain", action="store_true", help="leave the plain loop out")
    asked = parser.parse_args()
    settings, model = SwapSettings(), make_model()
    swapper = make_swapper(model)
    watches, wholes, plains = list[Stopwatch](), list[tuple[float, float]](), list[tuple[float, float]]()
    for run in range(asked.runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            clip = make_clip(folder / "clip.mp4", asked.frames)
            watches.append(alone(clip, swapper, settings, folder))
            wholes.append(timed(swap(clip, swapper, folder / "whole.mp4", settings) and None for _ in range(1)))
            if not asked.no_plain and run < 2:
                plains.append(timed(plain(clip, model, folder / "plain") for _ in range(1)))
    show(watches, wholes, plains, asked.frames)


def show(
    watches: Sequence[Stopwatch], wholes: Sequence[tuple[float, float]], plains: Sequence[tuple[float, float]], count: int
) -> None:
    """Print each stage, the whole, the bound and the plain loop: medians of the runs."""
    print(f"{count} frames of {SIDES[0]} x {SIDES[1]}, one face, {CORES} cores, median of {len(watches)} runs; seconds")
    print(f"  {'':<24}{'alone':>8}{'processor':>11}{'ms/frame':>10}")
    stages = list(watches[0].wall)
    own = {s: statistics.median(w.wall[s] for w in watches) for s in stages}
    work = {s: statistics.median(w.cpu[s] for w in watches) for s in stages}
    for stage in stages:
        print(f"  {stage:<24}{own[stage]:8.2f}{work[stage]:11.2f}{1e3 * work[stage] / count:10.1f}")
    total = sum(work.values())
    took, spent = (statistics.median(column) for column in zip(*wholes, strict=True))
    bound = max(*own.values(), total / CORES)
    print(f"  {'all stages':<24}{sum(own.values()):8.2f}{total:11.2f}{1e3 * total / count:10.1f}")
    print(f"  {'whole':<24}{took:8.2f}{spent:11.2f}{1e3 * spent / count:10.1f}   {count / took:.1f} frames/s")
    print(f"  {'bound':<24}{bound:8.2f}   the whole reaches {100 * bound / took:.0f} % of it")
    if plains:
        loop, burnt = (min(column) for column in zip(*plains, strict=True))
        print(f"  {'plain loop':<24}{loop:8.2f}{burnt:11.2f}{1e3 * burnt / count:10.1f}   {count / loop:.1f} frames/s")
        print(f"  the whole is {loop / took:.2f} times as fast as the plain loop ({burnt / spent:.2f} times by processor time)")


if __name__ == "__main__":
    main()

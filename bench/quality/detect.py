"""Recall, false alarms and time of every detector on photos changed in hard ways, on drawn crowds, clutter and clips.

python bench/quality/detect.py DATA [--detectors duo mtcnn] [--people 12] [--only crowd]
prints markdown tables; DATA: see detect_scenes.py

A face counts as found when a box of the detector and its own, both made square, share more than 0.4 of their union; each box counts
for one face. Where nobody has marked the faces (real clips, the group photo) only their number is compared. Faces behind another
person in a crowd are not asked for, and finding them is no false alarm only as far as more than a third of them is seen.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from detect_scenes import Scene, bodies, clips, clutter, covered, dark, group, pairs, people, read, rendered, rotated, upright
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.detect import Detector

Make = Callable[[np.random.Generator], list[Scene]]
HIT = 0.4
_CROWDS = ((1600, 1000, (16, 60), 8), (1280, 720, (15, 24), 10), (1024, 768, (20, 60), 6), (2400, 1600, (18, 48), 10))


@dataclass(frozen=True)
class Result:
    """What one detector did on one kind of picture. hits: per face in order; extra: boxes without a face; seconds: per picture."""

    hits: tuple[bool, ...]
    extra: int
    seconds: tuple[float, ...]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--detectors", nargs="+", default=plugins.names("detector"))
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--only", default="", help="kinds of pictures whose title holds this")
    given = parser.parse_args()
    if not (given.data / "persons" / "london").is_dir():
        parser.exit(2, f"{given.data} holds no persons/london: give the folder of the data that detect_scenes.py describes\n")
    cv2.setNumThreads(1)
    detectors: dict[str, Detector] = {name: plugins.load("detector", name)() for name in given.detectors}
    results = {}
    for title, make in variants(given.data, given.people).items():
        if given.only in title:
            pictures = make(np.random.default_rng(0))
            results[title] = {name: measure(detector, pictures) for name, detector in detectors.items()}
            said = ", ".join(f"{n} {sum(r.hits)}/{len(r.hits)} + {r.extra}" for n, r in results[title].items())
            print(f"{title}: {said}", file=sys.stderr, flush=True)
    if not results:
        parser.exit(2, f"no kind of pictures has {given.only!r} in its title\n")
    for text in tables(results):
        print(text)


def variants(folder: Path, count: int) -> dict[str, Make]:
    """List every kind of picture: title -> what makes its pictures."""
    crowd = people(folder)
    few = crowd[:: max(1, len(crowd) // count)][:count]
    kinds: dict[str, Make] = {f"upright, {n} px": lambda _, n=n: [upright(p, n) for p in few] for n in (60, 28, 16)}
    for n in (60, 28):
        kinds |= {f"turned by {a}, {n} px": lambda _, a=a, n=n: [rotated(p, n, a) for p in few] for a in (45, 90, 180)}
        kinds[f"a fifth of the light, {n} px"] = lambda rng, n=n: [dark(p, n, 0.2, rng) for p in few]
        for side in ("left", "right", "lower"):
            kinds[f"{side} half covered, {n} px"] = lambda rng, n=n, side=side: [covered(p, n, side, rng) for p in few]
    cuts = list(bodies(folder))
    for width, height, sizes, rows in _CROWDS:
        title = f"crowd, {width} x {height}, {sizes[0]}-{sizes[1]} px"
        kinds[title] = lambda rng, w=width, h=height, s=sizes, r=rows: [group(crowd, w, h, s, r, rng, cuts) for _ in range(2)]
    none = np.zeros((0, 4))
    places = ((640, 480), (1280, 720), (1600, 1000)) * 3
    some = cuts[:: max(1, len(cuts) // 20)]
    return kinds | {
        "group photo of 1927, 29 faces": lambda _: [Scene(read(p), None, 29) for p in (folder / "detect").glob("solvay*.jpg")],
        "clutter, no face": lambda rng: [Scene(clutter(w, h, rng, cuts), none, 0) for w, h in places],
        "clothes and hands, no face": lambda _: [Scene(np.ascontiguousarray(c), none, 0) for c in some],
        "clips of one person": lambda _: list(clips(folder, 100)),
        "rendered heads": lambda _: list(rendered(folder, 60)),
        "two rendered heads, exit and crossing": lambda _: list(pairs(folder, 25)),
    }


def measure(detector: Detector, pictures: list[Scene]) -> Result:
    """Run a detector over pictures, one at a time."""
    hits: list[bool] = []
    extra, seconds = 0, []
    for scene in pictures:
        start = perf_counter()
        faces = detector.detect([scene.image])[0]
        seconds.append(perf_counter() - start)
        boxes = np.stack([f.box for f in faces]) if faces else np.zeros((0, 4))
        found = match(scene.boxes, boxes) if scene.boxes is not None else [k < len(boxes) for k in range(scene.count)]
        hits += found
        extra += len(boxes) - sum(found)
    return Result(tuple(hits), extra, tuple(seconds))


def match(truth: NDArray[np.float64], found: NDArray[np.float64]) -> list[bool]:
    """Pair true boxes (N, 4) with found ones (M, 4), the best overlap first -> whether each true one has a partner."""
    hit = np.zeros(len(truth), bool)
    if len(truth) and len(found):
        overlap = _overlaps(_squares(truth), _squares(found))
        while overlap.max() > HIT:
            row, column = np.unravel_index(overlap.argmax(), overlap.shape)
            hit[row], overlap[row], overlap[:, column] = True, 0, 0
    return [bool(h) for h in hit]


def _squares(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1, keepdims=True)) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _overlaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None] - shared), np.float64)


def tables(results: dict[str, dict[str, Result]]) -> Iterable[str]:
    """Write the tables: found, false alarms, milliseconds, and what the first detector missed though another found it."""
    names = list(next(iter(results.values())))
    head = f"| | faces | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}"
    rows = {"Faces found, %": [], "Boxes without a face": [], "Milliseconds a picture (median)": []}
    missed = []
    for title, each in results.items():
        first = each[names[0]]
        if first.hits:
            shares = " | ".join(f"{100 * statistics.mean(r.hits):.1f}" for r in each.values())
            rows["Faces found, %"].append(f"| {title} | {len(first.hits)} | {shares} |")
        extras = " | ".join(str(r.extra) for r in each.values())
        times = " | ".join(f"{1e3 * statistics.median(r.seconds):.0f}" for r in each.values() if r.seconds)
        rows["Boxes without a face"].append(f"| {title} | {len(first.hits)} | {extras} |")
        rows["Milliseconds a picture (median)"].append(f"| {title} | {len(first.hits)} | {times} |")
        others = [name for name in names[1:] if any(h and not mine for h, mine in zip(each[name].hits, first.hits, strict=True))]
        count = sum(any(each[n].hits[k] for n in names) and not mine for k, mine in enumerate(first.hits))
        missed.append(f"| {title} | {count or 'none'} | {', '.join(others)} |")
    for title, lines in rows.items():
        yield "\n".join([f"**{title}**\n", head, *lines, ""])
    yield "\n".join([f"**Found by another detector, missed by {names[0]}**\n", "| | faces | by |\n|---|---|---|", *missed, ""])


if __name__ == "__main__":
    main()

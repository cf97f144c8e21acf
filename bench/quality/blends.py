"""Every blend with every colour on rendered truth: how near, how seamless, how steady, how fast.

usage: python bench/quality/blends.py FOLDER... [--frames 40] [--finish bare|default] [--steady 0.2] [--montage FILE.jpg]

FOLDER holds target.mp4, truth_face.mp4 (the same performance with another person's inner face: the truth) and truth.mp4 (that
person plays it with head and hair and all). Faces are found, followed and smoothed as a swap does it. What is pasted is cut out of
the truth, so that blend and colour are measured and no network is:

- `tinted`: truth_face in another light: gain, gamma and white balance drawn at random for the clip, and drifting a little;
- `head`: truth, whose skin tone, cheeks and outline are another person's.

Printed for each: L1 to the truth under the mask (grey levels); seam: gradient energy within 3 px of the mask's half, over the
target's; flicker: change of the mean Lab colour from frame to frame that the truth does not have; shimmer: the same for each pixel,
grey levels; shift and shake: mean and spread of the pasted face's movement against where it belongs, pixels.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from statistics import median
from time import process_time

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian import align, plugins
from bianlian.mask.hull import hull_mask
from bianlian.swap.analyse import analyse
from bianlian.swap.paste import Finish, paste
from bianlian.swap.plan import Place, make_plan
from bianlian.swap.settings import SwapSettings
from bianlian.swap.steady import SteadyColor
from bianlian.types import Image, Mask
from bianlian.video import frames, probe

SIZE = 256
WORLDS = ("tinted", "head")
Key = tuple[str, str, str]
"""World, blend, colour."""


@dataclass
class Score:
    """One value a frame each; milliseconds for both, of a face of SIZE px."""

    l1: list[float] = field(default_factory=list)
    seam: list[float] = field(default_factory=list)
    flicker: list[float] = field(default_factory=list)
    shimmer: list[float] = field(default_factory=list)
    moved: list[NDArray[np.float64]] = field(default_factory=list)
    before: NDArray[np.float32] | None = None
    mean: NDArray[np.float64] | None = None

    def add(self, out: Image, truth: Image, target: Image, mask: Mask) -> None:
        """Measure a frame."""
        inside = mask > 0
        error = out.astype(np.float32) - truth
        self.l1.append(float(np.abs(error[inside]).mean()))
        self.seam.append(seam(out, mask) / seam(target, mask))
        off = lab_mean(out, mask) - lab_mean(truth, mask)
        if self.before is not None and self.mean is not None:
            self.shimmer.append(float(np.abs((error - self.before)[inside]).mean()))
            self.flicker.append(float(np.linalg.norm(off - self.mean)))
        self.before, self.mean = error, off

    @property
    def row(self) -> list[float]:
        """Means: L1, seam, flicker, shimmer, shift, shake."""
        moved = np.stack(self.moved) if self.moved else np.zeros((1, 2))
        shift, shake = float(np.hypot(*moved.mean(0))), float(np.hypot(*moved.std(0)))
        return [*(float(np.mean(x)) for x in (self.l1, self.seam, self.flicker, self.shimmer)), shift, shake]


def seam(image: Image, mask: Mask) -> float:
    """Gradient energy within 3 px of where the mask is one half."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    kernel = np.ones((7, 7), np.uint8)
    half = (mask >= 0.5).astype(np.uint8)
    ring = cv2.dilate(half, kernel) != cv2.erode(half, kernel)
    return float((dx**2 + dy**2)[ring].mean())


def lab_mean(image: Image, mask: Mask) -> NDArray[np.float64]:
    """Mean Lab colour under a mask."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return np.asarray(mask.reshape(-1) @ lab.reshape(-1, 3) / mask.sum(), np.float64)


def movement(out: Image, face: Image, mask: Mask) -> NDArray[np.float64]:
    """Displacement (x, y) of what was pasted, in the middle of the mask, by its fine detail."""
    ys, xs = np.nonzero(mask >= 0.9)
    x, y, half = int(xs.mean()), int(ys.mean()), int(0.3 * (np.ptp(xs) + 1))
    parts = []
    for image in (face, out):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        parts.append((grey - cv2.GaussianBlur(grey, (0, 0), 6))[max(0, y - half) : y + half, max(0, x - half) : x + half])
    window = cv2.createHanningWindow(parts[0].shape[::-1], cv2.CV_32F)
    return np.array(cv2.phaseCorrelate(parts[0], parts[1], window)[0])


def tint(image: Image, index: int, rng: np.random.Generator) -> Image:
    """Put a picture into another light: the same for a clip but for a slow drift of the gain."""
    gamma, gain = rng.uniform(0.8, 1.25), rng.uniform(0.75, 1.2)
    balance = rng.uniform(0.88, 1.12, 3)
    gain *= 1 + 0.04 * np.sin(index / 6)
    levels = np.arange(256)[:, None] / 255
    return np.asarray(cv2.LUT(image, np.clip(255 * gain * balance * levels**gamma + 0.5, 0, 255).astype(np.uint8)[None]), np.uint8)


def shots(folder: Path, count: int) -> Iterator[tuple[Image, Image, Image, Place]]:
    """Give target, truth_face and truth of each frame, and the target's face."""
    target, settings = folder / "target.mp4", SwapSettings()
    info = probe(target)
    parts = [plugins.load(kind, getattr(settings, kind))() for kind in ("detector", "landmarker", "describer")]
    names = (settings.detector, settings.landmarker, settings.describer)
    plan = make_plan(analyse(target, info, *parts, names=names), settings, size=SIZE, coverage=align.COVERAGE)
    films = zip(*(frames(folder / f"{name}.mp4") for name in ("target", "truth_face", "truth")), strict=True)
    for one in islice(films, count):
        if places := plan.places.get(one[0].index):
            yield one[0].image, one[1].image, one[2].image, places[0]


class Once:
    """A colour function that is asked once a frame, however many blends use its answer."""

    def __init__(self, color: str, window: float) -> None:
        self._recolor = SteadyColor(plugins.load("color", color), window)
        self._answer: Image | None = None

    def next_frame(self) -> None:
        """Forget the answer."""
        self._answer = None

    def __call__(self, face: Image, target: Image, mask: Mask) -> Image:
        """Recolour."""
        if self._answer is None:
            self._answer = self._recolor(face, target, mask)
        return self._answer


def measure(folder: Path, count: int, finish: Finish, steady: float) -> tuple[dict[Key, Score], dict[Key, Image]]:
    """Measure one clip -> by world, blend and colour: scores, and the last frame. Blend "no swap" is the target."""
    scores: dict[Key, Score] = defaultdict(Score)
    last: dict[Key, Image] = {}
    rate = float(probe(folder / "target.mp4").average_rate or 25)
    colors = {(w, c): Once(c, steady * rate) for w in WORLDS for c in plugins.TABLES["color"]}
    ones = np.ones((SIZE, SIZE), np.float32)
    for index, (target, truth, head, place) in enumerate(shots(folder, count)):
        mask = hull_mask(place.outline, target.shape[:2], erode=finish.erode, feather=finish.feather)
        crop = align.cut(target, place.crop_from_frame, SIZE)
        tinted = tint(truth, index, np.random.default_rng(sum(map(ord, folder.name))))
        for world, film in zip(WORLDS, (tinted, head), strict=True):
            face = align.cut(film, place.crop_from_frame, SIZE).image
            made = {(world, "no swap", ""): target, (world, "truth", ""): truth}
            for color in plugins.TABLES["color"]:
                once = colors[world, color]
                once.next_frame()
                for blend in plugins.TABLES["blend"]:
                    fit = replace(finish, color=once, blend=plugins.load("blend", blend))
                    made[world, blend, color] = paste(target, crop, face, ones, place.outline, fit)
            for key, out in made.items():
                scores[key].add(out, truth, target, mask)
                if key[2] == "none":
                    scores[key].moved.append(movement(out, film, mask))
            x1, y1, x2, y2 = around(mask)
            last |= {key: out[y1:y2, x1:x2] for key, out in made.items()}
            last[world, "pasted", ""] = film[y1:y2, x1:x2]
    return scores, last


def around(mask: Mask) -> tuple[int, int, int, int]:
    """Box of a mask, a little widened."""
    x, y, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    grow = height // 8
    return max(0, x - grow), max(0, y - grow), x + width + grow, y + height + grow


def milliseconds(kind: str, name: str) -> float:
    """Median processor time of a plug-in on a face of SIZE px, one thread."""
    rng = np.random.default_rng(0)
    face, target = (cv2.GaussianBlur(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8), (0, 0), 2) for _ in range(2))
    edge = SIZE * (0.5 + 0.4 * np.array([[np.cos(a), 1.1 * np.sin(a)] for a in np.linspace(0, 2 * np.pi, 40, endpoint=False)]))
    mask = hull_mask(edge, (SIZE, SIZE))
    times = []
    for _ in range(20):
        began = process_time()
        plugins.load(kind, name)(face, target, mask)
        times.append(process_time() - began)
    return 1000 * median(times)


def montage(pictures: dict[Key, Image], world: str, path: Path) -> None:
    """Write one picture: rows of blends, columns of colours; first target, truth and what is pasted."""
    colors, side = list(plugins.TABLES["color"]), 168
    rows = [[("target", (world, "no swap", "")), ("truth", (world, "truth", "")), ("pasted", (world, "pasted", ""))]]
    rows += [[(f"{b}, {c}", (world, b, c)) for c in colors] for b in plugins.TABLES["blend"]]
    sheet = np.full((len(rows) * side, len(colors) * side, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, (label, key) in enumerate(row):
            tile = cv2.resize(pictures[key], (side - 4, side - 4), interpolation=cv2.INTER_AREA)
            tile[-18:] //= 4
            cv2.putText(tile, label, (5, side - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
            sheet[y * side : (y + 1) * side - 4, x * side : (x + 1) * side - 4] = tile
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


def main() -> None:
    """Print a table a world, means over the clips, and the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--finish", choices=("bare", "default"), default="bare", help="bare: no shade, sharpness or grain")
    parser.add_argument("--steady", type=float, default=SwapSettings().steady, help="seconds over which colour follows the light")
    parser.add_argument("--montage", type=Path, help="write the last frames of the first clip, world `head`, as a picture")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    finish = Finish(shade=0, sharpen=0, grain=0) if asked.finish == "bare" else Finish()
    clips = [measure(folder, asked.frames, finish, asked.steady) for folder in asked.folders]
    if asked.montage:
        montage(clips[0][1], WORLDS[1], asked.montage)
    for world in WORLDS:
        print(f"\n{world}\n\n| blend | color | L1 | L1 of each clip | seam | flicker | shimmer | shift, shake |\n|{'---|' * 8}")
        for key in [k for k in clips[0][0] if k[0] == world]:
            rows = np.array([scores[key].row for scores, _ in clips])
            l1, seams, flicker, shimmer, shift, shake = rows.mean(0)
            moved = f"{shift:.3f}, {shake:.3f}" if key[2] == "none" else ""
            each = " ".join(f"{x:.2f}" for x in rows[:, 0])
            print(f"| {key[1]} | {key[2]} | {l1:.2f} | {each} | {seams:.3f} | {flicker:.3f} | {shimmer:.3f} | {moved} |")
    for kind in ("blend", "color"):
        print("\nms: " + ", ".join(f"{name} {milliseconds(kind, name):.1f}" for name in plugins.TABLES[kind]))


if __name__ == "__main__":
    main()

"""Landmarkers on rendered heads of known geometry: errors by region and yaw, jitter, processor time, irises against the gaze.

``python bench/quality/landmarks.py CLIP.mp4... [--landmarkers facemesh dlib68]``; each clip has CLIP_gt.npz beside it. Errors are
the distance to the truth in % of the inter-ocular distance (outer eye corners); p95 is over frames and, in brackets, over points.
Jitter is the RMS second difference over time of the error, in the same unit, where three frames in a row are marked.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from truth import REGIONS, Clip, follow, read_clip

from bianlian import plugins
from bianlian.landmark._terms import TermsWarning
from bianlian.landmark.schemes import LEFT_IRIS, RIGHT_IRIS, convert

YAWS = (0, 10, 20, 30, 36.5)
"""Edges of the bins of yaw, degrees."""


@dataclass
class Marks:
    """What one landmarker gave for one clip: points (T, 68, 2) or five (T, 5, 2), NaN where none; irises (T, 2, 2)."""

    points: list[NDArray[np.float64]] = field(default_factory=list)
    irises: list[NDArray[np.float64]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def mark(names: list[str], clip: Clip) -> dict[str, Marks]:
    """Run every landmarker over a clip, on the same detections."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TermsWarning)
        made = {name: plugins.load("landmarker", name)() for name in names}
    out = {name: Marks() for name in names}
    for frame, face in follow(clip):
        for name, landmarker in made.items():
            start = process_time()
            (found,) = landmarker.mark(frame.image, [face])
            out[name].seconds.append(process_time() - start)
            marks = None if found is None else found.landmarks
            if marks is None:
                out[name].points.append(np.full_like(out[name].points[-1] if out[name].points else clip.points[0], np.nan))
                continue
            five = marks.scheme == "five"
            out[name].points.append(marks.points if five else convert(marks, "ibug68").points)
            if marks.scheme == "mesh478":
                out[name].irises.append(np.stack([marks.points[RIGHT_IRIS][0], marks.points[LEFT_IRIS][0]]))
    return out


def errors(points: NDArray[np.float64], clip: Clip) -> NDArray[np.float64]:
    """Distance of each of the 68 points to the truth, % of the inter-ocular distance (T, 68)."""
    return 100 * np.hypot(*np.moveaxis(points - clip.points, -1, 0)) / clip.eye_distance[:, None]


def jitter(points: NDArray[np.float64], clip: Clip) -> NDArray[np.float64]:
    """RMS second difference of each point's error over time, % of the inter-ocular distance (68,)."""
    off = 100 * (points - clip.points) / clip.eye_distance[:, None, None]
    return np.sqrt(np.nanmean((np.diff(off, 2, axis=0) ** 2).sum(-1), axis=0))


def gaze_kept(irises: NDArray[np.float64], clip: Clip) -> tuple[float, float]:
    """Correlation over time of the irises' place between the true eye corners with the gaze: sideways, up and down."""
    found = []
    for k, (a, b) in enumerate(((36, 39), (42, 45))):
        along = clip.points[:, b] - clip.points[:, a]
        width = np.hypot(*along.T)[:, None]
        off = (irises[:, k] - (clip.points[:, a] + clip.points[:, b]) / 2) / width
        unit = along / width
        found.append(np.stack([(off * unit).sum(1), off[:, 1] * unit[:, 0] - off[:, 0] * unit[:, 1]], 1))
    mean = np.mean(found, axis=0)
    return tuple(float(np.corrcoef(mean[:, k], clip.gaze[:, k])[0, 1]) for k in (0, 1))


def report(name: str, marks: list[Marks], clips: list[Clip]) -> None:
    """Print one landmarker's figures over all clips."""
    stacks = [np.array(m.points) for m in marks]
    middle = 1e3 * float(np.median(np.concatenate([m.seconds for m in marks])))
    if stacks[0].shape[1] == 5:
        print(f"{name}: five points only, {middle:.1f} ms")
        return
    off = np.concatenate([errors(p, c) for p, c in zip(stacks, clips, strict=True)])
    seen = np.isfinite(off).all(1)
    yaw = np.abs(np.concatenate([c.yaw for c in clips]))
    print(f"{name}: {seen.sum()} of {len(seen)} frames marked, {middle:.1f} ms of processor time a face")
    print(f"  {'|yaw|':>10} {'frames':>6}  " + "".join(f"{r:>22}" for r in REGIONS))
    for low, high in [*pairwise(YAWS), (0, YAWS[-1])]:
        rows = seen & (yaw >= low) & (yaw < high)
        cells = [
            f"{off[rows, r].mean():6.2f} {np.percentile(off[rows, r].mean(1), 95):6.2f} ({np.percentile(off[rows, r], 95):5.2f})"
            for r in REGIONS.values()
        ]
        print(f"  {low:4.0f} - {high:3.0f} {rows.sum():6d}  " + "".join(f"{c:>22}" for c in cells))
    shake = np.sqrt(np.mean([jitter(p, c) ** 2 for p, c in zip(stacks, clips, strict=True)], axis=0))
    print("  jitter             " + "".join(f"{np.sqrt((shake[r] ** 2).mean()):22.2f}" for r in REGIONS.values()))
    if all(len(m.irises) == len(p) for m, p in zip(marks, stacks, strict=True)):
        kept = np.mean([gaze_kept(np.array(m.irises), c) for m, c in zip(marks, clips, strict=True)], axis=0)
        print(f"  irises against the gaze: r {kept[0]:.2f} sideways, {kept[1]:.2f} up and down")


def main() -> None:
    """Print a table for each landmarker."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--landmarkers", nargs="+", default=["facemesh", "facemesh478"])
    asked = parser.parse_args()
    clips = [read_clip(path) for path in asked.clips]
    found = [mark(asked.landmarkers, clip) for clip in clips]
    for name in asked.landmarkers:
        report(name, [f[name] for f in found], clips)


if __name__ == "__main__":
    main()

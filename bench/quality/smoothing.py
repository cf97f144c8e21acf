"""Smoothing of landmarks over time: how much jitter each filter takes away, and how late and how flat it makes the motion.

``python bench/quality/smoothing.py CLIP.mp4... [--landmarker facemesh]``; each clip is a rendered head with CLIP_gt.npz beside it.
Of the inner 51 points and of the corners of the aligned crop: jitter, the RMS second difference over time of the error, % of the
inter-ocular distance. error: mean distance of the points to the truth about its mean, same unit. lag: frames by which the filtered
motion comes after the truth's, by the phase between them. blink, mouth: share of the motion of the eyes' and mouth's opening kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from landmarks import mark
from numpy.typing import NDArray
from truth import Clip, read_clip

from bianlian.align import crop_from_frame
from bianlian.geometry import apply, invert
from bianlian.landmark.schemes import INNER
from bianlian.track.smooth import gaussian
from bianlian.types import Landmarks

Values = NDArray[np.float64]
Filter = Callable[[Values], Values]
RATE = 25.0
"""Frames a second of the rendered clips."""


def convolved(weights: Values, centred: bool = True) -> Filter:
    """Weigh neighbours; centred with ends continued by their own point reflection, else the frame itself and those before it."""

    def run(x: Values) -> Values:
        count = len(weights)
        before, after = (count // 2, count // 2) if centred else (count - 1, 0)
        head = 2 * x[:1] - x[before:0:-1] if centred else np.repeat(x[:1], before, axis=0)
        tail = 2 * x[-1:] - x[-2 : -after - 2 : -1]
        padded = np.concatenate([head, x, tail][: 3 if after else 2])
        return sum(w * padded[k : k + len(x)] for k, w in enumerate(weights))

    return run


def savitzky_golay(count: int, degree: int = 2) -> Filter:
    """Fit a polynomial to ``count`` frames and take its middle (Savitzky and Golay, Analytical Chemistry 1964)."""
    steps = np.arange(count) - count // 2
    return convolved(np.linalg.pinv(np.vander(steps, degree + 1, increasing=True).astype(float))[0])


def one_euro(cutoff: float, beta: float) -> Filter:
    """Filter forward only (Casiez, Roussel and Vogel, CHI 2012). cutoff Hz at rest; beta Hz per inter-ocular distance a second."""

    def run(x: Values) -> Values:
        out = np.empty_like(x)
        last, speed = x[0], np.zeros_like(x[0])
        for k, now in enumerate(x):
            speed = speed + share(1.0) * ((now - last) * RATE - speed)
            last = last + share(cutoff + beta * np.abs(speed)) * (now - last)
            out[k] = last
        return out

    def share(hertz: Values | float) -> Values:
        return np.asarray(1 / (1 + RATE / (2 * np.pi * hertz)))

    return run


def both_ways(forward: Filter) -> Filter:
    """Mean of a filter run forward and run backward: their lags cancel."""
    return lambda x: (forward(x) + forward(x[::-1])[::-1]) / 2


def exponential(kept: float) -> Filter:
    """Keep a share of the last value: a live tool's filter."""

    def run(x: Values) -> Values:
        out = x.copy()
        for k in range(1, len(x)):
            out[k] = kept * out[k - 1] + (1 - kept) * x[k]
        return out

    return run


FILTERS: dict[str, Filter] = {
    "none": lambda x: x,
    "none, one frame late": lambda x: np.concatenate([x[:1], x[:-1]]),
    **{f"Gaussian, sigma {s:g}": (lambda x, s=s: gaussian(x, s)) for s in (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)},
    **{f"Savitzky-Golay, degree 2, {n}": savitzky_golay(n) for n in (5, 7, 9, 13)},
    **{f"moving average, centred, {n}": convolved(np.full(n, 1 / n)) for n in (3, 5, 7)},
    **{f"moving average, trailing, {n}": convolved(np.full(n, 1 / n), centred=False) for n in (3, 5)},
    "exponential, 0.65 kept": exponential(0.65),
    **{f"One-Euro, {c:g} Hz, beta {b:g}": one_euro(c, b) for c, b in ((1.0, 2.0), (1.0, 10.0), (2.0, 10.0), (4.0, 10.0))},
    **{f"One-Euro both ways, {c:g} Hz, beta {b:g}": both_ways(one_euro(c, b)) for c, b in ((1.0, 2.0), (1.0, 10.0), (2.0, 10.0))},
}


def lag(found: Values, true: Values) -> float:
    """Frames by which the motion ``found`` (T, K) comes after ``true``: slope of the phase between their spectra up to 4 Hz."""
    window = np.hanning(len(true) - 1)[:, None]
    spectra = [np.fft.rfft(np.diff(x, axis=0) * window, axis=0) for x in (found, true)]
    turns = np.fft.rfftfreq(len(true) - 1)
    low = (turns > 0) & (turns <= 4 / RATE)
    cross = (spectra[0] * spectra[1].conj()).sum(1)[low]
    weights, turns = np.abs(cross), turns[low]
    return float(-(weights * turns * np.angle(cross)).sum() / (2 * np.pi * (weights * turns**2).sum()))


def shake(off: Values) -> float:
    """RMS second difference over time of an error (T, N, 2)."""
    return float(np.sqrt((np.diff(off, 2, axis=0) ** 2).sum(-1).mean()))


def corners(points: Values) -> Values:
    """Corners of the aligned crop of each frame (T, 4, 2)."""
    square = np.array([[0.0, 0.0], [99.0, 0.0], [99.0, 99.0], [0.0, 99.0]])
    return np.stack([apply(invert(crop_from_frame(Landmarks(p, "ibug68"), 100)), square) for p in points])


def opening(points: Values, pairs: tuple[tuple[int, int], ...]) -> Values:
    """Mean distance over time of pairs of points (T,)."""
    return np.mean([np.hypot(*(points[:, a] - points[:, b]).T) for a, b in pairs], axis=0)


EYES, MOUTH = ((37, 41), (38, 40), (43, 47), (44, 46)), ((61, 67), (62, 66), (63, 65))


def kept(smooth: Values, raw: Values) -> float:
    """Slope of the regression of the smoothed on the unsmoothed motion, both about their means."""
    a, b = smooth - smooth.mean(), raw - raw.mean()
    return float((a * b).sum() / (b * b).sum())


def measure(run: Filter, points: Values, clip: Clip) -> list[float]:
    """One filter on one clip -> jitter of points and crop, error, lag, shares of the eyes' and the mouth's motion kept."""
    unit = clip.eye_distance.mean()
    smooth = run(points / unit) * unit
    off = 100 * (smooth - clip.points)[:, INNER] / unit
    crop = 100 * (corners(smooth) - corners(clip.points)) / unit
    error = np.hypot(*np.moveaxis(off - off.mean(0), -1, 0)).mean()
    late = lag(*(x[:, INNER].reshape(len(x), -1) for x in (smooth, clip.points)))
    share = [kept(opening(smooth, pairs), opening(points, pairs)) for pairs in (EYES, MOUTH)]
    return [shake(off), shake(crop), float(error), late, *share]


def main() -> None:
    """Print the table, means over the clips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--landmarker", default="facemesh")
    asked = parser.parse_args()
    clips = [read_clip(path) for path in asked.clips]
    marks = [np.array(mark([asked.landmarker], clip)[asked.landmarker].points) for clip in clips]
    print(
        f"{asked.landmarker:<34}"
        + "".join(f"{c:>13}" for c in ("jitter", "jitter, crop", "error", "lag", "blink kept", "mouth kept"))
    )
    for name, run in FILTERS.items():
        row = np.mean([measure(run, p, c) for p, c in zip(marks, clips, strict=True)], axis=0)
        print(f"{name:<34}" + "".join(f"{x:13.2f}" for x in row), flush=True)


if __name__ == "__main__":
    main()

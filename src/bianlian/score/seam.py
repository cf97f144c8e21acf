"""Seam ratio: whether an edge shows where the new face is joined to the frame.

Definition: gradient energy of the grey picture on a band of 3 pixels (for a face of 200) to either side of the outline, output
over target. Where another tool's edge lies is not known, so three bands are measured, on the outline and 4 and 8 % of the
face's size inside it, and the largest ratio counts. Ours.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.score.metric import Card, Metric, median, near
from bianlian.score.pair import Grey, Pair

OFFSETS = (0.0, 0.04, 0.08)
"""Depths of the bands, in face sizes."""
HALF = 0.015
"""Half their width, in face sizes; a pixel and a half at least."""
_FLOOR = 4.0  # squared grey levels a pixel, of a band that is as good as flat

CARD = Card(
    name="seam_ratio",
    title="Seam",
    unit="of the target's",
    better="one",
    ideal=1.0,
    says="gradient energy along the face's edge, output over target; the largest of three bands",
    source="gradient energy; ours",
    part="seam",
    bad=4.0,
    good=1.2,
)


def _energy(grey: Grey) -> Grey:
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.125)
    return np.asarray(dx * dx + dy * dy, np.float32)


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    del before
    ours, theirs = (_energy(g) for g in now.greys)
    half = max(HALF, 1.5 / now.region.size)
    bands = [np.abs(now.region.depth - depth) <= half for depth in OFFSETS]
    ratios = [float((ours[b].mean() + _FLOOR) / (theirs[b].mean() + _FLOOR)) for b in bands if b.any()]
    return (max(ratios, default=np.nan),)


METRIC = Metric(CARD, _look, near(1.0, 1e-6, 0.35), value=median)

"""Seam ratio: whether an edge shows where the new face is joined to the frame.

Definition: gradient energy of the grey picture on a band of 3 pixels (for a face of 200) to either side of the outline, output
over target. Where another tool's edge lies is not known, so three bands are measured, on the outline and 4 and 8 % of the
face's size inside it, and the largest ratio counts. Ours.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.score.metric import Card, Metric, median, near
from bianlian.score.pair import Array, Pair, Region, Seen

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


def _energy(seen: Seen, region: Region, where: NDArray[np.intp]) -> Array:
    """Squared gradient of the grey picture at some pixels of the region, by Sobel's operator."""
    dx, dy = (np.asarray(d, np.int16).ravel()[where] / 8 for d in cv2.spatialGradient(region.cut(seen.grey)))
    return np.asarray(dx * dx + dy * dy, np.float64)


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    del before
    half = max(HALF, 1.5 / now.region.size)
    where = np.flatnonzero((now.region.depth >= -half) & (now.region.depth <= OFFSETS[-1] + half))
    depth = now.region.depth.ravel()[where]
    ours, theirs = (_energy(s, now.region, where) for s in (now.out, now.target))
    bands = [np.abs(depth - middle) <= half for middle in OFFSETS]
    ratios = [float((ours[b].mean() + _FLOOR) / (theirs[b].mean() + _FLOOR)) for b in bands if b.any()]
    return (max(ratios, default=np.nan),)


METRIC = Metric(CARD, _look, near(1.0, 1e-6, 0.35), value=median)

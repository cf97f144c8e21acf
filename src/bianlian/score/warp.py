"""Warp ratio: whether the new face flickers.

Definition: the frame before, carried along the target's optical flow (DIS, T. Kroeger et al., ECCV 2016), less this frame: mean
absolute difference inside the inner face, output over target, both raised by half a grey level. After the warping error of W.
Lai et al., "Learning Blind Video Temporal Consistency", ECCV 2018; the ratio, and the absolute difference, are ours. The face
is scaled to a square of 128 pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.score.metric import Card, Metric, median, near
from bianlian.score.pair import Grey, Pair, shrunk

SIDE = 128
"""Side of the square that flow and difference are taken in."""
_FLOOR = 0.5
_GRID = np.stack(np.meshgrid(np.arange(SIDE, dtype=np.float32), np.arange(SIDE, dtype=np.float32)), axis=-1)

CARD = Card(
    name="warp_ratio",
    title="Flicker",
    unit="of the target's",
    better="one",
    ideal=1.0,
    says="what the target's motion leaves unexplained from frame to frame inside the face, output over target",
    source="warping error, Lai et al. 2018",
    part="steadiness",
    bad=3.0,
    good=1.1,
)


def squares(now: Pair, before: Pair, side: int) -> tuple[Grey, Grey, Grey, Grey, Grey]:
    """Cut the place of the face now, out of both frames -> output, target, output before, target before, depth; (side, side)."""
    x1, y1, x2, y2 = now.region.box
    small = [
        np.asarray(shrunk(seen.grey[y1:y2, x1:x2], (side, side)), np.float32)
        for seen in (now.out, now.target, before.out, before.target)
    ]
    depth = np.asarray(cv2.resize(now.region.depth, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    return small[0], small[1], small[2], small[3], depth


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    if before is None:
        return (np.nan,)
    out, target, out_before, target_before, depth = squares(now, before, SIDE)
    inner = depth > 0.02
    if not inner.any():
        return (np.nan,)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    moved = flow.calc(target.astype(np.uint8), target_before.astype(np.uint8), np.zeros((SIDE, SIDE, 2), np.float32))
    x, y = cv2.split(_GRID + np.asarray(moved, np.float32))
    left = []
    for here, earlier in ((out, out_before), (target, target_before)):
        carried = cv2.remap(earlier, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        left.append(float(np.abs(carried - here)[inner].mean()) + _FLOOR)
    return (left[0] / left[1],)


METRIC = Metric(CARD, _look, near(1.0, 1e-6, 0.5), value=median)

"""Colour error: whether the new face has the light and colour of the frame around it.

Definition: distance in CIELAB (CIE 1976) between the mean colour of the inner face in output and target, less what changed just
outside the face, so that a grade of the whole picture is no error. The target's face is the standard, because its neck and ears
stay. A region of more than 128 pixels is shrunk first, which leaves means as they are.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.score.metric import Card, Metric, near
from bianlian.score.pair import Pair, shrunk
from bianlian.types import Image

_CORE, _NEAR, _FAR = 0.06, -0.06, -0.16
_SIDE = 128

CARD = Card(
    name="color_error",
    title="Colour",
    unit="ΔE",
    better="down",
    ideal=0.0,
    says="difference of the face's mean colour from the target's, less what changed around it",
    source="CIE 1976 colour difference",
    part="seam",
    bad=14.0,
    good=2.0,
)


def _lab(part: Image, size: tuple[int, int]) -> NDArray[np.float32]:
    small = np.asarray(shrunk(part, size), np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32)


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    del before
    depth = now.region.depth
    factor = min(1.0, _SIDE / max(depth.shape))
    size = max(1, round(factor * depth.shape[1])), max(1, round(factor * depth.shape[0]))
    depth = np.asarray(cv2.resize(depth, size, interpolation=cv2.INTER_LINEAR), np.float32)
    core, around = depth > _CORE, (depth < _NEAR) & (depth > _FAR)
    if not core.any():
        return (np.nan,)
    change = _lab(now.region.cut(now.out.image), size) - _lab(now.region.cut(now.target.image), size)
    outside = change[around].mean(0) if around.any() else np.zeros(3)
    return (float(np.linalg.norm(change[core].mean(0) - outside)),)


METRIC = Metric(CARD, _look, near(0.0, 1e-6, 2.0))

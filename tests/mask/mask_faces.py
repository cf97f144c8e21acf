"""Where the faces of the demo frames are, so that masks are tested without a landmarker's weights; and a hand before them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.align import template
from bianlian.geometry import apply
from bianlian.types import Image, Landmarks

Bits = NDArray[np.bool_]

PLACES = {
    0: ((2.950, 0.546, 90.816), (-0.546, 2.950, 130.671)),
    20: ((3.066, 0.418, 75.135), (-0.418, 3.066, 127.350)),
    40: ((3.151, 0.445, 34.126), (-0.445, 3.151, 135.325)),
    60: ((3.340, 0.370, 85.190), (-0.370, 3.340, 134.700)),
    80: ((3.324, -0.290, 110.336), (0.290, 3.324, 101.417)),
}
"""Frame of the demo target -> the map from an aligned 100-px crop, as the face mesh found it."""


def landmarks_of(frame: int, scheme: str = "ibug68") -> Landmarks:
    """The mean face where the face of a demo frame is."""
    return Landmarks(apply(np.array(PLACES[frame]), template(scheme, 100)), scheme)


def hand(marks: Landmarks, tone: tuple[int, int, int]) -> tuple[Image, Bits]:
    """Draw a fist with three fingers over mouth and cheek: shaded, with dark lines between the fingers."""
    points = marks.points
    unit = float(np.hypot(*(points[45] - points[36])))
    cover, lines = np.zeros((512, 512), np.uint8), np.zeros((512, 512), np.uint8)
    palm = points[54] + (0.25 * unit, 0.25 * unit)
    for k in range(3):
        tip = palm + unit * np.array([-0.75, (k - 1) * 0.22 - 0.15])
        start = palm + unit * np.array([0, (k - 1) * 0.22])
        for canvas, thick in ((cover, 0.21), (lines, 0.24)):
            ends = [tuple(int(v) for v in p) for p in (start, tip)]
            cv2.line(canvas, ends[0], ends[1], 255, int(thick * unit), cv2.LINE_AA)
        cv2.line(lines, ends[0], ends[1], 0, int(0.18 * unit), cv2.LINE_AA)
    cv2.ellipse(cover, tuple(int(v) for v in palm), (int(0.4 * unit), int(0.5 * unit)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.line(cover, tuple(int(v) for v in palm), (480, 620), 255, int(0.6 * unit), cv2.LINE_AA)
    depth = np.clip(cv2.distanceTransform((cover > 127).astype(np.uint8), cv2.DIST_L2, 3) / (0.15 * unit), 0, 1)
    light = 0.65 + 0.35 * np.sqrt(depth) - 0.3 * (lines > 0)
    return np.clip(np.array(tone) * light[..., None], 0, 255).astype(np.uint8), cover > 127

"""Expression as six numbers read off the 68 points: what eyes, mouth and brows do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import InputError
from bianlian.landmark.schemes import convert
from bianlian.types import Landmarks, Points

RIGHT_EYE, LEFT_EYE, MOUTH, WIDTH, CORNERS, BROWS = range(6)
"""Columns: opening of the person's right and left eye, opening and width of the mouth, how far its corners are raised over its
middle, and how far the brows are raised over the eyes."""
NAMES = ("right eye", "left eye", "mouth", "mouth width", "corners", "brows")


def expression(landmarks: Landmarks, width: float) -> NDArray[np.float64]:
    """Measure the expression -> (6,), each in shares of the width of a frontal face; zeros for schemes without the 68 points.

    landmarks: in an aligned crop, so that a tilted head is level. width: of a frontal outline in the same pixels.
    """
    try:
        p = convert(landmarks, "ibug68").points / width
    except InputError:
        return np.zeros(6)
    corners, middle = (p[48] + p[54]) / 2, (p[62] + p[66]) / 2
    brows = p[[37, 38, 43, 44], 1].mean() - p[[19, 20, 23, 24], 1].mean()
    return np.array(
        [
            (_far(p, 37, 41) + _far(p, 38, 40)) / 2,
            (_far(p, 43, 47) + _far(p, 44, 46)) / 2,
            (_far(p, 61, 67) + _far(p, 62, 66) + _far(p, 63, 65)) / 3,
            _far(p, 48, 54),
            float(middle[1] - corners[1]),
            float(brows),
        ]
    )


def _far(p: Points, a: int, b: int) -> float:
    return float(np.hypot(*(p[a] - p[b])))

"""Turn the head on a photo a little: what the other side of a pose may look like, from one picture.

The 68 points get the depth of the mean head (``landmark.pose``) in the pose that explains them, are rotated, and take the picture
along by a thin-plate spline (F. L. Bookstein, "Principal warps", IEEE PAMI 1989) whose border stands still. Nothing that is hidden
is made up, so this holds for some 20 degrees; hair and ears beside the face get stretched.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.geometry import thin_plate
from bianlian.landmark.pose import HEAD68, head_rotation
from bianlian.types import Image, Landmarks, Points

GRID = 40
"""Points a side at which the spline is evaluated; it is smooth between them."""
EDGE = 5
"""Points of each of the picture's sides that stand still."""


def turned(points: Points, yaw: float, pitch: float) -> Points:
    """Rotate a head about its middle. points: (68, 2) iBUG, pixels; yaw, pitch: degrees, as ``head_pose`` counts -> (68, 2)."""
    y, p = np.radians([yaw, pitch])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    middle = points.mean(0)
    solid = np.column_stack([points - middle, _depth(points)])
    return np.asarray((solid @ (about_y @ about_x).T)[:, :2] + middle)


def carried(image: Image, points: Points, moved: Points) -> Image:
    """Warp a square picture (S, S, 3) so that what lies at ``points`` comes to lie at ``moved``, both (N, 2) pixels."""
    side = len(image)
    ends = np.linspace(0, side - 1, EDGE)
    still = [(x, y) for x in ends for y in ends if x in (0, side - 1) or y in (0, side - 1)]
    push = thin_plate(np.vstack([moved, still]) / side, np.vstack([points - moved, np.zeros((len(still), 2))]), GRID)
    wide = np.asarray(cv2.resize(push, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    warped = cv2.remap(image, x + wide[..., 0], y + wide[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _depth(points: Points) -> NDArray[np.float64]:
    """Give each point the mean head's distance from the viewer, in pixels, about 0 -> (68,)."""
    head = np.array(HEAD68)
    seen = (head - head.mean(0)) @ head_rotation(Landmarks(points, "ibug68")).T
    flat = points - points.mean(0)
    scale = (flat * seen[:, :2]).sum() / (seen[:, :2] ** 2).sum()
    return np.asarray(scale * seen[:, 2])

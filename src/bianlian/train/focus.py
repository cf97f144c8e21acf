"""Where errors count: a weight for each pixel of a crop, high on the face, highest on eyes and mouth."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.landmark.schemes import LEFT_EYE, RIGHT_EYE
from bianlian.types import Mask, Points

OUTSIDE, FACE, DETAIL = 0.1, 1.0, 3.0
"""Weight outside the face, on it, and on eyes and mouth. Only the face is pasted, so what lies outside counts little; eyes and
mouth carry the expression but cover only a tenth of the face."""


def focus_map(points: Points, size: int) -> Mask:
    """Draw the weights of one crop.

    points: (68, 2) iBUG landmarks in crop pixels; size: side of the crop -> (S, S) float32 in [0.1, 3].
    """
    face = _filled(points, size)
    grown = cv2.dilate(face, np.ones((3, 3), np.uint8), iterations=max(1, size // 40))
    detail = np.zeros((size, size), np.uint8)
    for part, grow in ((RIGHT_EYE, 0.05), (LEFT_EYE, 0.05), (slice(48, 60), 0.03)):
        radius = max(1, round(size * grow))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        detail |= np.asarray(cv2.dilate(_filled(points[part], size), kernel), np.uint8)
    soft = size / 64
    face_weight = cv2.GaussianBlur(grown.astype(np.float32), (0, 0), soft)
    detail_weight = cv2.GaussianBlur(detail.astype(np.float32), (0, 0), soft)
    return np.asarray(OUTSIDE + (FACE - OUTSIDE) * face_weight + (DETAIL - FACE) * detail_weight, np.float32)


def eye_map(points: Points, size: int) -> Mask:
    """Draw the eyes of one crop, widened and softened: a 13x13 dilation and a 7x7 Gaussian where the crop is 160 pixels wide.

    points: (68, 2) iBUG landmarks in crop pixels; size: side of the crop -> (S, S) float32 in [0, 1].
    """
    dilate, blur = (max(1, 2 * round((side * size / 160 - 1) / 2) + 1) for side in (13, 7))
    eyes = _filled(points[RIGHT_EYE], size) | _filled(points[LEFT_EYE], size)
    wide = np.asarray(cv2.dilate(eyes, np.ones((dilate, dilate), np.uint8)), np.float32)
    return np.asarray(cv2.GaussianBlur(wide, (blur, blur), 0), np.float32)


def eye_centres(points: Points) -> Points:
    """Give the middles of both eyes, the one on the image's left first: (68, 2) -> (2, 2), in the same pixels."""
    return np.stack([points[eye].mean(0) for eye in (RIGHT_EYE, LEFT_EYE)])


def _filled(points: Points, size: int) -> NDArray[np.uint8]:
    canvas = np.zeros((size, size), np.uint8)
    hull = cv2.convexHull(np.round(points).astype(np.int32).reshape(-1, 1, 2))
    cv2.fillConvexPoly(canvas, hull, 1)
    return canvas

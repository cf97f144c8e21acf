"""Where an upright picture of a face lies in its frame, from whatever is known of the face: points, or only its box.

The measure is the mean head of ``landmark.pose`` seen from the front: its outline is one unit wide, its origin the top of the nose.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bianlian.geometry import umeyama
from bianlian.landmark.pose import HEAD68
from bianlian.landmark.schemes import INNER, convert, five_of
from bianlian.types import Face, Landmarks, Matrix, Points

_FRONT: Points = np.array(HEAD68, np.float64)[:, :2]
_BOX = np.concatenate([_FRONT.min(0), _FRONT.max(0)])


def head_from_face(face: Face) -> Matrix:
    """Fit the similarity (2, 3) from frame pixels to the mean head's units; an upright head where only a box is known.

    Raises InputError for landmarks that all coincide.
    """
    if face.landmarks is not None:
        return head_from_points(face.landmarks)
    middle = (face.box[:2] + face.box[2:]) / 2
    scale = float((_BOX[2:] - _BOX[:2]).sum() / (face.box[2:] - face.box[:2]).sum())
    return np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]]) + np.outer((_BOX[:2] + _BOX[2:]) / 2 - scale * middle, [0.0, 0.0, 1.0])


def head_from_points(landmarks: Landmarks) -> Matrix:
    """Fit the similarity (2, 3) from frame pixels to the mean head's units: by the inner 51 of the 68 points, or by the five."""
    if landmarks.scheme == "five":
        return umeyama(landmarks.points, five_of(_FRONT))
    return umeyama(convert(landmarks, "ibug68").points[INNER], _FRONT[INNER])


def settle(face: Face, look: Callable[[Matrix], tuple[Landmarks, float]], passes: int) -> tuple[Landmarks, float] | None:
    """Look at a face ``passes`` times, each time where the look before it found the head -> the last answer.

    look: takes where the head lies (``head_from_face``), gives 68 points in the frame and a number of its own. None when all
    points fall on one line: no head can be placed by them.
    """
    head = head_from_face(face)
    for _ in range(passes):
        landmarks, number = look(head)
        if np.ptp(landmarks.points, axis=0).min() < 1e-6:
            return None
        head = head_from_points(landmarks)
    return landmarks, number


def misfit(landmarks: Landmarks) -> float:
    """Tell how far 68 points are from the mean head after the best similarity: RMS of the inner 51, in outline widths."""
    points = landmarks.points[INNER]
    placed = head_from_points(landmarks)
    off = points @ placed[:, :2].T + placed[:, 2] - _FRONT[INNER]
    return float(np.sqrt((off**2).sum(1).mean()))


def square_from_head(middle: tuple[float, float], side: float, pixels: int) -> Matrix:
    """Map a square of the mean head's units, by its middle and side, to a picture of ``pixels`` x ``pixels`` -> (2, 3)."""
    scale = pixels / side
    shift = (pixels - 1) / 2 - scale * np.array(middle)
    return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])

"""Landmark schemes and the exact maps between them: 478 -> 468 -> 68 -> 5 points, each step an index or a mean of points.

``IBUG68_FROM_MESH`` names, for each of the 68 iBUG points, the face-mesh vertex that lies nearest to it over 500 rendered heads
of known geometry turned up to 35 degrees, chosen symmetrically left and right (mean error of the inner 51 points: 3.1 % of the
inter-ocular distance; 3.9 % for the assignment that is commonly used). Eye corners and the middle of the inner lips keep the
vertices whose meaning is exact.
"""

from __future__ import annotations

import numpy as np

from bianlian.errors import InputError
from bianlian.types import SCHEMES, Landmarks, Points

IBUG68_FROM_MESH: tuple[int, ...] = (
    *(127, 234, 93, 215, 172, 150, 149, 148, 152, 377, 378, 379, 397, 435, 323, 454, 356),  # jaw, image left to right
    *(70, 63, 105, 65, 55),  # right brow
    *(285, 295, 334, 293, 300),  # left brow
    *(6, 197, 5, 4),  # bridge of the nose
    *(98, 97, 2, 326, 327),  # base of the nose
    *(33, 160, 158, 133, 153, 144),  # right eye
    *(362, 385, 387, 263, 373, 380),  # left eye
    *(61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91),  # outer lips
    *(78, 81, 13, 311, 308, 402, 14, 178),  # inner lips
)
"""Mesh vertex of each iBUG point."""

RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
"""Rows of the eyes in the 68 points; "right" is the person's own right, which is left in the picture."""
INNER = slice(17, 68)
"""Rows of the points inside the outline (brows, nose, eyes, mouth): 51 points that do not slide when the head turns."""

MIRRORED68: tuple[int, ...] = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
)
"""Which of the 68 iBUG points each becomes in a mirrored picture."""

RIGHT_IRIS, LEFT_IRIS = slice(468, 473), slice(473, 478)
"""Rows of the irises in ``mesh478``: the middle, then its edge towards the nose, above, towards the temple, below."""
FIVE_FROM_IBUG68: tuple[tuple[int, ...], ...] = (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,))
"""The points of the 68 whose mean each of the five is."""


def convert(landmarks: Landmarks, scheme: str) -> Landmarks:
    """Convert to another scheme: mesh478 -> mesh468 -> ibug68 -> five.

    Raises InputError where points are missing, and for a scheme that is none.
    """
    if scheme not in SCHEMES:
        raise InputError(f"there is no landmark scheme {scheme!r}; there are {', '.join(SCHEMES)}")
    if landmarks.scheme == scheme:
        return landmarks
    p = landmarks.points
    if landmarks.scheme == "mesh478" and scheme == "mesh468":
        return Landmarks(p[:468], "mesh468")
    if landmarks.scheme in ("mesh468", "mesh478") and scheme == "ibug68":
        return Landmarks(p[list(IBUG68_FROM_MESH)], "ibug68")
    if landmarks.scheme != "five" and scheme == "five":
        return Landmarks(five_of(convert(landmarks, "ibug68").points), "five")
    raise InputError(f"{landmarks.scheme} landmarks hold too few points for {scheme}; use a landmarker that gives {scheme}")


def five_of(points68: Points) -> Points:
    """Reduce the 68 points (68, 2) to the five (5, 2)."""
    return np.stack([points68[list(rows)].mean(0) for rows in FIVE_FROM_IBUG68])

"""What a frontal photo says about a head: points of known vertices, jaw, brows, eyes; by the package's own landmarks.

``VERTEX_FROM_MESH`` names, for each point of the face mesh, the vertex of the head model that lies under it: that of the least mean
distance over 240 rendered heads turned up to 15 degrees (1.9 % of the eye distance in the mean; ``bench/tools/mesh_map.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bianlian.actors.layout import Side
from bianlian.errors import InputError
from bianlian.landmark.regions import REGIONS, Region
from bianlian.landmark.schemes import LEFT_IRIS, RIGHT_IRIS
from bianlian.types import Landmarks, Points

VERTEX_FROM_MESH: tuple[int, ...] = (
    *(2, 4553, 1147, 4551, 4857, 4840, 971, 571, 2052, 2138, 1643, 5525, 5523, 5522, 5517, 5516, 5514, 5518),
    *(10, 4554, 5500, 304, 1097, 1100, 1107, 1627, 1351, 561, 1923, 1017, 1939, 1188, 499, 569, 1638, 31),
    *(2171, 2081, 5710, 147, 5637, 5629, 5568, 457, 4590, 5505, 387, 1340, 4867, 4851, 1204, 5509, 484, 495),
    *(1869, 1401, 698, 175, 370, 4564, 2088, 5681, 5599, 493, 4869, 1416, 1418, 1817, 1749, 1421, 1950, 1754),
    *(5763, 5692, 5590, 70, 5919, 5677, 5548, 4783, 5636, 5602, 6039, 449, 5976, 5978, 5979, 5981, 5576, 5804),
    *(5777, 5826, 167, 1892, 4949, 5570, 5580, 2075, 1268, 2087, 945, 1162, 4853, 475, 478, 481, 185, 1431),
    *(1739, 1426, 1116, 867, 596, 554, 4468, 4864, 1656, 16, 1150, 2148, 2144, 4460, 1306, 1660, 56, 4594),
    *(88, 1640, 4477, 64, 724, 4754, 377, 626, 4567, 760, 770, 1215, 1458, 1759, 798, 4936, 75, 1182),
    *(581, 1554, 5732, 2093, 1497, 2199, 1673, 975, 966, 1518, 1391, 623, 240, 619, 1045, 609, 605, 1933),
    *(1878, 588, 4, 1653, 4586, 2085, 2013, 764, 260, 1448, 1719, 1370, 4503, 963, 801, 379, 5858, 5849),
    *(5824, 5870, 5907, 5574, 5598, 5652, 170, 942, 4480, 522, 1366, 5640, 363, 9, 397, 979, 4516, 4527),
    *(952, 964, 8, 1452, 1409, 2174, 212, 30, 19, 18, 1450, 959, 773, 391, 188, 359, 213, 368),
    *(182, 4507, 4771, 4580, 5017, 1992, 524, 1972, 1014, 98, 537, 1195, 2190, 1157, 1083, 1067, 1056, 4443),
    *(1888, 4561, 2089, 4977, 5501, 4976, 68, 5500, 4935, 2067, 929, 1319, 980, 706, 4531, 3722, 5059, 2545),
    *(3322, 3320, 3327, 3836, 3597, 2802, 4123, 3237, 4139, 3406, 3015, 3760, 3968, 2276, 3383, 4264, 6544, 2387),
    *(6142, 6133, 6093, 2699, 5055, 5317, 4147, 4418, 5235, 5309, 3418, 5480, 2725, 2737, 4069, 3615, 2940, 2407),
    *(2478, 5028, 4270, 6425, 6066, 2734, 5047, 2368, 3632, 4020, 3952, 3635, 3216, 3957, 6546, 6196, 6139, 2311),
    *(6104, 6398, 6229, 5467, 6110, 6159, 6529, 3649, 6508, 6510, 6512, 6485, 6113, 6327, 6298, 6312, 2642, 4092),
    *(6308, 6075, 3364, 3486, 4269, 3185, 3381, 5228, 2716, 2719, 2722, 2426, 3645, 3942, 3640, 3336, 3109, 4422),
    *(2794, 4469, 5232, 2663, 2257, 3369, 4340, 4337, 4465, 3524, 3867, 2297, 5058, 3194, 3849, 4476, 5208, 2951),
    *(5307, 2618, 3129, 5474, 3175, 3004, 3433, 3672, 4302, 3039, 5087, 2316, 3400, 2822, 3729, 6396, 4287, 3711),
    *(4390, 3880, 3732, 3606, 4428, 2481, 2860, 4131, 3754, 3757, 4132, 4078, 2828, 3860, 5080, 4267, 4394, 2500),
    *(3712, 2999, 3585, 4500, 3042, 2620, 6372, 6365, 6356, 6474, 6412, 6078, 6090, 6130, 2411, 3182, 3525, 2763),
    *(3580, 6145, 2604, 2361, 2638, 4529, 5038, 3666, 3623, 4368, 2453, 2271, 2260, 2259, 3664, 5199, 3013, 2633),
    *(2430, 3871, 2454, 2610, 2423, 4508, 5246, 5050, 5434, 4192, 2765, 4172, 3234, 2339, 2778, 3413, 4382, 3376),
    *(3303, 3281, 3276, 4442, 4088, 5027, 4283, 5239, 5056, 5239, 2310, 5056, 5075, 4261, 3545, 3536, 3759, 2947),
)
"""Vertex of the head model under each point of the face mesh."""
JAW_POINTS = 200
"""Points of a jaw line."""
_TRUST = 0.4
"""Weight of a point of the mesh beside that of a landmark set by hand, of which there are fewer."""
_OUTLINE = REGIONS["mesh478"]["face"]
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)


@dataclass(frozen=True, eq=False)
class EyeMarks:
    """One eye. pupil (2,); iris: its radius, pixels; opening (N, 2): the edge of the lids, a polygon."""

    pupil: NDArray[np.float64]
    iris: float
    opening: Points


@dataclass(frozen=True, eq=False)
class Marks:
    """What is known of a face, pixels of its photo.

    vertices (N,): of the head model, points (N, 2): where they are, weights (N,): how sure that is. jaw (M, 2): the line from the
    ear on the image left, by the chin, to the other one. brows (K, 2): points on both, from the image left. eyes: of both sides.
    """

    vertices: NDArray[np.int64]
    points: Points
    weights: NDArray[np.float64]
    jaw: Points
    brows: Points
    eyes: Mapping[Side, EyeMarks]


def marks_of(landmarks: Landmarks) -> Marks:
    """Take marks from the points of a face mesh with irises. Raises InputError for another scheme."""
    if landmarks.scheme != "mesh478":
        raise InputError(f"a photo is fitted by mesh478 landmarks, got {landmarks.scheme}; use the landmarker facemesh478")
    p = landmarks.points
    inside = np.setdiff1d(np.arange(468), _OUTLINE)
    chin = _OUTLINE.index(152)
    left, right = _OUTLINE.index(127), _OUTLINE.index(356)
    assert right < chin < left
    jaw = p[list(_OUTLINE[right : left + 1])][::-1]
    eyes = {"image_left": _eye(landmarks, "right_eye", RIGHT_IRIS), "image_right": _eye(landmarks, "left_eye", LEFT_IRIS)}
    weights = np.full(len(inside), _TRUST)
    return Marks(np.array(VERTEX_FROM_MESH)[inside], p[inside], weights, resample(jaw, JAW_POINTS), p[list(_BROWS)], eyes)  # type: ignore[arg-type]


def resample(points: Points, count: int) -> Points:
    """Set points at equal steps along a line (N, 2) -> (count, 2)."""
    steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0.0, steps[-1], count)
    return np.stack([np.interp(at, steps, points[:, k]) for k in range(2)], 1)


def _eye(landmarks: Landmarks, region: Region, iris: slice) -> EyeMarks:
    middle, *edge = landmarks.points[iris]
    ring = landmarks.points[list(REGIONS["mesh478"][region])]
    return EyeMarks(middle, float(np.linalg.norm(np.stack(edge) - middle, axis=1).mean()), ring)

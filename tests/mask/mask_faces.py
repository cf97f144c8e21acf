"""Where the faces of the demo frames are, so that masks are tested without a landmarker's weights."""

from __future__ import annotations

import numpy as np

from bianlian.align import template
from bianlian.geometry import apply
from bianlian.types import Landmarks

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

"""Move the vertices of a head: expressions, and a head that turns on shoulders that hardly do; compiled loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bianlian.actors._numba import compiled
from bianlian.actors.raster import Floats

NECK = (0.0, -9.0, -7.0)
"""What the shoulders turn about, from the middle of the landmarks, in the model's units."""
_STIFF = (-14.0, -7.0)
"""Heights between which the shoulders become the head."""


@compiled
def add_shapes(vertices: Floats, weights: Floats, begins: NDArray[np.int64], rows: NDArray[np.int32], moves: Floats) -> Floats:
    """Add weighted shapes (see ``head``) to vertices (V, 3) -> (V, 3)."""
    out = vertices.copy()
    for k in range(weights.shape[0]):
        if weights[k] > 1e-3:
            for i in range(begins[k], begins[k + 1]):
                for j in range(3):
                    out[rows[i], j] += weights[k] * moves[i, j]
    return out


@compiled
def turn_on_shoulders(vertices: Floats, centre: Floats, turn: Floats, body: Floats, neck: Floats, sway: Floats) -> Floats:
    """Turn the head by ``turn`` and the shoulders by ``body``, smoothly between. (V, 3), matrices (3, 3), shifts (3,) -> (V, 3).

    centre: of the head, which becomes the origin; sway: where it then goes.
    """
    out = np.empty_like(vertices)
    held = np.empty(3, np.float32)
    for j in range(3):  # a product of matrices would want SciPy here
        held[j] = turn[j, 0] * neck[0] + turn[j, 1] * neck[1] + turn[j, 2] * neck[2]
    low, span = np.float32(_STIFF[0]), np.float32(_STIFF[1] - _STIFF[0])
    for i in range(vertices.shape[0]):
        x, y, z = vertices[i, 0] - centre[0], vertices[i, 1] - centre[1], vertices[i, 2] - centre[2]
        t = min(max((y - low) / span, np.float32(0)), np.float32(1))
        stiff = t * t * (np.float32(3) - np.float32(2) * t)
        for j in range(3):
            head = turn[j, 0] * x + turn[j, 1] * y + turn[j, 2] * z
            torso = body[j, 0] * (x - neck[0]) + body[j, 1] * (y - neck[1]) + body[j, 2] * (z - neck[2]) + held[j]
            out[i, j] = stiff * head + (np.float32(1) - stiff) * torso + sway[j]
    return out

"""Fit the head model to the marks of a photo: camera, shape, and what the shape cannot say as shifts of the landmarks.

Weak perspective, alternating: the camera by least squares, the closest points of the jaw line for the jaw's landmarks (P. Besl and
N. McKay, "A method for registration of 3-D shapes", PAMI 1992), then the shape by regularised least squares, as in V. Blanz and
T. Vetter, "A morphable model for the synthesis of 3D faces", SIGGRAPH 1999, without its texture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bianlian.actors.bank import Fitted
from bianlian.actors.head import Head
from bianlian.actors.marks import Marks

ROUNDS, PRIOR = 12, 0.7
"""Rounds of camera and shape, and the weight of the mean face against the marks."""
_JAW_WEIGHT, _NOSE_WEIGHT = 0.5, 0.3
_NEAR = 0.5
"""Standard deviation, in the model's units, of the bell by which marks speak for the landmarks around them."""
_MOST = 3.0
"""Standard deviations that a coefficient may reach."""
Floats = NDArray[np.float64]


def fit(head: Head, marks: Marks) -> Fitted:
    """Fit a head. Marks that hardly fit show in the error that comes along."""
    rows = np.concatenate([marks.vertices, head.landmarks[:17]])
    up = np.array([1.0, -1.0])
    jaw, goal = marks.jaw * up, np.concatenate([marks.points, np.zeros((17, 2))]) * up
    weights = np.concatenate([marks.weights, np.full(17, _JAW_WEIGHT)])
    sure = np.concatenate([marks.weights, np.zeros(17)])
    basis, neutral = head.identity[:, rows].astype(np.float64), head.neutral[rows].astype(np.float64)
    coefficients = np.zeros(len(basis))
    for k in range(ROUNDS):
        shape = neutral + np.tensordot(coefficients, basis, 1)
        scale, turn, shift = _camera(shape, goal, weights if k else sure)
        seen = scale * shape[-17:] @ turn[:2].T + shift
        goal[-17:] = jaw[np.linalg.norm(seen[:, None] - jaw, axis=2).argmin(1)]
        coefficients = _shape(neutral, basis, goal, weights, scale, turn[:2], shift)
    shape = neutral + np.tensordot(coefficients, basis, 1)
    rest = (goal - (scale * shape @ turn[:2].T + shift)) / scale
    eyes = scale * (head.neutral[head.landmarks[[36, 45]]] @ turn[:2].T)
    error = np.linalg.norm(rest[:-17], axis=1).mean() * scale / np.linalg.norm(eyes[0] - eyes[1])
    offsets = _at_landmarks(head, rows, rest) @ turn[:2]
    found = [np.asarray(x, np.float32) for x in (coefficients, offsets, turn, shift)]
    return Fitted(found[0], found[1], scale, found[2], found[3], float(error))


def _camera(shape: Floats, goal: Floats, weights: Floats) -> tuple[float, Floats, Floats]:
    """Fit a weak perspective -> scale, rotation (3, 3), shift (2,)."""
    w = weights[:, None]
    middle, there = (shape * w).sum(0) / w.sum(), (goal * w).sum(0) / w.sum()
    affine = np.linalg.lstsq((shape - middle) * np.sqrt(w), (goal - there) * np.sqrt(w), rcond=None)[0].T
    scale = float(np.linalg.norm(affine, axis=1).mean())
    u, _, vt = np.linalg.svd(affine / scale, full_matrices=False)
    rows = u @ vt
    return scale, np.vstack([rows, np.cross(rows[0], rows[1])]), there - scale * rows @ middle


def _shape(
    neutral: Floats, basis: Floats, goal: Floats, weights: Floats, scale: float, turn: Floats, shift: Floats
) -> Floats:  # fmt: skip
    """Solve for the coefficients (K,). turn (2, 3)."""
    columns = np.einsum("ij,kvj->vik", turn * scale, basis).reshape(-1, len(basis))
    rest = (goal - (scale * neutral @ turn.T + shift)).reshape(-1)
    row = np.repeat(weights, 2) / scale
    a, b = columns * row[:, None], rest * row
    return np.clip(np.linalg.solve(a.T @ a + PRIOR * np.eye(len(basis)), a.T @ b), -_MOST, _MOST)


def _at_landmarks(head: Head, rows: NDArray[np.int64], rest: Floats) -> Floats:
    """Say how far each landmark is off (68, 2), by the marks around it; the jaw's by their own."""
    between = ((head.neutral[head.landmarks][:, None] - head.neutral[rows[:-17]]) ** 2).sum(2)
    bell = np.exp(-(between - between.min(1, keepdims=True)) / (2 * _NEAR**2))
    out = bell @ rest[:-17] / bell.sum(1, keepdims=True)
    out[:17] = rest[-17:]
    out[27:31] *= _NOSE_WEIGHT
    return np.asarray(out)

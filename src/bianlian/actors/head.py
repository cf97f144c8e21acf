"""The morphable head: what all people share, and the shapes and expressions that it can take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray

from bianlian.actors import layout
from bianlian.actors.atlas import Atlas, corner_texels
from bianlian.actors.ict import HeadModel
from bianlian.actors.layout import PARTS, SIDES, VERTICES, Side
from bianlian.actors.motion import add_shapes
from bianlian.errors import InputError

Vertices = NDArray[np.float32]
"""(V, 3) in head space, V = ``layout.VERTICES``."""
REACH = 1.3
"""Standard deviation of the bell with which the shift of a landmark spreads over the head, in its units."""
_FIRM = 0.15
"""How far neighbouring landmarks give way to each other."""


@final
class Head:
    """Geometry that everyone shares. kind, inner, plain: of each triangle, see ``shade``; landmarks (68,): their vertices."""

    def __init__(self, model: HeadModel) -> None:
        self.neutral: Vertices = np.ascontiguousarray(model.neutral[:VERTICES])
        self.identity = np.ascontiguousarray(model.identity[:, :VERTICES])
        self.landmarks = model.landmarks
        self.expressions = {name: k for k, name in enumerate(model.expression_names)}
        self._shapes = _sparse(model.expression[:, :VERTICES])
        drawn = _drawn(model.triangles)
        self.triangles = np.ascontiguousarray(model.triangles[drawn])
        part = _parts()[self.triangles[:, 0]]
        self.kind = np.where(part <= 1, layout.SKIN, np.where(part >= 7, layout.EYEBALL, layout.PLAIN)).astype(np.uint8)
        self.inner = ((self.triangles < layout.INNER_FACE).all(1) | (part >= 2)).astype(np.uint8)
        self.plain = np.array([layout.COLOURS.get(n, (0, 0, 0)) for n in PARTS], np.float32)[part]
        self.eyes = {side: slice(PARTS[f"eye_{side}"][0], PARTS[f"eye_{side}"][1] + 1) for side in SIDES}
        texels = corner_texels(model.texture[model.texture_triangles[drawn]], self.triangles, self.neutral)
        self.atlas = Atlas(self.neutral, self.triangles, self.kind, self.inner, texels, self.landmarks)
        at = self.neutral[self.landmarks]
        self._spread = np.exp(-((self.neutral[:, None] - at) ** 2).sum(2) / (2 * REACH**2)).astype(np.float32)
        self._give = np.linalg.inv(self._spread[self.landmarks].astype(np.float64) + _FIRM * np.eye(68))

    def shape(self, coefficients: NDArray[np.floating], offsets: NDArray[np.floating] | None = None) -> Vertices:
        """Shape a neutral head. coefficients (K,): of the model's shapes; offsets (68, 3): of the landmarks, in its units."""
        vertices = self.neutral + np.tensordot(coefficients.astype(np.float32), self.identity, 1)
        if offsets is not None:
            vertices += self._spread @ (self._give @ offsets).astype(np.float32)
        return np.asarray(vertices, np.float32)

    def weights(self, expression: Mapping[str, float]) -> NDArray[np.float32]:
        """Write weights by name as (E,). Raises InputError for a name that the model does not know."""
        unknown = sorted(expression.keys() - self.expressions.keys())
        if unknown:
            raise InputError(f"the head model has no expression {unknown[0]!r}; it has {', '.join(self.expressions)}")
        row = np.zeros(len(self.expressions), np.float32)
        for name, weight in expression.items():
            row[self.expressions[name]] = weight
        return row

    def pose(self, vertices: Vertices, weights: NDArray[np.float32], gaze: tuple[float, float] = (0.0, 0.0)) -> Vertices:
        """Give a neutral head an expression. weights (E,); gaze: yaw to the image right and pitch down, degrees."""
        posed = add_shapes(vertices, weights, *self._shapes)
        if any(gaze):
            turn = rotation(gaze[0], gaze[1], 0.0).astype(np.float32)
            for rows in self.eyes.values():
                ball = vertices[rows]
                centre = (ball.min(0) + ball.max(0)) / 2
                posed[rows] = (posed[rows] - centre) @ turn.T + centre
        return posed

    def eyeball(self, vertices: Vertices, side: Side) -> tuple[NDArray[np.float32], float]:
        """Find the centre (3,) and the radius of an eyeball."""
        low, high = vertices[self.eyes[side]].min(0), vertices[self.eyes[side]].max(0)
        return (low + high) / 2, float((high - low)[:2].mean() / 2)


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Turn by degrees -> (3, 3): yaw > 0 to the image right, pitch > 0 down, roll > 0 counter-clockwise; pitch is done first."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    return np.asarray(about_z @ about_y @ about_x)


def _parts() -> NDArray[np.int32]:
    """Number of the part of each vertex."""
    part = np.zeros(VERTICES, np.int32)
    for k, (first, last) in enumerate(PARTS.values()):
        part[first : last + 1] = k
    return part


def _drawn(triangles: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell which triangles are drawn: those of the parts, and of each eyeball the outer shell alone."""
    drawn = (triangles < VERTICES).all(1)
    for side in SIDES:
        first, last = PARTS[f"eye_{side}"]
        drawn &= ~((triangles[:, 0] >= first + layout.EYE_SHELL) & (triangles[:, 0] <= last))
    return np.asarray(drawn)


def _sparse(shapes: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Keep of each shape (E, V, 3) the vertices that it moves -> where each begins (E + 1,), the vertices, their moves."""
    reach = [np.flatnonzero(np.abs(shape).max(1) > 1e-4).astype(np.int32) for shape in shapes]
    begins = np.cumsum([0, *map(len, reach)])
    moves = [shape[rows] for shape, rows in zip(shapes, reach, strict=True)]
    return begins, np.concatenate(reach), np.ascontiguousarray(np.concatenate(moves), np.float32)

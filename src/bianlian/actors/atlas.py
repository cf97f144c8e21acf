"""The texture space that all heads share: from vertices to texels, and the weights by which people are combined."""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar, final

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.actors.layout import (
    ATLAS_HEIGHT,
    ATLAS_WIDTH,
    EYE_ORIGIN,
    EYE_SPAN,
    EYE_TILE,
    FACE_TILE,
    HEAD_TILE,
    INNER_FACE,
    PARTS,
    SIDES,
    SKIN,
    SKIN_VERTICES,
    VERTICES,
)
from bianlian.actors.raster import Floats, interpolate, rasterise

Value = TypeVar("Value", bound=np.generic)
Texture = NDArray[np.uint8]
"""(768, 1152, 3) RGB, see ``layout``."""


@final
class Atlas:
    """Texture space of the head. corner_uv (F, 3, 2): texels of each triangle's corners; skin: rows of the triangles of skin."""

    def __init__(
        self,
        neutral: Floats,
        triangles: NDArray[np.int32],
        kind: NDArray[np.uint8],
        inner: NDArray[np.uint8],
        corner_uv: Floats,
        landmarks: NDArray[np.int64],
    ) -> None:
        self._neutral, self._inner, self._landmarks = neutral, inner, landmarks
        self.corner_uv, self.skin = corner_uv, np.flatnonzero(kind == SKIN)
        self.skin_triangles = np.ascontiguousarray(triangles[self.skin])
        self._texels = corner_uv[self.skin].reshape(-1, 2).astype(np.float64)
        self._own = np.arange(len(self._texels), dtype=np.int32).reshape(-1, 3)
        self._triangles = triangles

    @cached_property
    def index(self) -> NDArray[np.int32]:
        """Row in ``skin`` of the triangle at each texel, -1 between the charts; (H, W)."""
        depth = np.zeros(len(self._texels))
        return rasterise(self._texels, depth, self._own, ATLAS_HEIGHT, ATLAS_WIDTH, False)[0]

    @cached_property
    def edges(self) -> NDArray[np.int32]:
        """Pairs of neighbouring vertices of the skin (E, 2)."""
        corners = self.skin_triangles
        pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
        return np.asarray(np.unique(np.sort(pairs, 1), axis=0), np.int32)

    @cached_property
    def texel(self) -> NDArray[np.float32]:
        """Texel (x, y) of each vertex (V, 2), of one of its corners where a seam passes."""
        spot = np.zeros((VERTICES, 2), np.float32)
        spot[self._triangles] = self.corner_uv
        return spot

    def at_texels(self, values: NDArray[np.floating]) -> Floats:
        """Spread values of vertices (V, C) over the texture -> (H, W, C); the nearest one between the charts."""
        corners = np.ascontiguousarray(values[self.skin_triangles], np.float32)
        drawn = interpolate(self.index, self._texels, self._own, corners)
        return np.asarray(fill_nearest(drawn, self.index >= 0), np.float32)

    @cached_property
    def hair(self) -> Floats:
        """Weight of scalp and back of the head at each vertex (V,), in [0, 1]."""
        n = self._neutral
        brow = float(n[self._landmarks[17:27], 1].mean())
        behind = smoothstep(-n[:, 2], -1.5, 1.5) * smoothstep(n[:, 1], -4.0, 0.0)
        return np.asarray(np.maximum(smoothstep(n[:, 1], brow + 1.3, brow + 3.6), behind), np.float32)

    @cached_property
    def inner_face(self) -> Floats:
        """Weight of the inner face at each vertex (V,), 1 in its middle, 0 at its edge, where skins are joined."""
        n, weight = self._neutral, np.zeros(VERTICES, np.float32)
        rim = np.unique(self.skin_triangles[self._inner[self.skin] == 0])
        rows = np.concatenate([np.arange(INNER_FACE), np.arange(SKIN_VERTICES, VERTICES)])
        for some in np.array_split(rows, 40):
            weight[some] = np.sqrt(((n[some][:, None] - n[rim]) ** 2).sum(2).min(1))
        weight = smoothstep(weight, 0.2, 2.0)
        weight[SKIN_VERTICES:] = 1
        return weight

    @cached_property
    def hair_texels(self) -> Floats:
        """``hair`` at each texel (H, W, 1), 0 on the eyeballs."""
        weight = self.at_texels(self.hair[:, None])
        weight[HEAD_TILE:, FACE_TILE:] = 0
        return weight

    @cached_property
    def inner_texels(self) -> Floats:
        """``inner_face`` at each texel (H, W, 1), 1 on the eyeballs."""
        weight = self.at_texels(self.inner_face[:, None])
        weight[HEAD_TILE:, FACE_TILE:] = 1
        return weight


def corner_texels(corner: Floats, triangles: NDArray[np.int32], neutral: Floats) -> Floats:
    """Turn texture points of corners (F, 3, 2), as the model has them, into texels (F, 3, 2); eyeballs get charts of their own."""
    tile = np.floor(corner[..., 0].mean(1)).astype(int)[:, None]
    x = np.where(tile == 0, corner[..., 0] * FACE_TILE, FACE_TILE + (corner[..., 0] - 1) * HEAD_TILE)
    y = np.where(tile == 0, (1 - corner[..., 1]) * FACE_TILE, (1 - corner[..., 1]) * HEAD_TILE)
    texels = np.stack([x, y], 2).astype(np.float32)
    for side in SIDES:
        first, last = PARTS[f"eye_{side}"]
        ball = neutral[first : last + 1]
        ball = ball - (ball.min(0) + ball.max(0)) / 2
        ball = ball @ towards_z(ball[ball[:, 2].argmax()]).T
        across = np.linalg.norm(ball[:, :2], axis=1, keepdims=True)
        radius = np.minimum(np.arctan2(across[:, 0], ball[:, 2]) / EYE_SPAN, 1.0)[:, None] * (EYE_TILE / 2 - 2)
        spot = ball[:, :2] / (across + 1e-9) * radius * [1, -1] + EYE_TILE / 2 + np.array(EYE_ORIGIN[side])
        mine = (triangles[:, 0] >= first) & (triangles[:, 0] <= last)
        texels[mine] = spot[triangles[mine] - first]
    return texels


def towards_z(axis: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn a direction (3,), not straight up or down, to +z -> (3, 3)."""
    a = axis / np.linalg.norm(axis)
    x = np.cross([0.0, 1.0, 0.0], a)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(a, x), a])


def smoothstep(x: NDArray[np.floating], low: float, high: float) -> Floats:
    """Rise smoothly from 0 below ``low`` to 1 above ``high``."""
    t = np.clip((np.asarray(x, np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def fill_nearest(image: NDArray[Value], known: NDArray[np.bool_]) -> NDArray[Value]:
    """Give each unknown pixel the value of the nearest known one. (H, W, C), (H, W) -> (H, W, C)."""
    _, label = cv2.distanceTransformWithLabels((~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    source = np.zeros(label.max() + 1, np.int64)
    rows = np.flatnonzero(known)
    source[label.ravel()[rows]] = rows
    return np.asarray(image.reshape(-1, image.shape[2])[source[label.ravel()]].reshape(image.shape), image.dtype)

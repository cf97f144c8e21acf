"""The eyeballs' textures: what the lids leave open comes from the photo, the rest is completed around the pupil."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.actors.atlas import Texture, towards_z
from bianlian.actors.bank import Fitted
from bianlian.actors.head import Head, Vertices
from bianlian.actors.layout import EYE_ORIGIN, EYE_SPAN, EYE_TILE, SIDES
from bianlian.actors.marks import EyeMarks, Marks
from bianlian.actors.raster import Floats
from bianlian.types import Image

_HALF = EYE_TILE / 2 - 2
_WHITE = np.array([180.0, 170.0, 165.0])
"""RGB of the white of an eye that shows none."""


def bake_eyes(texture: Texture, head: Head, photo: Image, vertices: Vertices, fitted: Fitted, marks: Marks) -> Texture:
    """Draw both eyeballs -> a new texture."""
    out = texture.copy()
    for side in SIDES:
        ball = np.asarray(vertices[head.eyes[side]] @ fitted.rotation.T, np.float64)
        left, top = EYE_ORIGIN[side]
        out[top : top + EYE_TILE, left : left + EYE_TILE] = _tile(photo, ball, fitted, marks.eyes[side])
    return out


def _tile(photo: Image, ball: NDArray[np.float64], fitted: Fitted, eye: EyeMarks) -> NDArray[np.uint8]:
    """Draw one tile. ball (N, 3): the eyeball as it is turned in the photo."""
    centre, size = (ball.min(0) + ball.max(0)) / 2, float(np.ptp(ball, axis=0)[:2].mean() / 2)
    ray, radius = _rays()
    look = np.clip(((eye.pupil * [1, -1] - fitted.shift) / fitted.scale - centre[:2]) / size, -0.6, 0.6)
    axis = np.array([*look, np.sqrt(1 - look @ look)])
    spot = (ray @ towards_z(axis)) * size + centre
    x, y = ((spot[..., k] * fitted.scale + fitted.shift[k]) * sign for k, sign in ((0, 1), (1, -1)))
    x, y = x.astype(np.float32), y.astype(np.float32)
    seen = cv2.remap(_opening(photo, eye), x, y, cv2.INTER_LINEAR) * (spot[..., 2] > centre[2])
    tile = cv2.remap(photo, x, y, cv2.INTER_CUBIC).astype(np.float32)
    rim = float(np.arcsin(np.clip(eye.iris / fitted.scale / size, 0.2, 0.55)) / EYE_SPAN * _HALF)
    around = _rings(tile, seen > 0.8, radius, rim)[np.minimum(radius.astype(int), EYE_TILE - 1)]
    return np.asarray(np.clip(tile * seen[..., None] + around * (1 - seen[..., None]), 0, 255), np.uint8)


def _rays() -> tuple[NDArray[np.float64], Floats]:
    """Say where each texel of a tile looks from the eyeball's middle (S, S, 3), and how far it is from the tile's (S, S)."""
    down, right = (np.mgrid[:EYE_TILE, :EYE_TILE].astype(np.float32) + 0.5 - EYE_TILE / 2) / _HALF
    radius = np.sqrt(right * right + down * down)
    angle = np.minimum(radius, 1.2) * EYE_SPAN
    across = np.sin(angle) / (radius + 1e-9)
    return np.stack([across * right, -across * down, np.cos(angle)], 2).astype(np.float64), np.asarray(radius * _HALF, np.float32)


def _opening(photo: Image, eye: EyeMarks) -> Floats:
    """Say what lies between the lids (H, W), soft at the edge."""
    mask = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(eye.opening).astype(np.int32)], [255])
    shrink = max(3, photo.shape[1] // 330) | 1
    mask = np.asarray(cv2.erode(mask, np.ones((shrink, shrink), np.uint8)), np.uint8)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.5).astype(np.float32) / 255, np.float32)


def _rings(tile: Floats, good: NDArray[np.bool_], radius: Floats, rim: float) -> Floats:
    """Give the usual colour at each distance from the pupil (S, 3): the iris as it is seen, beyond it the white."""
    white = good & (radius > 1.15 * rim) & (radius < 3 * rim)
    sclera = np.percentile(tile[white], 65, axis=0) if white.sum() > 30 else _WHITE
    rings = np.tile(np.asarray(sclera, np.float32), (EYE_TILE, 1))
    for k in range(min(EYE_TILE, int(1.25 * rim) + 1)):
        ring = good & (np.abs(radius - k) < 1.2)
        if ring.sum() > 4:
            rings[k] = np.median(tile[ring], axis=0)
    return np.asarray(cv2.GaussianBlur(rings, (1, 5), 0), np.float32)

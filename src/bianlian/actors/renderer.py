"""Draw a person who plays a frame of a performance over a picture, and say exactly what is where.

A camera is ``pixels_from_head`` (2, 3): from the plane of the turned head (units of the model, y up) to pixels (y down), pixel
centres on integers. The view is orthographic: no perspective.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from bianlian.actors.actor import Actor
from bianlian.actors.head import Head, Vertices, rotation
from bianlian.actors.layout import PARTS, PLAIN
from bianlian.actors.motion import NECK, turn_on_shoulders
from bianlian.actors.performance import Performance
from bianlian.actors.raster import rasterise, vertex_normals
from bianlian.actors.shade import shade
from bianlian.errors import ConfigError
from bianlian.geometry import apply
from bianlian.types import Image, Matrix, Points

FRAME_UNITS = 31.0
"""A square frame at scale 1 shows so many units of the model."""
_DROP = 0.015
"""How far below the frame's middle the head's is, in frame sides."""
_LIPS = (62, 66)
_SWAY = 0.45


def frame_camera(size: int, shift: Sequence[float] = (0.0, 0.0), scale: float = 1.0, centre: Points | None = None) -> Matrix:
    """Look at a head in a square of ``size`` pixels, or as large around ``centre`` (2,), in pixels. shift: of the size."""
    k = size / FRAME_UNITS * scale
    x, y = (size / 2, size / 2) if centre is None else centre
    return np.array([[k, 0, x + shift[0] * size], [0, -k, y + (shift[1] + _DROP) * size]])


@final
class Posed:
    """A person in a frame's pose: vertices (V, 3), turned, the origin in the middle of the face; dark (V,): see ``shade``."""

    def __init__(self, actor: Actor, vertices: Vertices, dark: NDArray[np.float32], landmarks: NDArray[np.int64]) -> None:
        self.actor, self.vertices, self.dark, self._landmarks = actor, vertices, dark, landmarks

    def landmarks(self, camera: Matrix) -> Points:
        """Project the 68 iBUG points (68, 2); those of hidden vertices too, and the jaw's do not slide to the outline."""
        return apply(camera, self.vertices[self._landmarks, :2])


@final
class Renderer:
    """Draws people. For any number of threads.

    samples: a side of the grid of samples of a pixel, 1 to 4. gloss: of the skin, 0 or more. Raises ConfigError.
    """

    def __init__(self, head: Head, *, samples: int = 2, gloss: float = 0.5) -> None:
        if not 1 <= samples <= 4:
            raise ConfigError(f"samples must be 1 to 4 a side of a pixel, got {samples}")
        if gloss < 0:
            raise ConfigError(f"gloss must be 0 or more, got {gloss}")
        self.head, self._samples, self._gloss = head, samples, gloss
        low, high = PARTS["socket_image_right"][0], PARTS["socket_image_left"][1] + 1
        inside = np.unique(head.triangles[head.kind == PLAIN])
        self._mouth, self._sockets = inside[(inside < low) | (inside >= high)], slice(low, high)

    def pose(self, actor: Actor, act: Performance, frame: int) -> Posed:
        """Put a person into a frame's pose. Raises InputError for an expression that the head does not know."""
        head, yaw, pitch, roll = self.head, float(act.yaw[frame]), float(act.pitch[frame]), float(act.roll[frame])
        gaze = (float(act.gaze[frame, 0]), float(act.gaze[frame, 1]))
        vertices = head.pose(actor.vertices, head.weights(act.weights(frame)), gaze)
        dark = np.ones(len(vertices), np.float32)
        depth = vertices[head.landmarks[list(_LIPS)], 2].mean() - vertices[self._mouth, 2]
        dark[self._mouth] = np.clip(np.exp(-(depth - 0.5) / 2.2), 0.12, 1.0)
        dark[self._sockets] = 0.5
        turn, body = rotation(yaw, pitch, roll), rotation(0.35 * yaw, 0.1 * pitch, 0.1 * roll)
        sway = _SWAY * (np.eye(3) - turn) @ NECK  # a part of the turn moves the face in the frame
        centre = actor.vertices[head.landmarks].mean(0)
        arrays = (np.ascontiguousarray(x, np.float32) for x in (centre, turn, body, NECK, sway))
        return Posed(actor, turn_on_shoulders(vertices, *arrays), dark, head.landmarks)

    def draw(self, posed: Posed, camera: Matrix, under: Image, act: Performance, frame: int) -> tuple[Image, NDArray[np.uint8]]:
        """Draw over a picture of any size -> a new one, and the mask (H, W): see ``shade``."""
        image, mask = under.copy(), np.zeros(under.shape[:2], np.uint8)
        head, s, (height, width) = self.head, self._samples, under.shape[:2]
        xy = apply(camera, posed.vertices[:, :2])
        x0, y0 = np.clip(np.floor(xy.min(0)).astype(int) - 1, 0, [width - 1, height - 1])  # the head's own box
        x1, y1 = np.clip(np.ceil(xy.max(0)).astype(int) + 2, [x0 + 1, y0 + 1], [width, height])
        points = (xy - [x0, y0] + 0.5) * s - 0.5
        depth = posed.vertices[:, 2].astype(np.float64)
        index, _ = rasterise(points, depth, head.triangles, int(y1 - y0) * s, int(x1 - x0) * s, True)
        levels = np.array([act.ambient[frame], act.diffuse[frame], self._gloss], np.float32)
        normals, skin = vertex_normals(posed.vertices, head.triangles), posed.actor.texture
        kinds = (head.atlas.corner_uv, head.kind, head.inner)
        light, tint, box = act.light[frame], act.tint[frame], np.s_[y0:y1, x0:x1]
        here = (image[box], mask[box])
        corners = points.astype(np.float32)
        shade(index, corners, head.triangles, *kinds, skin, head.plain, normals, posed.dark, light, levels, tint, s, *here)
        return image, mask

    def frame(self, actor: Actor, act: Performance, k: int, under: Image) -> tuple[Image, NDArray[np.uint8], Points]:
        """Draw a frame over a square picture -> a new one, its mask, and the landmarks (68, 2)."""
        posed = self.pose(actor, act, k)
        camera = frame_camera(len(under), act.shift[k].tolist(), float(act.scale[k]))
        image, mask = self.draw(posed, camera, under, act, k)
        return image, mask, posed.landmarks(camera)

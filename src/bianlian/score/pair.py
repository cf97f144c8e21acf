"""What the metrics look at: one frame of the output, the target and, where there is one, the truth, and where the face is in them.

Depth is how far inside the inner face's outline a pixel lies, in units of *face size* (the square root of the outline's area), so
that close-ups and long shots compare; outside it is negative. The outline is always the target's: all pictures of a frame are
measured over the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.errors import InputError
from bianlian.geometry import box_of
from bianlian.landmark.schemes import convert
from bianlian.mask.hull import face_size, outline
from bianlian.mask.regions import face_outline
from bianlian.types import Image, Landmarks, Points

MARGIN = 0.25
"""How far a region reaches beyond the outline, in face sizes."""

Array = NDArray[np.float64]
Grey = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Region:
    """Where the target's face is.

    box: x1, y1, x2, y2 of the part of the frame around it. depth: (y2 - y1, x2 - x1) float32, see above. size: face size, pixels.
    whole: outline (N, 2) of the whole face, forehead too, frame pixels.
    """

    box: tuple[int, int, int, int]
    depth: Grey
    size: float
    whole: Points

    @cached_property
    def inner(self) -> NDArray[np.bool_]:
        """The inner face, a little within its outline."""
        return np.asarray(self.depth > 0.02, np.bool_)

    def cut(self, image: Image) -> Image:
        """Cut the part around the face out of a frame of the same size."""
        x1, y1, x2, y2 = self.box
        return image[y1:y2, x1:x2]


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture of a frame. landmarks: of the face, None where none is found. looks: (D,) description, None when not asked."""

    image: Image
    landmarks: Landmarks | None
    looks: Array | None = None

    @cached_property
    def grey(self) -> Image:
        """The whole picture in grey, (H, W) uint8."""
        return np.asarray(cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY), np.uint8)

    @cached_property
    def points(self) -> Points | None:
        """The 68 points, or None."""
        return None if self.landmarks is None else convert(self.landmarks, "ibug68").points


@dataclass(frozen=True, eq=False)
class Pair:
    """One frame: what came out, what it was made from, and what it should be.

    frame: index in the target. out, target, truth: truth is None where there is none; the target's face is always found.
    """

    frame: int
    out: Seen
    target: Seen
    region: Region
    truth: Seen | None = None

    def as_out(self, seen: Seen) -> Pair:
        """Put another picture in the output's place."""
        return replace(self, out=seen)

    @cached_property
    def greys(self) -> tuple[Grey, Grey]:
        """The part around the face in output and target, (h, w) float32."""
        x1, y1, x2, y2 = self.region.box
        first, second = (np.asarray(s.grey[y1:y2, x1:x2], np.float32) for s in (self.out, self.target))
        return first, second


def region_of(landmarks: Landmarks, shape: tuple[int, ...]) -> Region | None:
    """Find the region of a face in a picture of ``shape`` (height, width, ...); None for a face that lies outside or is a dot."""
    try:
        ring, whole = outline(landmarks), face_outline(landmarks)
    except InputError:
        return None
    size = face_size(ring)
    if size < 8:
        return None
    x1, y1, x2, y2 = box_of(ring) + MARGIN * size * np.array([-1, -1, 1, 1])
    left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
    right, bottom = min(shape[1], int(np.ceil(x2))), min(shape[0], int(np.ceil(y2)))
    if right - left < 8 or bottom - top < 8:
        return None
    filled = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillConvexPoly(filled, np.round((ring - (left, top)) * 16).astype(np.int32), 1, shift=4)
    if filled.mean() < 0.05:
        return None
    inside = cv2.distanceTransform(filled, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(1 - filled, cv2.DIST_L2, 3)
    return Region((left, top, right, bottom), np.asarray((inside - outside) / size, np.float32), size, whole)


def shrunk(picture: Image, size: tuple[int, int]) -> Image:
    """Scale an 8-bit picture (H, W) or (H, W, 3) to ``size`` (width, height), every pixel counted; halved first while it can be,
    which is several times as fast as the rest of the way.
    """
    while picture.shape[0] >= 2 * size[1] and picture.shape[1] >= 2 * size[0]:
        even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
        picture = np.asarray(cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    how = cv2.INTER_AREA if picture.shape[1] > size[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def eye_distance(points: Points) -> float:
    """Distance of the outer eye corners of 68 points, in pixels."""
    return float(np.hypot(*(points[36] - points[45])))

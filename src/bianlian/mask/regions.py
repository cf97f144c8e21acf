"""Masks out of landmarks alone: the inner face, the whole face, eyes, mouth, nose and brows. Pixels are not looked at.

Parts are filled, widened and softened as eye masks are in GAN training: eyes by the hull of their six points, a 13x13 dilation and
a 7x7 Gaussian in a 256-pixel crop; in pictures of other sizes the kernels keep their size relative to the face, so that a mask of a
resized picture is the resized mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from bianlian import align
from bianlian.errors import ConfigError, InputError
from bianlian.geometry import invert, scale_of
from bianlian.landmark.regions import ring
from bianlian.landmark.schemes import LEFT_EYE, RIGHT_EYE, convert
from bianlian.mask.hull import hull_mask, outline
from bianlian.types import Image, Landmarks, Mask, Points, check_image

CROP = 256
"""Side of the default aligned crop in whose pixels kernels are given."""
FOREHEAD = 0.27
"""How far the brows of 68 points are lifted to the upper forehead, in units of nose bridge to chin.

On 132 rendered heads turned up to 40 degrees the outline's IoU with the true inner face, forehead included, is 0.84; from 0.25 to
0.3 it hardly changes, at 0.14 it is 0.79 and at 0.4 0.80.
"""
CROWN = 0.05
"""The same for the upper edge of the face mesh, which reaches into the forehead by itself: IoU 0.86; 0.85 unlifted."""

_JAW, _BROWS, _BRIDGE, _CHIN = slice(0, 17), slice(17, 27), 27, 8
_TOP = (*range(6), *range(31, 36))
_RISE = np.array([1.0, 1.0, 0.9, 0.7, 0.4, 0.2, 0.2, 0.4, 0.7, 0.9, 1.0])  # of the mesh's upper edge, from its middle and round
_EYE_AXES = (0.22, 0.10)
"""Half axes of an eye in eye distances, where the eye's centre is all that is known."""
_BITS = 4


@dataclass(frozen=True)
class Soft:
    """How a part is widened and softened. dilate, blur: sides of the square kernels, in pixels of a 256-pixel crop, 0 for none."""

    dilate: float
    blur: float

    def __post_init__(self) -> None:
        if not (0 <= self.dilate <= CROP and 0 <= self.blur <= CROP):
            raise ConfigError(f"dilate and blur must lie in [0, {CROP}] pixels of a {CROP}-px crop, got {self.dilate}, {self.blur}")


@dataclass(frozen=True)
class Hull:
    """The inner face from the jaw to a little above the brows. erode, feather: see ``hull_mask``."""

    erode: float = 2.0
    feather: float = 12.0

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask faces, see ``Masker``; every scheme but five points."""
        return _each(images, landmarks, lambda shape, marks: self._fill(outline(marks), shape))

    def _fill(self, polygon: Points, shape: tuple[int, int]) -> Mask:
        return hull_mask(polygon, shape, erode=self.erode, feather=self.feather)


@dataclass(frozen=True)
class WholeFace:
    """The whole face from the chin to the upper forehead. erode, feather: see ``hull_mask``."""

    erode: float = 0.0
    feather: float = 6.0

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask faces, see ``Masker``; every scheme but five points."""
        return _each(images, landmarks, lambda shape, marks: self._fill(face_outline(marks), shape))

    def _fill(self, polygon: Points, shape: tuple[int, int]) -> Mask:
        return hull_mask(polygon, shape, erode=self.erode, feather=self.feather)


@dataclass(frozen=True)
class Eyes:
    """Both eyes with their lids: the hull of six points each; an ellipse each where five points are all that is known."""

    soft: Soft = Soft(13, 7)

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask eyes, see ``Masker``; every scheme."""
        return _each(images, landmarks, lambda shape, marks: soft_mask(_eyes(marks), marks, shape, self.soft))


@dataclass(frozen=True)
class Mouth:
    """The lips and what is between them."""

    soft: Soft = Soft(13, 7)

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask mouths, see ``Masker``; every scheme but five points."""
        return _each(images, landmarks, lambda shape, marks: soft_mask([ring(marks, "mouth")], marks, shape, self.soft))


@dataclass(frozen=True)
class Nose:
    """The nose, from its bridge to its base and from wing to wing."""

    soft: Soft = Soft(13, 7)

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask noses, see ``Masker``; every scheme but five points."""
        return _each(images, landmarks, lambda shape, marks: soft_mask([ring(marks, "nose")], marks, shape, self.soft))


@dataclass(frozen=True)
class Brows:
    """Both brows. The 68 points mark a line along each: it gets its width by the dilation."""

    soft: Soft = Soft(17, 7)

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask brows, see ``Masker``; every scheme but five points."""

        def both(shape: tuple[int, int], marks: Landmarks) -> Mask:
            return soft_mask([ring(marks, "right_brow"), ring(marks, "left_brow")], marks, shape, self.soft)

        return _each(images, landmarks, both)


def face_outline(landmarks: Landmarks) -> Points:
    """Draw the convex outline of the whole face, forehead included -> (N, 2) pixels, in order around it.

    Raises InputError for five points.
    """
    if landmarks.scheme == "five":
        raise InputError("a face mask wants the outline of the face, got five points; choose a landmarker such as facemesh")
    named = convert(landmarks, "ibug68").points
    up = named[_BRIDGE] - named[_CHIN]
    if landmarks.scheme == "ibug68":
        points = np.concatenate([named[_JAW], named[_BROWS] + FOREHEAD * up])
    else:
        points = ring(landmarks, "face").copy()
        points[list(_TOP)] += CROWN * _RISE[:, None] * up
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], np.float64)


def soft_mask(polygons: Sequence[Points], landmarks: Landmarks, shape: tuple[int, int], soft: Soft) -> Mask:
    """Fill the convex hulls of some point sets, widen and soften -> (H, W) float32 in [0, 1].

    polygons (N, 2): pixels of the picture of ``shape`` (height, width). landmarks: of the face, they give its size. The picture's
    edge does not fade.
    """
    pixel = scale_of(invert(align.crop_from_frame(landmarks, CROP)))  # of the 256-px crop, in pixels of the picture
    dilate, blur = _odd(soft.dilate * pixel), _odd(soft.blur * pixel)
    hulls = [cv2.convexHull(p.astype(np.float32))[:, 0].astype(np.float64) for p in polygons]
    reach, everything = dilate + blur + 2, np.concatenate(hulls)
    x1, y1 = np.maximum(np.floor(everything.min(0)) - reach, -reach).astype(int)
    x2, y2 = np.minimum(np.ceil(everything.max(0)) + reach + 1, (shape[1] + reach, shape[0] + reach)).astype(int)
    mask = np.zeros(shape, np.float32)
    if x2 <= max(x1, 0) or y2 <= max(y1, 0) or x1 >= shape[1] or y1 >= shape[0]:
        return mask
    canvas = np.zeros((y2 - y1, x2 - x1), np.uint8)  # what can reach into the picture, and no more
    for hull in hulls:
        cv2.fillConvexPoly(canvas, np.round((hull - (x1, y1)) * 2**_BITS).astype(np.int32), 255, cv2.LINE_8, _BITS)
    if dilate > 1:
        canvas = np.asarray(cv2.dilate(canvas, np.ones((dilate, dilate), np.uint8)), np.uint8)
    weights = canvas.astype(np.float32) / 255
    if blur > 1:
        weights = np.asarray(cv2.GaussianBlur(weights, (blur, blur), 0), np.float32)
    left, top = max(x1, 0), max(y1, 0)
    part = weights[top - y1 : shape[0] - y1, left - x1 : shape[1] - x1]
    mask[top : top + part.shape[0], left : left + part.shape[1]] = np.clip(part, 0, 1)
    return mask


def _each(
    images: Sequence[Image], landmarks: Sequence[Landmarks], draw: Callable[[tuple[int, int], Landmarks], Mask]
) -> list[Mask]:
    check_masked(images, landmarks)
    return [draw((image.shape[0], image.shape[1]), marks) for image, marks in zip(images, landmarks, strict=True)]


def check_masked(images: Sequence[Image], landmarks: Sequence[Landmarks]) -> None:
    """Raise InputError unless there is one face for each RGB picture."""
    if len(images) != len(landmarks):
        raise InputError(f"a mask wants one face's landmarks a picture, got {len(images)} pictures and {len(landmarks)} faces")
    for image in images:
        check_image(image)


def _eyes(landmarks: Landmarks) -> list[Points]:
    if landmarks.scheme != "five":
        named = convert(landmarks, "ibug68").points
        return [named[RIGHT_EYE], named[LEFT_EYE]]
    right = landmarks.points[1] - landmarks.points[0]
    down = np.array([-right[1], right[0]])
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]
    shape = np.cos(around) * _EYE_AXES[0] * right + np.sin(around) * _EYE_AXES[1] * down
    return [landmarks.points[0] + shape, landmarks.points[1] + shape]


def _odd(pixels: float) -> int:
    """Nearest odd kernel side, at least 1."""
    return max(1, 2 * round((pixels - 1) / 2) + 1)

"""Put one swapped face back into its frame, at the frame's resolution, touching nothing but the face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.align import frame_from_crop
from bianlian.geometry import apply, box_of, compose, invert, scale_of
from bianlian.mask.hull import hull_mask
from bianlian.swap.blend import Blend, mask_blend
from bianlian.swap.color import Recolor, lab_mean_std
from bianlian.swap.shade import SHARE, shade
from bianlian.swap.sharpen import GRAIN, LIMIT, sharpen
from bianlian.types import Crop, Image, Mask, Matrix, Points

ERODE, FEATHER = -4.0, 8.0
"""Defaults of a swap's mask, % of face size: wider than the hull of brows and jaw, which are part of who somebody is.

The truth itself put in through a mask of -4 and 12 is at 0.067 and 0.068 from the truth, of -4 and 6 at 0.057 and 0.046, of 2 and
12 at 0.099 and 0.106; no swap is at 0.215 and 0.221 (037 and 115 of the rendered pairs, perceptual distance). See decision 0013.
"""
MARGIN = 4
"""Pixels kept around the face while it is fitted and joined."""


@dataclass(frozen=True)
class Finish:
    """How a face is fitted to its frame.

    color, blend: plug-ins. erode, feather: see ``hull_mask``. shade: share of the light that is taken over, see ``shade``.
    sharpen, grain: ``limit`` and ``grain`` of ``sharpen``.
    """

    color: Recolor = lab_mean_std
    blend: Blend = mask_blend
    erode: float = ERODE
    feather: float = FEATHER
    shade: float = SHARE
    sharpen: float = LIMIT
    grain: float = GRAIN


@dataclass(frozen=True, eq=False)
class Fitted:
    """A face at its place in a frame. window: box x1, y1, x2, y2 of whole pixels, ends outside, that the rest shows.

    face (h, w, 3) uint8: with the frame's colour and sharpness; mask (h, w) float32: how much of it replaces the target; target
    (h, w, 3) uint8: what was there; joined (h, w, 3) uint8: what is there now.
    """

    window: tuple[int, int, int, int]
    face: Image
    mask: Mask
    target: Image
    joined: Image

    def into(self, frame: Image) -> Image:
        """Give the frame with the face in it, as a new picture."""
        x1, y1, x2, y2 = self.window
        out = frame.copy()
        out[y1:y2, x1:x2] = self.joined
        return out


def paste(frame: Image, crop: Crop, face: Image, weights: Mask, outline: Points, finish: Finish, share: float = 1.0) -> Image:
    """Paste a swapped crop, see ``fit`` for the arguments.

    -> a new frame; every pixel outside the face's mask is the old one exactly. The same frame when no part of the face is in it.
    """
    fitted = fit(frame, crop, face, weights, outline, finish, share)
    return frame if fitted is None else fitted.into(frame)


def fit(frame: Image, crop: Crop, face: Image, weights: Mask, outline: Points, finish: Finish, share: float = 1.0) -> Fitted | None:
    """Fit a swapped crop to its place.

    frame (H, W, 3) uint8; crop: as cut from it, S x S; face (S, S, 3) uint8 and weights (S, S) float32 in [0, 1]: the network's
    picture and mask of it; outline (N, 2): of the face, frame pixels, see ``mask.hull``; share: of the new face that shows, [0, 1].
    -> None when no part of the face is in the frame.
    """
    window = _window(outline, finish.erode, frame.shape)
    if window is None:
        return None
    x1, y1, x2, y2 = window
    shape = (y2 - y1, x2 - x1)
    roi_from_crop = compose(np.array([[1.0, 0.0, -x1], [0.0, 1.0, -y1]]), frame_from_crop(crop))
    mask = _mask(outline - (x1, y1), shape, weights, roi_from_crop, finish)
    if not mask.any():
        return None
    # Only statistics are taken under it, and the mask is soft: no need to draw it again.
    inside = np.asarray(cv2.warpAffine(mask, invert(roi_from_crop), weights.shape[::-1], flags=cv2.INTER_LINEAR), np.float32)
    face = _fitted(face, crop.image, inside, finish)
    target = np.ascontiguousarray(frame[y1:y2, x1:x2])
    placed = warp(face, roi_from_crop, shape)
    placed = sharpen(placed, target, mask, scale=scale_of(roi_from_crop), limit=finish.sharpen, grain=finish.grain)
    joined = finish.blend(placed, target, mask)
    if share < 1:
        joined = np.asarray(cv2.addWeighted(joined, share, target, 1 - share, 0), np.uint8)
    return Fitted(window, placed, mask * np.float32(share), target, np.where((mask > 0)[..., None], joined, target))


def _fitted(face: Image, under: Image, inside: Mask, finish: Finish) -> Image:
    """Match colour and light to the picture under the face, in the part that the mask shows."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return face
    part = tuple(slice(max(0, int(x[0]) - MARGIN), int(x[-1]) + 1 + MARGIN) for x in (rows, columns))
    ours, theirs, mask = np.ascontiguousarray(face[part]), np.ascontiguousarray(under[part]), np.ascontiguousarray(inside[part])
    fitted = face.copy()
    fitted[part] = shade(finish.color(ours, theirs, mask), theirs, mask, finish.shade, side=len(face))
    return fitted


def warp(image: NDArray[np.uint8], to_from: Matrix, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Resample a picture into another of ``shape`` (height, width): bicubic, anti-aliased when it shrinks to less than half."""
    factor = scale_of(to_from)
    if factor < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.5 * (1 / factor - 1)), np.uint8)
    flags = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_LINEAR
    out = cv2.warpAffine(image, to_from, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def _window(outline: Points, erode: float, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Box of whole pixels (x1, y1, x2, y2; ends outside) around the mask, within the frame; None when it is empty."""
    box = box_of(outline)
    grow = MARGIN + max(0.0, -erode / 100) * float(max(box[2:] - box[:2]))
    x1, y1 = np.maximum(np.floor(box[:2] - grow), 0).astype(int)
    x2, y2 = np.minimum(np.ceil(box[2:] + grow) + 1, (shape[1], shape[0])).astype(int)
    return (int(x1), int(y1), int(x2), int(y2)) if x2 > x1 and y2 > y1 else None


def _mask(outline: Points, shape: tuple[int, ...], weights: Mask, roi_from_crop: Matrix, finish: Finish) -> Mask:
    last = weights.shape[0] - 1
    corners = apply(roi_from_crop, [[0, 0], [last, 0], [last, last], [0, last]])
    mask = hull_mask(outline, (shape[0], shape[1]), erode=finish.erode, feather=finish.feather, limit=corners)
    if (weights >= 1).all():
        return mask
    size = (shape[1], shape[0])
    own = cv2.warpAffine(weights, roi_from_crop, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(mask * np.clip(own, 0.0, 1.0), np.float32)

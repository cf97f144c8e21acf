"""Gradient-domain blending: keep the face's gradients, take the colour at the mask's edge from the frame.

Source: P. Perez, M. Gangnet, A. Blake, "Poisson image editing", SIGGRAPH 2003. The picture with the face's gradients and the
frame's colour at the edge is the face plus a *membrane*: the smooth sheet that is the difference of frame and face at the edge and
solves Laplace's equation inside. Solving for the sheet, coarse to fine, is fast, and the face is never moved: its anchor is its own
place, where OpenCV's solver centres the mask's bounding box anew in every frame, which makes a face shift and shake by pixels.

Different here: the sheet is held by the whole soft band of the mask rather than by one line of pixels, which moves over skin, hair
and backdrop from frame to frame; and where the mask runs into the picture's edge it is free.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.blend import mask_blend
from bianlian.types import Image, Mask

SIDE = 96
"""The sheet is found on a grid of about this side and enlarged: it is smooth."""
HOLD = 1.0
"""How firmly the band holds the sheet against its stiffness, per pixel of the grid."""
SWEEPS = 12
"""Rounds of relaxation at each size of the grid."""

_Plane = NDArray[np.float32]


def poisson(face: Image, target: Image, mask: Mask) -> Image:
    """Blend in the gradient domain, then mix by the mask: see ``Blend`` for the shapes."""
    shape = mask.shape
    factor = max(1.0, max(shape) / SIDE)
    size = (max(1, round(shape[1] / factor)), max(1, round(shape[0] / factor)))
    weight = band(mask)
    held = cv2.subtract(target, face, dtype=cv2.CV_32F) * weight[..., None]
    small, pull = (np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA), np.float32) for x in (weight, held))
    if small.max() <= 1e-4:
        return mask_blend(face, target, mask)
    sheet = cv2.resize(membrane(pull * np.float32(HOLD), small * np.float32(HOLD)), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return mask_blend(np.asarray(cv2.add(face, sheet, dtype=cv2.CV_8U), np.uint8), target, mask)


def band(mask: Mask) -> Mask:
    """Where a mask (H, W) changes over: 1 at weight one half, 0 at none and all; a hard edge's inner pixels."""
    soft = np.asarray(cv2.GaussianBlur(mask, (5, 5), 1.0, borderType=cv2.BORDER_REPLICATE), np.float32)
    return np.asarray(np.where(mask > 0, 4 * soft * (1 - soft), 0), np.float32)


def membrane(pull: _Plane, hold: _Plane) -> _Plane:
    """Find the sheet u that makes sum |grad u|^2 + sum hold (u - value)^2 least, free at the picture's edges.

    pull (H, W, 3): hold times value; hold (H, W), not negative, above 0 somewhere -> (H, W, 3). Coarse to fine: the answer of half
    the size is the start of the next, which relaxation (damped Jacobi) then needs to put right only locally.
    """
    height, width = hold.shape
    if min(height, width) > 3:
        half = (-(-width // 2), -(-height // 2))
        area = np.float32(height * width / (half[0] * half[1]))
        start = membrane(*(np.asarray(cv2.resize(x, half, interpolation=cv2.INTER_AREA) * area, np.float32) for x in (pull, hold)))
        sheet = np.asarray(cv2.resize(start, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    else:
        sheet = np.ones_like(pull) * (pull.sum((0, 1)) / hold.sum())
    inverse = (1 / (4 + hold))[..., None]
    for _ in range(SWEEPS):
        around = cv2.filter2D(sheet, -1, _CROSS, borderType=cv2.BORDER_REPLICATE)
        sheet += np.float32(0.8) * ((around + pull) * inverse - sheet)
    return sheet


_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)

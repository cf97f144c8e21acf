"""Multi-band blending: fine detail changes over from frame to face within a few pixels, broad colour over a wide band.

Source: P. Burt, E. Adelson, "A multiresolution spline with application to image mosaics", ACM TOG 1983. Different here: the blend
is linear in the pictures, so that only one pyramid is made, of their difference, which is nothing outside of the mask; and the
broad bands, which spill over the mask's edge, are led back to nothing within it: what lies outside stays the frame, exactly.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.types import Image, Mask

COARSEST = 8
"""The pyramid ends before a side gets shorter than this, pixels."""
STEEP = 6.0
"""The finest band changes over where the mask's weight passes one half, so many times as fast as the mask itself."""
GUARD = 0.3
"""Weight of the mask from which on the bands are left alone."""

_Plane = NDArray[np.float32]


def pyramid(face: Image, target: Image, mask: Mask) -> Image:
    """Blend band by band: see ``Blend`` for the shapes."""
    inside = (mask > 0)[..., None]
    difference = np.asarray(cv2.subtract(face, target, dtype=cv2.CV_32F), np.float32) * inside.astype(np.float32)
    weight = np.clip((mask - np.float32(0.5)) * np.float32(STEEP) + np.float32(0.5), 0.0, 1.0)
    joined = _joined(difference, np.asarray(weight, np.float32))
    near = np.minimum(mask * np.float32(1 / GUARD), np.float32(1))
    joined *= (near * near * (np.float32(3) - np.float32(2) * near))[..., None]
    return np.asarray(cv2.add(target, joined, dtype=cv2.CV_8U), np.uint8)


def _joined(difference: _Plane, weight: _Plane) -> _Plane:
    """Weigh each band of a difference (H, W, 3) by the weight (H, W) blurred as far, and put them together again."""
    bands: list[_Plane] = []
    while min(weight.shape) >= 2 * COARSEST:
        small = np.asarray(cv2.pyrDown(difference), np.float32)
        bands.append((difference - _up(small, weight.shape)) * weight[..., None])
        difference, weight = small, np.asarray(cv2.pyrDown(weight), np.float32)
    joined = difference * weight[..., None]
    for band in reversed(bands):
        joined = band + _up(joined, band.shape)
    return joined


def _up(plane: _Plane, shape: tuple[int, ...]) -> _Plane:
    return np.asarray(cv2.pyrUp(plane, dstsize=(shape[1], shape[0])), np.float32)

"""Join a face and a frame where both lie on the same pixels. Every blend of the table keeps one signature, ``Blend``."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from bianlian.types import Image, Mask

EDGE = 0.5
"""Weight at which ``overlay`` changes from frame to face."""


class Blend(Protocol):
    """Contract of the blends."""

    def __call__(self, face: Image, target: Image, mask: Mask) -> Image:
        """Join. face, target (H, W, 3) RGB uint8; mask (H, W) float32 in [0, 1] -> (H, W, 3); where mask is 0: target, exactly."""
        ...


def overlay(face: Image, target: Image, mask: Mask) -> Image:
    """Paste with a hard edge where the mask reaches one half: see ``Blend`` for the shapes."""
    return np.where((mask >= EDGE)[..., None], face, target)


def mask_blend(face: Image, target: Image, mask: Mask) -> Image:
    """Mix by the mask's weight, rounded to nearest: see ``Blend`` for the shapes."""
    return np.asarray(cv2.blendLinear(face, target, mask, 1.0 - mask), np.uint8)

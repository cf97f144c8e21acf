"""Square views of a picture at any scale, without skipped pixels."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.geometry import compose, scale_of, scaling
from bianlian.types import Image, Matrix


class Pyramid:
    """A picture and its halvings, made when first needed, so that a far view of it does not skip pixels."""

    def __init__(self, image: Image) -> None:
        """Wrap a picture, (H, W, 3) uint8."""
        self._levels = [image]

    def view(self, view_from_frame: Matrix, side: int, *, replicate: bool = False) -> Image:
        """Cut the view (side, side, 3) that the similarity describes.

        Outside the picture it is black, or with ``replicate`` the picture's border goes on.
        """
        level, scale = 0, scale_of(view_from_frame)
        while scale < 0.5 and min(self._level(level).shape[:2]) >= 4:
            level, scale = level + 1, scale * 2
        view_from_level = compose(view_from_frame, scaling(2.0**level))
        border = cv2.BORDER_REPLICATE if replicate else cv2.BORDER_CONSTANT
        picture = self._level(level)
        return np.asarray(
            cv2.warpAffine(picture, view_from_level, (side, side), flags=cv2.INTER_LINEAR, borderMode=border), np.uint8
        )

    def at_least(self, size: tuple[int, int]) -> Image:
        """Give the smallest exact halving that is not smaller than ``size`` (width, height); the picture itself when it is."""
        level = 0
        while min(n // 2 ** (level + 1) / wanted for n, wanted in zip(self._levels[0].shape[1::-1], size, strict=True)) >= 1:
            if any(n % 2 for n in self._level(level).shape[:2]):
                break
            level += 1
        return self._level(level)

    def _level(self, level: int) -> Image:
        """Give the picture halved ``level`` times."""
        while len(self._levels) <= level:
            last = self._levels[-1]
            even = last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2]
            half = cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            self._levels.append(np.asarray(half, np.uint8))
        return self._levels[level]

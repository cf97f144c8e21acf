"""Picture and landmarks -> which pixels belong to a face or a part of it. All masks keep one contract, ``Masker``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bianlian.types import Image, Landmarks, Mask

__all__ = ["Masker"]


class Masker(Protocol):
    """Masks the whole of a face or a part of it. Constructed without arguments, or with keyword settings."""

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask one face in each picture.

        images: RGB uint8 (H, W, 3), frames or crops of any size; landmarks: of one face each, in its picture's pixels; they may
        reach outside. -> (H, W) float32 in [0, 1] each, a list of the same length. Raises InputError for lists of other lengths,
        pictures of another kind, and landmarks of a scheme that does not bound the part.
        """
        ...

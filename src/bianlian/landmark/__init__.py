"""Face -> landmarks, one file a scheme. All landmarkers keep one contract, ``Landmarker``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bianlian.types import Face, Image

__all__ = ["Landmarker"]


class Landmarker(Protocol):
    """Marks the points of faces that a detector has found. Constructed without arguments, or with keyword settings."""

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Mark faces of one picture.

        image: RGB uint8 (H, W, 3); faces: boxes in its pixels -> a list of the same length: the face with ``landmarks`` set
        (and its box fitted to them where that is more exact), or None where the landmarker sees no face.
        """
        ...

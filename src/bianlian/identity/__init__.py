"""Face -> a description of who it is, one file a network. All keep one contract, ``Describer``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bianlian.types import Face, Image

__all__ = ["Describer"]


class Describer(Protocol):
    """Describes faces by numbers that lie near each other for one person. Constructed without arguments, or with settings."""

    same: float
    """Euclidean distance below which two descriptions are of one person more often than not."""

    def describe(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
        """Describe faces of one picture.

        image: RGB uint8 (H, W, 3); faces: with landmarks that convert to ``ibug68`` -> (N, D) float64. Raises InputError for a face
        without them.
        """
        ...

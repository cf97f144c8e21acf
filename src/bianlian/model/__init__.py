"""Networks that swap faces, one file an architecture; ``Swapper`` is what the swap engine asks of any of them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bianlian.types import Points

__all__ = ["Swapper", "SwapsAt"]


class Swapper(Protocol):
    """Draws one source person's face in place of any face, on batches of aligned crops."""

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        ...

    @property
    def coverage(self) -> float:
        """Coverage of the crops, see ``align.crop_from_frame``."""
        ...

    @property
    def person(self) -> str:
        """Name of the person whose face is drawn."""
        ...

    def swap(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Swap a batch.

        crops (N, S, S, 3) RGB uint8, N >= 1 -> faces (N, S, S, 3) RGB uint8 and the network's own masks (N, S, S) float32 in
        [0, 1], all ones for a network that draws no mask.
        """
        ...


@runtime_checkable
class SwapsAt(Protocol):
    """A ``Swapper`` that wants to know where the face's parts are, and draws it as fine as it will be in the frame."""

    def swap_at(
        self, crops: NDArray[np.uint8], points: Points, under: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Swap a batch as ``Swapper.swap`` does, to another size.

        points (N, 68, 2): iBUG, pixels of the crops; under (N, T, T, 3): what the crops show, at the size that is wanted -> faces
        (N, T, T, 3) uint8, and masks (N, T, T).
        """
        ...

"""Frame -> faces, one file a detector. All detectors keep one contract, ``Detector``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from bianlian.types import Face, Image

__all__ = ["Detector", "Glancing"]


class Detector(Protocol):
    """Finds faces. Constructed without arguments, or with keyword settings that all have defaults.

    One setting is common to all, ``rotate``, on by default: where an upright pass finds no face in a picture, faces turned in the
    plane by any angle are searched (``detect.turned`` does it for a detector that knows upright faces alone).
    """

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each picture.

        images: RGB uint8 (H, W, 3), sizes may differ -> a list of the same length; each entry the faces of that picture, best
        score first, empty when there is none. Boxes are in the picture's own pixels and hug the face from brow to chin.
        """
        ...


@runtime_checkable
class Glancing(Protocol):
    """A detector that can also look in passing: much faster, blind to small and turned faces. For empty footage."""

    def glance(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find what faces a quick look shows; as ``Detector.detect``."""
        ...

"""MMOD: dlib's convolutional face detector. Few false alarms, no landmarks, and slow on a CPU (a second for 640 x 480 pixels).

Source: D. King, "Max-Margin Object Detection", arXiv 1502.00046; dlib's network ``mmod_human_face_detector``, a sliding window of
about 80 pixels over an image pyramid. What differs: the picture is resized as the size of the faces asks for, within a limit,
the confidence that dlib gives becomes a number in [0, 1], and the box is moved to the project's definition (brow to chin, see
``Detector``).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from bianlian.detect.turned import best, with_turns
from bianlian.errors import ConfigError
from bianlian.types import Face, Image, check_image
from bianlian.weights import CARDS, locate

_WINDOW = 80
"""Side in pixels of the smallest box that the network gives."""
_GREY = (127, 127, 127)
_BOX_SHIFT, _BOX_SCALE = np.array([0.055, 0.188]), np.array([0.967, 0.988])
"""From dlib's box to the box of the 68 points, in units of its width and height: mean over 20 faces."""


class Mmod:
    """Finds faces with dlib's convolutional network; keeps the contract ``Detector``. Faces have no landmarks.

    smallest: side in pixels of the smallest face looked for; the picture is enlarged or shrunk so that the network just finds it;
    half the size, four times the time. limit: longest side in pixels of what the network sees, whatever ``smallest`` asks for.
    margin: least confidence of dlib's detector; above 0 fewer false alarms, below 0 more faces. rotate: search turned copies of a
    picture in which no upright face is found.
    """

    def __init__(self, *, smallest: int = 40, limit: int = 640, margin: float = 0.0, rotate: bool = True) -> None:
        """Load the network. Raises ConfigError for a setting out of range and WeightsError when the weights cannot be had."""
        if smallest < 8:
            raise ConfigError(f"smallest must be 8 or more, got {smallest}; 40 is the default")
        if not _WINDOW <= limit <= 4096:
            raise ConfigError(f"limit must lie in {_WINDOW}..4096, got {limit}; 640 is the default")
        self._smallest, self._limit, self._margin, self._rotate = smallest, limit, margin, rotate
        self._network = dlib.cnn_face_detection_model_v1(str(locate(CARDS["dlib_mmod"])))

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each picture; ``landmarks`` is None.

        images: RGB uint8 (H, W, 3), sizes may differ -> as many lists, best score first. The score is 1 / (1 + exp(-4 m)) of the
        confidence m: 0.5 at the detector's own threshold, 0.98 at a confidence of 1.
        """
        for k, image in enumerate(images):
            check_image(image, f"images[{k}]")
        return with_turns(self._upright, images) if self._rotate else self._upright(images)

    def _upright(self, images: Sequence[Image]) -> list[list[Face]]:
        return [self._find(image) for image in images]

    def _find(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        factor = min(_WINDOW / self._smallest, self._limit / max(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        seen = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        right, below = (max(0, _WINDOW - side) for side in size)  # in less the network fails, and leaves memory damaged
        seen = cv2.copyMakeBorder(seen, 0, below, 0, right, cv2.BORDER_CONSTANT, value=_GREY)
        step = np.tile([width / size[0], height / size[1]], 2)
        found = [r for r in self._network(np.ascontiguousarray(seen), 0) if r.confidence >= self._margin]
        return best([_face(_edges(r.rect) * step - 0.5, r.confidence) for r in found])  # dlib leaves boxes in boxes


def _edges(box: dlib.rectangle) -> NDArray[np.float64]:
    """Give the outer edges of dlib's box, counted from the corner of the first pixel."""
    return np.array([box.left(), box.top(), box.right() + 1, box.bottom() + 1], np.float64)


def _face(edges: NDArray[np.float64], confidence: float) -> Face:
    size = edges[2:] - edges[:2]
    centre, half = (edges[:2] + edges[2:]) / 2 + _BOX_SHIFT * size, size * _BOX_SCALE / 2
    return Face(np.concatenate([centre - half, centre + half]), 1 / (1 + exp(-4 * confidence)))

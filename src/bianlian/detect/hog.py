"""HOG: dlib's frontal face detector, a sliding window over histograms of gradients. No weights to fetch, no landmarks.

Source: N. Dalal, B. Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005; dlib's five linear detectors (front,
turned left and right, tilted left and right) with a window of 80 pixels. What differs: the margin that dlib gives as score becomes
a number in [0, 1], and the box is moved to the project's definition (brow to chin, see ``Detector``).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import dlib
import numpy as np

from bianlian.detect.turned import with_turns
from bianlian.errors import ConfigError
from bianlian.types import Face, Image, check_image

_BOX_SHIFT, _BOX_SCALE = np.array([0.0, 0.085]), np.array([0.90, 0.93])
"""From dlib's box to the box of the 68 points, in units of its width and height."""


class Hog:
    """Finds upright, mostly frontal faces with dlib; keeps the contract ``Detector``. Faces have no landmarks.

    upsample: how often the picture is doubled first; 0 finds faces from 80 pixels, 1 from 40 (four times the time). margin: least
    margin of dlib's detector; above 0 fewer false alarms, below 0 more faces. rotate: search turned copies of a picture in which
    no upright face is found.
    """

    def __init__(self, *, upsample: int = 1, margin: float = 0.0, rotate: bool = True) -> None:
        """Load the detector. Raises ConfigError for an upsample below 0 or above 4."""
        if not 0 <= upsample <= 4:
            raise ConfigError(f"upsample must lie in 0..4, got {upsample}; 1 is the default")
        self._upsample, self._margin, self._rotate = upsample, margin, rotate
        self._detector = dlib.get_frontal_face_detector()

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each picture; ``landmarks`` is None.

        images: RGB uint8 (H, W, 3), sizes may differ -> as many lists, best score first. The score is 1 / (1 + exp(-4 m)) of the
        margin m: 0.5 at the detector's own threshold, 0.98 at a margin of 1.
        """
        for k, image in enumerate(images):
            check_image(image, f"images[{k}]")
        return with_turns(self._upright, images) if self._rotate else self._upright(images)

    def _upright(self, images: Sequence[Image]) -> list[list[Face]]:
        found = []
        for image in images:
            boxes, margins, _ = self._detector.run(np.ascontiguousarray(image), self._upsample, self._margin)
            faces = [_face(box, margin) for box, margin in zip(boxes, margins, strict=True)]
            found.append(sorted(faces, key=lambda face: -face.score))
        return found


def _face(box: dlib.rectangle, margin: float) -> Face:
    edges = np.array([box.left() - 0.5, box.top() - 0.5, box.right() + 0.5, box.bottom() + 0.5])
    size = edges[2:] - edges[:2]
    centre, half = (edges[:2] + edges[2:]) / 2 + _BOX_SHIFT * size, size * _BOX_SCALE / 2
    return Face(np.concatenate([centre - half, centre + half]), 1 / (1 + exp(-4 * margin)))

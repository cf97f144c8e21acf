"""dlib's 68 points, from its cascade of regression trees. Weights for non-commercial research only; never the default.

Source: V. Kazemi and J. Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR 2014; D. King's
``shape_predictor_68_face_landmarks``, trained on the iBUG 300-W pictures, whose terms exclude commercial use: a ``TermsWarning``
says so each time it is loaded. What differs: the picture is turned upright by the face's points first; the trees run from five
places of the box and the mean counts, which lowers their error and jitter (dlib's points are whole pixels, here of a 400-pixel
picture); a second pass starts from the first one's points. dlib gives no score: a face is None when the last pass's five results
differ (spread, in outline widths: at most 0.015 over 400 frames of rendered faces, 0.03 and more on noise and backgrounds).
"""

from __future__ import annotations

from collections.abc import Sequence

import dlib
import numpy as np

from bianlian.detect.pyramid import Pyramid
from bianlian.errors import ConfigError
from bianlian.geometry import apply, box_of, compose, invert
from bianlian.landmark._terms import show_terms
from bianlian.landmark._upright import settle, square_from_head
from bianlian.types import Face, Image, Landmarks, Matrix, check_image
from bianlian.weights import EXTRA_CARDS, locate

SIDE = 400
"""Side of the upright picture in pixels; the box that the trees are trained for is its middle half."""
_SQUARE = square_from_head((0.0, 0.18), 2.0, SIDE)
_STARTS = ((0.0, 0.0, 1.0), (-0.06, -0.06, 0.95), (0.06, -0.06, 1.05), (-0.06, 0.06, 1.05), (0.06, 0.06, 0.95))
"""Shifts (box sides) and scales of the boxes that the trees start from."""
_INNER = slice(17, 68)


class Dlib68:
    """Marks 68 points (scheme ``ibug68``); keeps the contract ``Landmarker``. For one thread at a time.

    spread: a face is None when its inner points differ by more than this between the starts (RMS, outline widths). passes: 1 or
    more; each after the first looks at the place that the one before it found.
    """

    def __init__(self, *, spread: float = 0.025, passes: int = 2) -> None:
        """Load the trees and warn of their terms. Raises ConfigError for a setting out of range, and WeightsError."""
        if not spread > 0:
            raise ConfigError(f"spread must be more than 0 outline widths, got {spread}; 0.025 is the default")
        if passes < 1:
            raise ConfigError(f"passes must be 1 or more, got {passes}; 2 is the default")
        self._spread, self._passes = spread, passes
        card = EXTRA_CARDS["dlib_68"]
        self._trees = dlib.shape_predictor(str(locate(card)))
        show_terms(card)

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Mark each face: ``landmarks`` set to the 68 points, ``box`` refitted to them; score kept.

        image (H, W, 3) uint8; faces with boxes in its pixels -> as many faces, None where there is no face. The landmarks of a
        face, when it has some, say how the head is turned; without them it is taken to be upright.
        """
        check_image(image)
        pyramid = Pyramid(image)
        return [self._mark(pyramid, face) for face in faces]

    def _mark(self, pyramid: Pyramid, face: Face) -> Face | None:
        settled = settle(face, lambda head: self._run(pyramid, compose(_SQUARE, head)), self._passes)
        if settled is None or not settled[1] <= self._spread:
            return None
        return Face(box_of(settled[0].points), face.score, settled[0])

    def _run(self, pyramid: Pyramid, view_from_frame: Matrix) -> tuple[Landmarks, float]:
        """Run the trees from every start -> the mean points in the frame, and how far the starts lie apart."""
        view = pyramid.view(view_from_frame, SIDE, replicate=True)
        shapes = []
        for right, down, scale in _STARTS:
            middle = (SIDE - 1) / 2 + np.array([right, down]) * SIDE / 2
            corners = np.concatenate([middle - scale * SIDE / 4, middle + scale * SIDE / 4]).round().astype(int)
            found = self._trees(view, dlib.rectangle(*corners.tolist())).parts()
            shapes.append([(point.x, point.y) for point in found])
        every = np.array(shapes, np.float64)
        mean = every.mean(0)
        apart = np.sqrt(((every - mean) ** 2).sum(-1).mean(0))[_INNER].mean() / (SIDE / 2)
        return Landmarks(apply(invert(view_from_frame), mean), "ibug68"), float(apart)

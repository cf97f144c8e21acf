"""Face mesh: 468 points of a face from one small network, run twice.

Source: Y. Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", arXiv 1907.06724; the
network is MediaPipe's ``face_landmark`` (192 x 192), by OpenVINO. What differs: the network is always run on its own refined
region (the second pass looks at the square around the first pass's mesh, eyes level), so that the points hardly depend on the
detector's box; large faces are shrunk without skipping pixels, which more than halves the jitter of the points of faces of 500
pixels and more; the third coordinate is dropped.

Conventions: the network counts from the corner of its first pixel, the project from that pixel's centre, so 0.5 is subtracted
in the region before points go back to the frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bianlian.detect.pyramid import Pyramid
from bianlian.errors import ConfigError
from bianlian.geometry import apply, box_of, invert
from bianlian.landmark.schemes import convert
from bianlian.runtime import compile_file
from bianlian.types import Face, Image, Landmarks, Matrix, Points, check_image
from bianlian.weights import CARDS, locate

SIDE = 192
"""Side of the network's input in pixels."""
ROI_FACTOR = 1.5
"""Side of the region over the longer side of the box around the face."""

_RIGHT_EYE, _LEFT_EYE = (33, 133, 159, 145), (263, 362, 386, 374)
_UPRIGHT = np.array([1.0, 0.0])


class FaceMesh:
    """Marks 468 points (scheme ``mesh468``); keeps the contract ``Landmarker``. For one thread at a time.

    presence: a face is None when the network's own score of "there is a face", in [0, 1], is below this. passes: 1 or more;
    each pass after the first looks at the region that the pass before it found.
    """

    def __init__(self, *, presence: float = 0.5, passes: int = 2) -> None:
        """Load the network. Raises ConfigError for a setting out of range and WeightsError when the weights cannot be had."""
        if not 0 <= presence <= 1:
            raise ConfigError(f"presence must lie in [0, 1], got {presence}; 0.5 is the default")
        if passes < 1:
            raise ConfigError(f"passes must be 1 or more, got {passes}; 2 is the default")
        self._presence, self._passes = presence, passes
        self._network = compile_file(locate(CARDS["facemesh"]))

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Mark each face: ``landmarks`` set to the mesh, ``box`` refitted to its 68 iBUG points (brow to chin); score kept.

        image (H, W, 3) uint8; faces with boxes in its pixels -> as many faces, None where there is no face. The landmarks of a
        face, when it has some, say how the head is turned; without them all four quarter turns are tried.
        """
        check_image(image)
        pyramid = Pyramid(image)
        return [self._mark(pyramid, face) for face in faces]

    def _mark(self, pyramid: Pyramid, face: Face) -> Face | None:
        mesh, logit = self._refine(pyramid, *_start(face))
        if face.landmarks is None:
            turns = [self._refine(pyramid, _square(face.box), axis) for axis in ((0.0, 1.0), (0.0, -1.0), (-1.0, 0.0))]
            mesh, logit = max([(mesh, logit), *turns], key=lambda turn: turn[1])
        if 1 / (1 + np.exp(-logit)) < self._presence or not np.isfinite(mesh).all():
            return None
        landmarks = Landmarks(mesh, "mesh468")
        return Face(box_of(convert(landmarks, "ibug68").points), face.score, landmarks)

    def _refine(self, pyramid: Pyramid, square: Points, axis: Sequence[float] | NDArray[np.float64]) -> tuple[Points, float]:
        """Run all passes from a square (centre, half side) and the direction of the eyes -> mesh (468, 2), logit of presence."""
        for _ in range(self._passes):
            mesh, logit = self._run(pyramid, _roi_from_frame(square, np.asarray(axis, np.float64)))
            square, axis = _square_of(mesh)
        return mesh, logit

    def _run(self, pyramid: Pyramid, roi_from_frame: Matrix) -> tuple[Points, float]:
        roi = pyramid.view(roi_from_frame, SIDE, replicate=True)
        mesh, logit = self._network(np.asarray(roi / 255, np.float32)[None])
        points = mesh.reshape(468, 3)[:, :2].astype(np.float64) - 0.5
        return apply(invert(roi_from_frame), points), float(np.clip(logit.ravel()[0], -60, 60))


def _start(face: Face) -> tuple[Points, NDArray[np.float64]]:
    """Choose the first region: around the mesh when the face has one already, else around the box, turned as its eyes are."""
    if face.landmarks is None:
        return _square(face.box), _UPRIGHT
    if face.landmarks.scheme.startswith("mesh"):
        return _square_of(face.landmarks.points)
    eyes = convert(face.landmarks, "five").points
    return _square(face.box), _direction(eyes[0], eyes[1])


def _square(box: NDArray[np.float64]) -> Points:
    """Describe the square around a box -> (2, 2): its centre, and half its side twice."""
    return np.stack([(box[:2] + box[2:]) / 2, np.full(2, max(box[2:] - box[:2]) / 2)])


def _square_of(mesh: Points) -> tuple[Points, NDArray[np.float64]]:
    """Find the square around a mesh in the head's own upright, and the direction of its eyes."""
    axis = _direction(mesh[list(_RIGHT_EYE)].mean(0), mesh[list(_LEFT_EYE)].mean(0))
    upright = np.array([[axis[0], axis[1]], [-axis[1], axis[0]]])
    square = _square(box_of(mesh @ upright.T))
    return np.stack([square[0] @ upright, square[1]]), axis


def _direction(right: Points, left: Points) -> NDArray[np.float64]:
    along = left - right
    length = float(np.hypot(*along))
    return along / length if length > 1e-6 else _UPRIGHT


def _roi_from_frame(square: Points, axis: NDArray[np.float64]) -> Matrix:
    """Map the square, widened by ROI_FACTOR and turned so that ``axis`` lies level, to the network's input -> (2, 3)."""
    scale = SIDE / (ROI_FACTOR * 2 * max(float(square[1, 0]), 0.5))
    linear = scale * np.array([[axis[0], axis[1]], [-axis[1], axis[0]]])
    return np.concatenate([linear, ((SIDE - 1) / 2 - linear @ square[0])[:, None]], axis=1)

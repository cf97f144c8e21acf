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
_WIDER, _TURN = 0.07, 5.0
"""How much the views differ in size, a share, and how far they are turned, degrees."""


class FaceMesh:
    """Marks 468 points (scheme ``mesh468``); keeps the contract ``Landmarker``. For one thread at a time.

    presence: a face is None when the network's own score of "there is a face", in [0, 1], is below this. passes: 1 or more;
    each pass after the first looks at the region that the pass before it found. views: 0 or more; the mesh is the mean of so many
    more looks at the last region, a little larger, smaller and turned, which calms it (0: the last pass's own mesh).
    """

    def __init__(self, *, presence: float = 0.5, passes: int = 2, views: int = 0) -> None:
        """Load the network. Raises ConfigError for a setting out of range and WeightsError when the weights cannot be had."""
        if not 0 <= presence <= 1:
            raise ConfigError(f"presence must lie in [0, 1], got {presence}; 0.5 is the default")
        if passes < 1:
            raise ConfigError(f"passes must be 1 or more, got {passes}; 2 is the default")
        if views < 0:
            raise ConfigError(f"views must be 0 or more, got {views}; 0 is the default")
        self._presence, self._passes, self._views = presence, passes, views
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
        landmarks = Landmarks(self._calmed(pyramid, mesh), "mesh468")
        return Face(box_of(convert(landmarks, "ibug68").points), face.score, landmarks)

    def _refine(self, pyramid: Pyramid, square: Points, axis: Sequence[float] | NDArray[np.float64]) -> tuple[Points, float]:
        """Run all passes from a square (centre, half side) and the direction of the eyes -> mesh (468, 2), logit of presence."""
        for _ in range(self._passes):
            mesh, logit = self._run(pyramid, _roi_from_frame(square, np.asarray(axis, np.float64)))
            square, axis = _square_of(mesh)
        return mesh, logit

    def _calmed(self, pyramid: Pyramid, mesh: Points) -> Points:
        """Average the meshes of all views of the region around a mesh; the mesh itself without views."""
        if not self._views:
            return mesh
        square, axis = _square_of(mesh)
        factors = ROI_FACTOR * np.linspace(1 - _WIDER, 1 + _WIDER, self._views)
        turns = [_TURN if k % 2 else -_TURN for k in range(self._views)]
        rois = [turned_roi(square, axis, SIDE, f, t) for f, t in zip(factors, turns, strict=True)]
        return np.asarray(np.mean([self._run(pyramid, roi)[0] for roi in rois], axis=0))

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


def turned_roi(square: Points, along: NDArray[np.float64], side: int, factor: float, degrees: float) -> Matrix:
    """Map a square around a face or eye to a network's input of ``side`` x ``side`` pixels -> (2, 3).

    square (2, 2): its centre, and half its side twice. along (2,): what lies level in the input when ``degrees`` is 0; with more
    it comes to lie turned clockwise. factor: the input's view over the square's side.
    """
    length = float(np.hypot(*along))
    x, y = along / length if length > 1e-6 else _UPRIGHT
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    scale = side / (factor * 2 * max(float(square[1, 0]), 0.5))
    linear = scale * np.array([[cos, -sin], [sin, cos]]) @ np.array([[x, y], [-y, x]])
    return np.concatenate([linear, ((side - 1) / 2 - linear @ square[0])[:, None]], axis=1)

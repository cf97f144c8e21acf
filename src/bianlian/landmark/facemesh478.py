"""Face mesh with irises and exact eyes: 478 points, steadier than ``facemesh`` alone and five times its work.

The mesh is ``facemesh``'s, seen four times more from views a little larger, smaller and turned, of which the mean counts: that
halves what is left of its jitter. Then a second network looks at each eye by itself and marks the iris and the lids again.
Source of that network: A. Ablavatski et al., "Real-time Pupil Tracking from Monocular Video for Digital Puppetry", arXiv
2006.11341; MediaPipe's ``iris_landmark`` (64 x 64), by OpenVINO. What differs: only the 16 points of each eye's edge replace the
mesh's (those around the eye and on the brow are worse than the mesh's own); two views an eye, of which the mean counts. Errors
and jitter are measured in ``docs/landmarks.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bianlian.detect.pyramid import Pyramid
from bianlian.geometry import apply, compose, invert
from bianlian.landmark.facemesh import FaceMesh, turned_roi
from bianlian.landmark.schemes import convert
from bianlian.runtime import compile_file
from bianlian.types import Face, Image, Landmarks, Matrix, Points, check_image
from bianlian.weights import CARDS, locate

SIDE = 64
"""Side of the eye network's input in pixels."""
STRAY = 0.3
"""Lids that lie, in the mean, more than this many eye widths from the mesh's are not believed (a hidden eye; 0.05 is usual)."""

_VIEWS = ((2.2, -5.0), (2.5, 5.0))
"""Sides of the pictures of an eye over its width, and how far they are turned, degrees."""
_MIRROR = np.array([[-1.0, 0.0, SIDE - 1.0], [0.0, 1.0, 0.0]])
_RIGHT_LIDS = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
_LEFT_LIDS = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
"""Vertices of the mesh that are the first 16 points of the eye network; it knows right eyes, left ones are shown mirrored."""


class FaceMesh478:
    """Marks 478 points (scheme ``mesh478``); keeps the contract ``Landmarker``. For one thread at a time.

    presence, passes, views: see ``FaceMesh``.
    """

    def __init__(self, *, presence: float = 0.5, passes: int = 2, views: int = 4) -> None:
        """Load both networks. Raises ConfigError for a setting out of range and WeightsError when weights cannot be had."""
        self._mesh = FaceMesh(presence=presence, passes=passes, views=views)
        self._eye = compile_file(locate(CARDS["iris"]))

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Mark each face: ``landmarks`` set to mesh and irises; the rest as ``FaceMesh.mark``."""
        check_image(image)
        pyramid = Pyramid(image)
        return [None if face is None else self._refine(pyramid, face) for face in self._mesh.mark(image, faces)]

    def _refine(self, pyramid: Pyramid, face: Face) -> Face:
        assert face.landmarks is not None
        mesh = convert(face.landmarks, "mesh468").points
        exact, irises = mesh.copy(), []
        for lids, corners, mirrored in ((_RIGHT_LIDS, mesh[[33, 133]], False), (_LEFT_LIDS, mesh[[362, 263]], True)):
            width = float(np.hypot(*(corners[1] - corners[0])))
            edge, iris = self._look(pyramid, corners, width, mirrored)
            if np.hypot(*(edge - mesh[list(lids)]).T).mean() <= STRAY * width:
                exact[list(lids)] = edge
            irises.append(iris)
        return Face(face.box, face.score, Landmarks(np.concatenate([exact, *irises]), "mesh478"))

    def _look(self, pyramid: Pyramid, corners: Points, width: float, mirrored: bool) -> tuple[Points, Points]:
        """Mark one eye by all views. corners (2, 2): image left, image right -> its edge (16, 2) and iris (5, 2) in the frame."""
        square = np.stack([corners.mean(0), np.full(2, width / 2)])
        edges: list[NDArray[np.float64]] = []
        irises: list[NDArray[np.float64]] = []
        for factor, degrees in _VIEWS:
            view_from_frame: Matrix = turned_roi(square, corners[1] - corners[0], SIDE, factor, degrees)
            if mirrored:
                view_from_frame = compose(_MIRROR, view_from_frame)
            view = pyramid.view(view_from_frame, SIDE, replicate=True)
            edge, iris = sorted(self._eye(np.asarray(view / 255, np.float32)[None]), key=lambda out: -out.size)
            for found, out, count in ((edges, edge, 16), (irises, iris, 5)):
                points = out.reshape(-1, 3)[:count, :2].astype(np.float64) - 0.5
                found.append(apply(invert(view_from_frame), points))
        return np.mean(edges, axis=0), np.mean(irises, axis=0)

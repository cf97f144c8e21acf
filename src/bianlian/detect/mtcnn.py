"""MTCNN: a cascade of three small networks over an image pyramid, with five real landmarks.

Source: K. Zhang et al., arXiv 1604.02878; settings as in the paper's own program. What differs: views are cut with anti-aliasing
and black outside the picture, frames of one size share each pass of the first network, and the last box is moved to the
project's definition (brow to chin, see ``Detector``).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bianlian.detect._mtcnn_nets import load_nets
from bianlian.detect.pyramid import Pyramid
from bianlian.errors import ConfigError
from bianlian.types import Face, Image, Landmarks, check_image

Boxes = NDArray[np.float64]

_WINDOW, _STRIDE = 12, 2
_BOX_SHIFT, _BOX_SCALE = np.array([0.02, 0.13]), np.array([1.01, 0.75])
"""From the network's box to the box of the 68 points, in units of its width and height."""


class Mtcnn:
    """Finds faces with MTCNN; keeps the contract ``Detector``.

    thresholds: least face probability after each network. factor: between the pyramid's levels. min_face: side in pixels of the
    smallest face looked for. square: give boxes of the same area and centre, squared. Faces turned by more than about 45 degrees
    are missed, or found with wrong points: see ``blazeface``.
    """

    def __init__(
        self,
        *,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        min_face: int = 20,
        square: bool = False,
    ) -> None:
        """Load the networks. Raises ConfigError for a setting out of range and WeightsError when the weights cannot be had."""
        if not all(0 <= t <= 1 for t in thresholds) or len(thresholds) != 3:
            raise ConfigError(f"thresholds must be three numbers in [0, 1], got {thresholds}")
        if not 0 < factor < 1:
            raise ConfigError(f"factor must lie between 0 and 1, got {factor}; 0.709 is the default")
        if min_face < _WINDOW:
            raise ConfigError(f"min_face must be {_WINDOW} or more, got {min_face}; 20 is the default")
        self._thresholds, self._factor, self._min_face, self._square = thresholds, factor, min_face, square
        self._pnet, self._rnet, self._onet = load_nets()

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each picture; each carries ``five`` landmarks.

        images: RGB uint8 (H, W, 3), sizes may differ -> as many lists, best score first.
        """
        for k, image in enumerate(images):
            check_image(image, f"images[{k}]")
        found: list[list[Face]] = [[] for _ in images]
        for shape in dict.fromkeys(image.shape for image in images):
            group = [k for k, image in enumerate(images) if image.shape == shape]
            for k, proposals in zip(group, self._propose([images[k] for k in group]), strict=True):
                found[k] = self._decide(Pyramid(images[k]), proposals)
        return found

    def _propose(self, images: Sequence[Image]) -> list[Boxes]:
        """Run the first network on every level of pictures of one size -> for each the boxes (N, 4) worth a closer look."""
        height, width = images[0].shape[:2]
        proposals: list[list[tuple[Boxes, Boxes]]] = [[] for _ in images]
        scale = _WINDOW / self._min_face
        while min(height, width) * scale >= _WINDOW:
            size = (round(width * scale), round(height * scale))
            level = [np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in images]
            offsets, faces = (t.numpy() for t in self._pnet(_batch(level)))
            for k in range(len(images)):
                boxes, scores = _windows(offsets[k], faces[k], self._thresholds[0], (width / size[0], height / size[1]))
                kept = _suppress(boxes, scores, 0.5)
                proposals[k].append((boxes[kept], scores[kept]))
            scale *= self._factor
        return [self._pool(levels) for levels in proposals]

    def _pool(self, levels: Sequence[tuple[Boxes, Boxes]]) -> Boxes:
        if not levels:
            return np.empty((0, 4))
        boxes, scores = np.concatenate([b for b, _ in levels]), np.concatenate([s for _, s in levels])
        return boxes[_suppress(boxes, scores, 0.7)]

    def _decide(self, pyramid: Pyramid, boxes: Boxes) -> list[Face]:
        """Run the second and third network on one picture's proposals (N, 4)."""
        boxes = _squared(boxes)
        if len(boxes):
            offsets, faces = (t.numpy().astype(np.float64) for t in self._rnet(_views(pyramid, boxes, 24)))
            boxes, faces = _moved(boxes, offsets)[faces > self._thresholds[1]], faces[faces > self._thresholds[1]]
            boxes = _squared(boxes[_suppress(boxes, faces, 0.7)])
        if not len(boxes):
            return []
        offsets, faces, points = (t.numpy().astype(np.float64) for t in self._onet(_views(pyramid, boxes, 48)))
        sure = faces > self._thresholds[2]
        sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
        spots = (boxes[:, None, :2] + points.reshape(-1, 2, 5).transpose(0, 2, 1) * sides)[sure]
        boxes, faces = _moved(boxes, offsets)[sure], faces[sure]
        return [self._face(boxes[k], float(faces[k]), spots[k]) for k in _suppress(boxes, faces, 0.7, over_smaller=True)]

    def _face(self, box: NDArray[np.float64], score: float, points: NDArray[np.float64]) -> Face:
        size = box[2:] - box[:2]
        centre, size = (box[:2] + box[2:]) / 2 + _BOX_SHIFT * size, size * _BOX_SCALE
        if self._square:
            size = np.full(2, np.sqrt(size.prod()))
        return Face(np.concatenate([centre - size / 2, centre + size / 2]), min(score, 1.0), Landmarks(points, "five"))


def _batch(views: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """Stack pictures of one size -> (B, 3, H, W) float32 in [-1, 1]."""
    stacked = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)
    return (stacked.float() - 127.5) / 128


def _views(pyramid: Pyramid, boxes: Boxes, side: int) -> torch.Tensor:
    """Cut square boxes (N, 4) out at ``side`` pixels -> (N, 3, side, side)."""
    views = []
    for x1, y1, x2, _ in boxes:
        scale = side / (x2 - x1)
        views.append(pyramid.view(np.array([[scale, 0, -0.5 - scale * x1], [0, scale, -0.5 - scale * y1]]), side))
    return _batch(views)


def _windows(
    offsets: NDArray[np.float32], faces: NDArray[np.float32], threshold: float, step: tuple[float, float]
) -> tuple[Boxes, Boxes]:
    """Turn the first network's maps (4, h, w) and (h, w) into frame boxes (N, 4) and scores (N,).

    step: frame pixels a pixel of the level, along x and y.
    """
    rows, columns = np.nonzero(faces > threshold)
    corner = np.stack([columns, rows], axis=1) * _STRIDE
    boxes = np.concatenate([corner, corner + _WINDOW], axis=1) * np.tile(step, 2) - 0.5
    return _moved(boxes, offsets[:, rows, columns].T.astype(np.float64)), faces[rows, columns].astype(np.float64)


def _moved(boxes: Boxes, offsets: Boxes) -> Boxes:
    """Move each edge of boxes (N, 4) by its offset (N, 4), in units of the box's sides; boxes turned inside out become tiny."""
    moved = boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    return moved


def _squared(boxes: Boxes) -> Boxes:
    """Widen boxes (N, 4) to squares of their longer side around the same centre."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _suppress(boxes: Boxes, scores: Boxes, threshold: float, *, over_smaller: bool = False) -> list[int]:
    """Greedy non-maximum suppression -> indices kept, best first.

    Overlap is the shared area over the union, or over the smaller box's area.
    """
    kept, order = [], np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        sides = np.minimum(boxes[order, 2:], boxes[best, 2:]) - np.maximum(boxes[order, :2], boxes[best, :2])
        shared = np.clip(sides, 0, None).prod(axis=1)
        whole = np.minimum(areas[order], areas[best]) if over_smaller else areas[order] + areas[best] - shared
        order = order[shared <= threshold * whole]
    return kept

"""MTCNN: a cascade of three small networks over an image pyramid, with five real landmarks.

Source: K. Zhang et al., arXiv 1604.02878; settings as in the paper's own program. What differs: views are cut with anti-aliasing
and black outside the picture, frames of one size share each pass of the first network, and the last box is moved to the
project's definition (brow to chin, see ``Detector``). The first network looks at the levels in blocks of two fixed sizes, by
OpenVINO: four times as fast as whole levels in torch, and pictures of new sizes need no new compilation.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.detect._mtcnn_nets import load_nets
from bianlian.detect.pyramid import Pyramid
from bianlian.detect.turned import with_turns
from bianlian.errors import ConfigError
from bianlian.runtime import Network, compile_module
from bianlian.types import Face, Image, Landmarks, check_image

Boxes = NDArray[np.float64]

_WINDOW, _STRIDE = 12, 2
_BLOCKS = (256, 96)  # sides of the pieces of a level that the first network sees: large levels are cut into large ones
_BATCH = 8
_SURE = 0.98  # faces turned by a quarter and more that are read as upright ones score below
_BOX_SHIFT, _BOX_SCALE = np.array([0.02, 0.13]), np.array([1.01, 0.75])
"""From the network's box to the box of the 68 points, in units of its width and height."""


class Mtcnn:
    """Finds faces with MTCNN; keeps the contract ``Detector``.

    thresholds: least face probability after each network. factor: between the pyramid's levels. min_face: side in pixels of the
    smallest face looked for. square: give boxes of the same area and centre, squared. rotate: search turned copies of a
    picture in which no upright face is found for sure: some turned ones are read as upright, with wrong points and a low score.
    """

    def __init__(
        self,
        *,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        min_face: int = 20,
        square: bool = False,
        rotate: bool = True,
    ) -> None:
        """Load the networks. Raises ConfigError for a setting out of range and WeightsError when the weights cannot be had."""
        if not all(0 <= t <= 1 for t in thresholds) or len(thresholds) != 3:
            raise ConfigError(f"thresholds must be three numbers in [0, 1], got {thresholds}")
        if not 0 < factor < 1:
            raise ConfigError(f"factor must lie between 0 and 1, got {factor}; 0.709 is the default")
        if min_face < _WINDOW:
            raise ConfigError(f"min_face must be {_WINDOW} or more, got {min_face}; 20 is the default")
        self._thresholds, self._factor, self._min_face, self._square = thresholds, factor, min_face, square
        self._rotate = rotate
        pnet, rnet, onet = self._nets = load_nets()  # kept: compiled networks of changing batch go back to their weights
        self._pnets = {side: compile_module(pnet, (1, 3, side, side), dynamic_batch=True) for side in _BLOCKS}
        self._rnet = compile_module(rnet, (1, 3, 24, 24), dynamic_batch=True)
        self._onet = compile_module(onet, (1, 3, 48, 48), dynamic_batch=True)

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each picture; each carries ``five`` landmarks.

        images: RGB uint8 (H, W, 3), sizes may differ -> as many lists, best score first.
        """
        for k, image in enumerate(images):
            check_image(image, f"images[{k}]")
        return with_turns(self.upright, images, sure=_SURE) if self._rotate else self.upright(images)

    def upright(self, images: Sequence[Image], min_face: int | None = None) -> list[list[Face]]:
        """Find the upright faces of each picture as ``detect`` does, from another smallest size on when one is given."""
        found: list[list[Face]] = [[] for _ in images]
        for shape in dict.fromkeys(image.shape for image in images):
            group = [k for k, image in enumerate(images) if image.shape == shape]
            for k, proposals in zip(group, self._propose([images[k] for k in group], min_face or self._min_face), strict=True):
                found[k] = self._decide(Pyramid(images[k]), proposals)
        return found

    def _propose(self, images: Sequence[Image], min_face: int) -> list[Boxes]:
        """Run the first network on every level of pictures of one size -> for each the boxes (N, 4) worth a closer look."""
        height, width = images[0].shape[:2]
        proposals: list[list[tuple[Boxes, Boxes]]] = [[] for _ in images]
        halves = [Pyramid(image) for image in images]
        scale = _WINDOW / min_face
        while min(height, width) * scale >= _WINDOW:
            size = (round(width * scale), round(height * scale))
            near = [half.at_least(size) for half in halves]
            level = [np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in near]
            for k, (offsets, faces) in enumerate(self._slide(level)):
                boxes, scores = _windows(offsets, faces, self._thresholds[0], (width / size[0], height / size[1]))
                kept = _suppress(boxes, scores, 0.5)
                proposals[k].append((boxes[kept], scores[kept]))
            scale *= self._factor
        return [self._pool(levels) for levels in proposals]

    def _slide(self, level: Sequence[NDArray[np.uint8]]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Run the first network over pictures of one size, block by block -> maps (4, h, w) and (h, w) of each."""
        height, width = level[0].shape[:2]
        block = _BLOCKS[0] if max(height, width) > 2 * _BLOCKS[1] else _BLOCKS[1]
        rows, columns = ((n - _WINDOW) // _STRIDE + 1 for n in (height, width))
        cells = (block - _WINDOW) // _STRIDE + 1
        places = [(y, x) for y in range(0, rows, cells) for x in range(0, columns, cells)]
        maps = [(np.zeros((4, rows, columns), np.float32), np.zeros((rows, columns), np.float32)) for _ in level]
        jobs = [(k, y, x) for k in range(len(level)) for y, x in places]
        for first in range(0, len(jobs), _BATCH):
            part = jobs[first : first + _BATCH]
            views = np.zeros((len(part), block, block, 3), np.uint8)
            for view, (k, y, x) in zip(views, part, strict=True):
                piece = level[k][_STRIDE * y : _STRIDE * y + block, _STRIDE * x : _STRIDE * x + block]
                view[: piece.shape[0], : piece.shape[1]] = piece
            for (k, y, x), boxes, faces in zip(part, *self._pnets[block](_batch(views)), strict=True):
                high, wide = min(cells, rows - y), min(cells, columns - x)
                maps[k][0][:, y : y + high, x : x + wide] = boxes[:, :high, :wide]
                maps[k][1][y : y + high, x : x + wide] = faces[:high, :wide]
        return maps

    def _pool(self, levels: Sequence[tuple[Boxes, Boxes]]) -> Boxes:
        if not levels:
            return np.empty((0, 4))
        boxes, scores = np.concatenate([b for b, _ in levels]), np.concatenate([s for _, s in levels])
        return boxes[_suppress(boxes, scores, 0.7)]

    def _decide(self, pyramid: Pyramid, boxes: Boxes) -> list[Face]:
        """Run the second and third network on one picture's proposals (N, 4)."""
        boxes = _squared(boxes)
        if len(boxes):
            offsets, faces = _run(self._rnet, _views(pyramid, boxes, 24))
            boxes, faces = _moved(boxes, offsets)[faces > self._thresholds[1]], faces[faces > self._thresholds[1]]
            boxes = _squared(boxes[_suppress(boxes, faces, 0.7)])
        if not len(boxes):
            return []
        offsets, faces, points = _run(self._onet, _views(pyramid, boxes, 48))
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


def _batch(views: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Make pictures (B, H, W, 3) a network's input -> (B, 3, H, W) float32 in [-1, 1]."""
    return np.ascontiguousarray((views.transpose(0, 3, 1, 2).astype(np.float32) - np.float32(127.5)) / np.float32(128))


def _run(network: Network, views: NDArray[np.uint8]) -> list[Boxes]:
    """Run the second or third network on views (N, S, S, 3), some at a time."""
    parts = [network(_batch(views[k : k + 8 * _BATCH])) for k in range(0, len(views), 8 * _BATCH)]
    return [np.concatenate(output).astype(np.float64) for output in zip(*parts, strict=True)]


def _views(pyramid: Pyramid, boxes: Boxes, side: int) -> NDArray[np.uint8]:
    """Cut square boxes (N, 4) out at ``side`` pixels -> (N, side, side, 3)."""
    views = []
    for x1, y1, x2, _ in boxes:
        scale = side / (x2 - x1)
        views.append(pyramid.view(np.array([[scale, 0, -0.5 - scale * x1], [0, scale, -0.5 - scale * y1]]), side))
    return np.stack(views)


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

"""The augmentation of the original deepfake: turn, zoom, shift and flip a face, and warp what the encoder sees.

A faceset crop (coverage 0.45) is wider than the model's picture (coverage 0.72, its inner 62.5 %). The encoder sees it through
a 5x5 grid whose nodes are pushed about; the truth is the plain picture under the similarity that fits the pushed grid best
(Umeyama). Numbers: rotation +-10 degrees, zoom +-5 %, shift +-5 % of the faceset crop, flip 0.4, nodes by sigma 5 pixels of a
256-pixel crop. Both maps are composed, so that each picture is sampled once.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.errors import ConfigError
from bianlian.geometry import apply, compose, invert, umeyama
from bianlian.train.focus import focus_map
from bianlian.types import Image, Mask, Matrix, Points

GRID = 5


@dataclass(frozen=True)
class AugmentConfig:
    """How much a face is changed before training sees it.

    rotation: degrees either way. zoom, shift: share either way. flip: probability. warp: standard deviation of the grid nodes in
    pixels of a 256-pixel crop, 0 for none. light: standard deviation of the gain of each colour channel, the same on input and
    truth, 0 for none. blur: probability that the input alone is made soft, as a small face in a frame is.
    """

    rotation: float = 10.0
    zoom: float = 0.05
    shift: float = 0.05
    flip: float = 0.4
    warp: float = 5.0
    light: float = 0.05
    blur: float = 0.25

    def __post_init__(self) -> None:
        if not (0 <= self.flip <= 1 and 0 <= self.blur <= 1):
            raise ConfigError(f"flip and blur are probabilities in [0, 1], got {self.flip} and {self.blur}")
        if not (
            0 <= self.rotation <= 180 and 0 <= self.zoom < 1 and 0 <= self.shift < 1 and self.warp >= 0 and 0 <= self.light < 1
        ):
            raise ConfigError("rotation must lie in [0, 180], zoom, shift and light in [0, 1), warp must be 0 or more")


GENTLE = AugmentConfig(rotation=3.0, zoom=0.02, shift=0.02, flip=0.0, warp=1.5, light=0.05, blur=0.05)
"""For people who start from the base, whose encoder knows other faces already: what the strong warp is there to teach.

Measured on the demo pair, three and a half minutes from the base: with the reference's augmentation the loss on the pair was 0.22
and the swapped face's Laplacian variance 0.11 of the target's at 128 px; gentle, 0.11 (the same terms) and 0.18, at less distance
to the truth.
"""


def model_from_faceset(faceset_size: int, faceset_coverage: float, size: int, coverage: float) -> Matrix:
    """Map (2, 3) from a faceset crop to the model's picture of the same face: both are centred on the same point."""
    factor = size * coverage / (faceset_size * faceset_coverage)
    shift = (size - 1) / 2 - factor * (faceset_size - 1) / 2
    return np.array([[factor, 0.0, shift], [0.0, factor, shift]])


def augment(
    crop: Image, points: Points, model_from_crop: Matrix, size: int, config: AugmentConfig, rng: np.random.Generator
) -> tuple[Image, Image, Mask]:
    """Make one training example of a faceset crop.

    crop (C, C, 3) uint8; points (68, 2) in its pixels; model_from_crop (2, 3), see ``model_from_faceset``; size: side of the
    model's picture -> warped and truth (size, size, 3) uint8, weight (size, size) float32 (``focus_map`` of the truth).
    """
    moved_from_crop = _random_move(len(crop), config, rng)
    if rng.random() < config.flip:
        mirror = np.array([[-1.0, 0.0, len(crop) - 1.0], [0.0, 1.0, 0.0]])
        moved_from_crop = compose(moved_from_crop, mirror)
    crop_from_moved = invert(moved_from_crop)
    moved_from_model = invert(model_from_crop)  # the move happens in the crop's own pixels
    nodes_model = _nodes(size)
    nodes_moved = apply(moved_from_model, nodes_model) + rng.normal(0.0, 1.0, (GRID * GRID, 2)) * config.warp * len(crop) / 256
    look = _dense(apply(crop_from_moved, nodes_moved), size)
    warped = cv2.remap(crop, look[..., 0], look[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    truth_from_crop = compose(umeyama(nodes_moved, nodes_model), moved_from_crop)
    truth = cv2.warpAffine(crop, truth_from_crop, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    weight = focus_map(apply(truth_from_crop, points), size)
    warped, truth = _light(np.asarray(warped, np.uint8), np.asarray(truth, np.uint8), config, rng)
    return _soften(warped, config, rng), truth, weight


def _random_move(size: int, config: AugmentConfig, rng: np.random.Generator) -> Matrix:
    angle = np.radians(rng.uniform(-config.rotation, config.rotation))
    zoom = 1 + rng.uniform(-config.zoom, config.zoom)
    shift = rng.uniform(-config.shift, config.shift, 2) * size
    turn = zoom * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.full(2, (size - 1) / 2)
    return np.concatenate([turn, (centre + shift - turn @ centre)[:, None]], axis=1)


def _nodes(size: int) -> Points:
    line = np.linspace(-0.5, size - 0.5, GRID)
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _dense(nodes: Points, size: int) -> NDArray[np.float32]:
    # cv2.resize puts the centres of the 5 nodes so that all but half a cell at each border is interpolated: cut that off.
    wide = size * GRID // (GRID - 1)
    margin = (wide - size) // 2
    grid = nodes.reshape(GRID, GRID, 2).astype(np.float32)
    full = cv2.resize(grid, (wide, wide), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(full[margin : margin + size, margin : margin + size], np.float32)


def _light(warped: Image, truth: Image, config: AugmentConfig, rng: np.random.Generator) -> tuple[Image, Image]:
    if config.light == 0:
        return warped, truth
    gain = rng.normal(1.0, config.light, 3)
    table = np.clip(np.arange(256)[:, None] * gain + 0.5, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(warped, table), np.uint8), np.asarray(cv2.LUT(truth, table), np.uint8)


def _soften(warped: Image, config: AugmentConfig, rng: np.random.Generator) -> Image:
    if rng.random() >= config.blur:
        return warped
    side = len(warped)
    small = max(8, int(side * rng.uniform(0.3, 0.8)))
    shrunk = cv2.resize(warped, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)

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
from bianlian.train.focus import eye_centres, eye_map, focus_map
from bianlian.train.occluders import put_before
from bianlian.types import Image, Mask, Matrix, Points

GRID = 5
_STREAKS = (5, 7, 9, 11)
"""Lengths of motion blur, in pixels of a 256-pixel crop."""


@dataclass(frozen=True)
class AugmentConfig:
    """How much a face is changed before training sees it.

    rotation: degrees either way. zoom, shift: share either way. flip: probability. warp: standard deviation of the grid nodes in
    pixels of a 256-pixel crop, 0 for none. light: standard deviation of the gain of each colour channel, the same on input and
    truth, 0 for none. blur: probability that the input alone is made soft, as a small face in a frame is. match: probability that a
    face takes the colours of another one, see ``match_colour``; motion: that it is blurred by a motion, see ``streak``; both change
    input and truth alike, so that the network keeps them, or, with denoise, the input alone, so that it undoes them. reach: lowest
    and highest width of what the input shows, in widths of the model's picture. occlude: probability that something is put before
    the face in the input (``occluders``); the truth stays bare, and where it was hidden is told to models that draw a mask.
    """

    rotation: float = 10.0
    zoom: float = 0.05
    shift: float = 0.05
    flip: float = 0.4
    warp: float = 5.0
    light: float = 0.05
    blur: float = 0.25
    match: float = 0.0
    motion: float = 0.0
    denoise: bool = False
    reach: tuple[float, float] = (1.0, 1.0)
    occlude: float = 0.0

    def __post_init__(self) -> None:
        odds = (self.flip, self.blur, self.match, self.motion, self.occlude)
        if not all(0 <= share <= 1 for share in odds):
            raise ConfigError(f"flip, blur, match, motion and occlude are probabilities in [0, 1], got {', '.join(map(str, odds))}")
        if not 0.5 <= self.reach[0] <= self.reach[1] <= 1.5:
            raise ConfigError(f"reach must be two widths in order, in [0.5, 1.5], got {self.reach}")
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

GAN_REFERENCE = AugmentConfig(zoom=0.1, flip=0.5, warp=5.6, light=0.0, blur=0.0, match=0.5, reach=(78 / 80, 97 / 80))
"""The augmentation of faceswap-GAN v2.2: random coverage of 78 to 97 pixels of 256 either way (the model's picture is 80), colour
match half the time. Its motion blur (probability 0.25) is off by default there, as it is here. Of the nodes' sigma, U(5, 6.2)
there, the mean is taken."""


def model_from_faceset(faceset_size: int, faceset_coverage: float, size: int, coverage: float) -> Matrix:
    """Map (2, 3) from a faceset crop to the model's picture of the same face: both are centred on the same point."""
    factor = size * coverage / (faceset_size * faceset_coverage)
    shift = (size - 1) / 2 - factor * (faceset_size - 1) / 2
    return np.array([[factor, 0.0, shift], [0.0, factor, shift]])


def augment(
    crop: Image,
    points: Points,
    model_from_crop: Matrix,
    size: int,
    config: AugmentConfig,
    rng: np.random.Generator,
    *,
    tint: Image | None = None,
    front: Image | None = None,
) -> tuple[Image, Image, Mask, Mask, Mask]:
    """Make one training example of a faceset crop.

    crop (C, C, 3) uint8; points (68, 2) in its pixels; model_from_crop (2, 3), see ``model_from_faceset``; size: side of the
    model's picture; tint: a faceset crop whose colours the face takes; front: a picture of someone else, texture of what is put
    before the face -> warped and truth (size, size, 3) uint8, and three maps of the truth (size, size) float32: weight
    (``focus_map``), the mask of its eyes, and how much of each pixel the thing in front hides, in [0, 1].
    """
    tinted = crop if tint is None else match_colour(crop, tint, rng)
    seen, cover = (tinted, None) if front is None else put_before(tinted, eye_centres(points), front, rng)
    moved_from_crop = _random_move(len(crop), config, rng)
    if rng.random() < config.flip:
        mirror = np.array([[-1.0, 0.0, len(crop) - 1.0], [0.0, 1.0, 0.0]])
        moved_from_crop = compose(moved_from_crop, mirror)
    crop_from_moved = invert(moved_from_crop)
    moved_from_model = invert(model_from_crop)  # the move happens in the crop's own pixels
    nodes_model = _nodes(size)
    wide = compose(moved_from_model, _widened(size, config, rng))
    nodes_moved = apply(wide, nodes_model) + rng.normal(0.0, 1.0, (GRID * GRID, 2)) * config.warp * len(crop) / 256
    look = _dense(apply(crop_from_moved, nodes_moved), size)
    warped = cv2.remap(seen, look[..., 0], look[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    truth_from_crop = compose(umeyama(nodes_moved, nodes_model), moved_from_crop)
    still, side = crop if config.denoise else tinted, (size, size)
    truth = cv2.warpAffine(still, truth_from_crop, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    last = apply(truth_from_crop, points)
    warped, truth = _light(np.asarray(warped, np.uint8), np.asarray(truth, np.uint8), config, rng)
    warped, truth = _streaked(warped, truth, config, rng)
    hidden = np.zeros(side, np.float32) if cover is None else cv2.warpAffine(cover, truth_from_crop, side, flags=cv2.INTER_LINEAR)
    return _soften(warped, config, rng), truth, focus_map(last, size), eye_map(last, size), np.asarray(hidden, np.float32)


def match_colour(crop: Image, other: Image, rng: np.random.Generator) -> Image:
    """Give a face the mean and spread of each channel of another one, as far as chance says; half the time in XYZ, else in RGB.

    crop, other (C, C, 3), (D, D, 3) uint8: faceset crops; they are measured without a border of 60 in 256 pixels. XYZ is OpenCV's,
    a linear map of the RGB values as they are.
    """
    share, xyz = float(rng.random()), rng.random() < 0.5
    mine, theirs = _floats(crop), _floats(other)
    if xyz:
        mine, theirs = (np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2XYZ), np.float32) for image in (mine, theirs))
    have, want = _inner(mine), _inner(theirs)
    matched = (mine - have.mean(0)) * (want.std(0) / np.maximum(have.std(0), 1e-4)) + want.mean(0)
    mixed = np.asarray(mine + share * (matched - mine), np.float32)
    if xyz:
        mixed = np.asarray(cv2.cvtColor(mixed, cv2.COLOR_XYZ2RGB), np.float32)
    return np.asarray(np.clip(mixed * 255 + 0.5, 0, 255), np.uint8)


def _floats(image: Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32) / np.float32(255)


def _inner(image: NDArray[np.float32]) -> NDArray[np.float32]:
    border = len(image) * 60 // 256
    return image[border : len(image) - border, border : len(image) - border].reshape(-1, 3)


def streak(size: int, angle: float) -> NDArray[np.float32]:
    """Draw the kernel of a motion blur: a line through the middle of (size, size), its sum is 1. angle: degrees."""
    line = np.zeros((size, size), np.float32)
    line[size // 2] = 1
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), angle, 1.0)
    line = np.asarray(cv2.warpAffine(line, turn, (size, size), flags=cv2.INTER_LINEAR), np.float32)
    return np.asarray(line / line.sum(), np.float32)


def _streaked(warped: Image, truth: Image, config: AugmentConfig, rng: np.random.Generator) -> tuple[Image, Image]:
    if config.motion == 0 or rng.random() >= config.motion:
        return warped, truth
    length = int(rng.choice(_STREAKS)) * len(warped) / 256 * 1.6  # the model's picture is 160 of the 256 pixels that they count in
    kernel = streak(max(3, 2 * round((length - 1) / 2) + 1), float(rng.uniform(0, 180)))
    blurred = np.asarray(cv2.filter2D(warped, -1, kernel), np.uint8)
    return blurred, truth if config.denoise else np.asarray(cv2.filter2D(truth, -1, kernel), np.uint8)


def _widened(size: int, config: AugmentConfig, rng: np.random.Generator) -> Matrix:
    """Stretch the model's picture about its middle to what the input shall show."""
    wide = config.reach[0] if config.reach[0] == config.reach[1] else float(rng.uniform(*config.reach))
    stay = (1 - wide) * (size - 1) / 2
    return np.array([[wide, 0.0, stay], [0.0, wide, stay]])


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

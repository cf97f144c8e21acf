"""Random changes that make rendered pictures serve footage: place, light, shape, and what cameras and codecs do."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.train.pairs import PAIR_FACE, PAIR_SIZE
from bianlian.types import Image, Matrix


def place(size: int, rng: np.random.Generator, reach: float) -> Matrix:
    """Draw a map (2, 3) from a stored pair to a model's picture of side ``size``, up to the misplacement of real landmarks.

    reach: 1 for normal spreads of 3.5 degrees, 3.5 % and 1.8 % of the side.
    """
    angle, zoom = np.radians(rng.normal(0, 3.5 * reach)), np.exp(rng.normal(0, 0.035 * reach)) * size / PAIR_FACE
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (size - 1) / 2 + rng.normal(0, 0.018 * size * reach, 2)
    return np.concatenate([turn, (middle - turn @ np.full(2, (PAIR_SIZE - 1) / 2))[:, None]], axis=1)


def cut(image: NDArray[np.uint8], to_from: Matrix, size: int) -> NDArray[np.uint8]:
    """Resample a stored picture (or weight map) to (size, size), without aliasing."""
    factor = float(np.hypot(*to_from[:, 0]))
    if factor < 0.75:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / factor), np.uint8)
    out = cv2.warpAffine(image, to_from, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def shrink(image: Image, size: int) -> Image:
    """Scale a square picture down to a side; the same picture when it has that side."""
    return image if len(image) == size else np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def light(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a change of light as a table (1, 256, 3): gain and lift of each channel, and gamma."""
    gain, lift, gamma = rng.normal(1, 0.04, 3) * rng.normal(1, 0.07), rng.normal(0, 5, 3), np.exp(rng.normal(0, 0.12))
    curve = (np.arange(256) / 255.0) ** gamma * 255
    return np.asarray(np.clip(curve[:, None] * gain + lift, 0, 255), np.uint8)[None]


def lit(image: Image, table: NDArray[np.uint8]) -> Image:
    """Apply a table of ``light``."""
    return np.asarray(cv2.LUT(image, table), np.uint8)


def side_lit(image: Image, rng: np.random.Generator, spread: float = 0.4) -> Image:
    """Light a square picture from a random side: its brightness rises across it by a factor.

    spread: of the logarithm of that factor, from the middle to an edge.
    """
    angle, across = rng.uniform(0, 2 * np.pi), np.linspace(-1, 1, len(image))
    rise = np.exp(rng.normal(0, spread) * (np.cos(angle) * across + np.sin(angle) * across[:, None]))
    return np.asarray(np.clip(image * rise[..., None] + 0.5, 0, 255), np.uint8)


def bend(image: Image, rng: np.random.Generator) -> Image:
    """Bend the shape of a face by a smooth random field of about 1.6 % of the side."""
    side = len(image)
    push = cv2.resize(rng.normal(0, 2 * side / 128, (5, 5, 2)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    bent = cv2.remap(image, x + push[..., 0], y + push[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(bent, np.uint8)


def degrade(image: Image, rng: np.random.Generator) -> Image:
    """Make a picture what small faces, soft lenses, JPEG and noise make of it; about a third stay as they are."""
    side, kind = len(image), rng.random()
    out: NDArray[np.generic] = image
    if kind < 0.25:
        small = int(side * rng.uniform(0.3, 0.8))
        out = cv2.resize(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), (side, side))
    elif kind < 0.4:
        out = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2))
    if rng.random() < 0.3:
        data = cv2.imencode(".jpg", np.asarray(out, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 85))])[1]
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 8), image.shape)
        out = np.clip(np.asarray(out, np.float64) + noise, 0, 255).astype(np.uint8)
    return np.asarray(out, np.uint8)

"""Pictures to stand before: blurred rooms, drawn from a seed."""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.types import Image


def backdrop(seed: int, height: int, width: int) -> Image:
    """Draw a blurred, room-like picture (height, width, 3); the same for the same seed and size."""
    rng = np.random.default_rng(seed + 90001)
    base = rng.uniform(60, 190) + rng.normal(0, 9, 3)
    picture = np.empty((90, 160, 3), np.float32)
    picture[:] = base
    picture *= np.linspace(rng.uniform(0.75, 1.15), rng.uniform(0.75, 1.15), 90)[:, None, None]
    for _ in range(int(rng.integers(4, 14))):  # shelves, windows, lamps
        x, y = int(rng.integers(-20, 160)), int(rng.integers(-20, 90))
        colour = [float(v) for v in np.clip(base * rng.uniform(0.4, 1.5) + rng.normal(0, 13, 3), 10, 245)]
        if rng.random() < 0.7:
            cv2.rectangle(picture, (x, y), (x + int(rng.integers(6, 60)), y + int(rng.integers(6, 60))), colour, -1)
        else:
            cv2.circle(picture, (x, y), int(rng.integers(3, 16)), colour, -1)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(2.0, 6.0)), np.float32)
    side = max(width / 160, height / 90)
    size = (int(np.ceil(160 * side)), int(np.ceil(90 * side)))
    large = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.float32)
    y, x = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    grain = rng.normal(0, 2.5, (height, width, 1))
    return np.asarray(np.clip(large[y : y + height, x : x + width] + grain, 0, 255), np.uint8)

"""Lay the invisible mark over a picture: the tile, stronger where the picture is busy, at a fixed signal-to-noise ratio."""

from __future__ import annotations

import hashlib
import math
from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.provenance.code import ID_BITS, encode
from bianlian.provenance.tile import TILE, pattern
from bianlian.types import Image

CELL = 2.0
"""Pixels of a cell of the tile, in pictures of up to ``BASE`` pixels on the short side; larger ones have larger cells."""
BASE = 720
SMALLEST = 128
"""Pictures with a shorter side than this carry no mark: there is less than one tile in them."""
STRONGEST = 1.9
"""Highest RMS of the mark in grey levels over a whole picture: 42.5 dB."""
_CALM, _LOUD, _BUSY = 0.5, 2.2, 5.0
_SMALL, _MIDDLE = 8, 128


def id_of(text: str) -> int:
    """Make the id of what a text tells apart from all else: one swap done twice has one id, so that its frames are the same."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") % (1 << ID_BITS)


def id_text(number: int) -> str:
    """Write an id as people see it: hexadecimal digits."""
    return f"{number:0{ID_BITS // 4}x}"


def cell_size(width: int, height: int) -> float:
    """Pixels of a cell in a picture of that size."""
    return CELL * max(1.0, min(width, height) / BASE)


def carries(width: int, height: int) -> bool:
    """Tell whether a picture of that size is large enough for a mark."""
    return min(width, height) >= SMALLEST


@final
class Stamp:
    """Marks pictures of one size with one id. Calling it is safe from several threads."""

    def __init__(self, number: int, width: int, height: int) -> None:
        """number: the id; width, height: pixels of the pictures."""
        cell = cell_size(width, height)
        self._cells = (math.ceil(width / cell), math.ceil(height / cell))
        self._size, self._on = (width, height), carries(width, height)
        repeats = (-(-self._cells[1] // TILE), -(-self._cells[0] // TILE))
        self._pattern = np.ascontiguousarray(np.tile(pattern(encode(number)), repeats)[: self._cells[1], : self._cells[0]])
        self._reach = (round(self._cells[0] * cell), round(self._cells[1] * cell))
        self._middle = np.full((height, width), _MIDDLE, np.uint8)

    def __call__(self, image: Image) -> Image:
        """Mark a picture (H, W, 3) uint8 -> a new one; one too small for a mark comes back as it is."""
        if not self._on:
            return image
        width, height = self._size
        mark = cv2.resize(self._pattern * self._gain(image), self._reach, interpolation=cv2.INTER_CUBIC)[:height, :width]
        # In whole grey levels, up and down apart: four times as fast as sums of floats.
        levels = np.asarray(cv2.convertScaleAbs(mark, alpha=1, beta=_MIDDLE), np.uint8)
        up = cv2.cvtColor(cv2.subtract(levels, self._middle), cv2.COLOR_GRAY2RGB)
        down = cv2.cvtColor(cv2.subtract(self._middle, levels), cv2.COLOR_GRAY2RGB)
        return np.asarray(cv2.subtract(cv2.add(image, up), down), np.uint8)

    def _gain(self, image: Image) -> NDArray[np.float32]:
        """Strength at each cell: between ``_CALM`` and ``_LOUD`` by how busy the picture is, held down to ``STRONGEST``."""
        width, height = self._size
        size = (width // _SMALL * 2, height // _SMALL * 2)
        small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        detail = cv2.absdiff(small, cv2.blur(small, (5, 5)))
        busy = cv2.blur(detail, (5, 5)).astype(np.float32)
        gain = np.clip(_CALM + busy / _BUSY, _CALM, _LOUD)
        gain *= min(1.0, STRONGEST / float(np.sqrt(np.mean(gain**2))))
        return np.asarray(cv2.resize(gain, self._cells, interpolation=cv2.INTER_LINEAR), np.float32)

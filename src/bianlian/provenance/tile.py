"""The watermark's pattern: a small tile, seamless in both directions, that is laid over the whole picture again and again.

A spread-spectrum mark in the wavelet domain, after Cox, Kilian, Leighton and Shamoon, "Secure spread spectrum watermarking for
multimedia", IEEE Trans. Image Processing 1997. Differs: the carriers are the detail coefficients of two levels of a tile's
periodic wavelet transform, a part of them is the same in all marks (the pilot, by which place and scale are found again), and
the rest carries the codeword of an id. Signs and places come from a hash, so that they never change.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import pywt
from numpy.typing import NDArray

from bianlian.provenance.code import CODE_BITS

TILE = 64
"""Side of the tile in cells."""
_KEY = b"bianlian watermark 1"
_WAVELET, _LEVELS, _MODE = "sym4", 3, "periodization"
_CARRYING = (2, 3)
_WEIGHTS = {2: 1.0, 3: 0.4}
"""Amplitude of the carriers of each level: the coarser ones show more."""
_CHIPS = 4
"""Carriers of each bit of the codeword."""


@dataclass(frozen=True, eq=False)
class Carriers:
    """How the coefficients are used. signs: (N,) of -1 and 1; pilot: indices of the pilot's; bits: (CODE_BITS, _CHIPS) indices."""

    signs: NDArray[np.float64]
    pilot: NDArray[np.int_]
    bits: NDArray[np.int_]


@cache
def carriers() -> Carriers:
    """Deal out the coefficients, by the key."""
    count = sum(3 * (TILE >> level) ** 2 for level in _CARRYING)
    noise = np.frombuffer(hashlib.shake_256(_KEY).digest(9 * count), np.uint8).reshape(count, 9)
    order = np.argsort(np.ascontiguousarray(noise[:, :8]).view(">u8")[:, 0], kind="stable")
    used = CODE_BITS * _CHIPS
    return Carriers(1.0 - 2.0 * (noise[:, 8] & 1).astype(np.float64), order[used:], order[:used].reshape(CODE_BITS, _CHIPS))


def pattern(code: NDArray[np.int8] | None) -> NDArray[np.float32]:
    """Make a tile (TILE, TILE) float32 of mean 0 and mean square 1. code: the codeword of an id; None for the pilot alone."""
    deal = carriers()
    values = np.zeros(len(deal.signs))
    values[deal.pilot] = deal.signs[deal.pilot]
    if code is not None:
        values[deal.bits] = deal.signs[deal.bits] * code[:, None]
    tile = _synthesise(values)
    return np.asarray(tile / np.sqrt(np.mean(tile**2)), np.float32)


def soft_bits(tile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read the codeword off a tile in its place -> (CODE_BITS,), above 0 where a bit looks like 1."""
    deal = carriers()
    return np.asarray((_analyse(tile) * deal.signs)[deal.bits].sum(1))


def _synthesise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    bands: list[object] = [np.zeros((TILE >> _LEVELS, TILE >> _LEVELS))]
    start = 0
    for level in reversed(range(1, _LEVELS + 1)):
        side = TILE >> level
        if level in _CARRYING:
            some = _WEIGHTS[level] * values[start : start + 3 * side**2].reshape(3, side, side)
            start += 3 * side**2
        else:
            some = np.zeros((3, side, side))
        bands.append(tuple(some))
    return np.asarray(pywt.waverec2(bands, _WAVELET, mode=_MODE))


def _analyse(tile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of a tile in the order of ``carriers``, each level's with mean square 1."""
    bands = pywt.wavedec2(tile, _WAVELET, mode=_MODE, level=_LEVELS)
    rows = []
    for level in reversed(_CARRYING):
        row = np.stack(bands[_LEVELS + 1 - level]).ravel()
        rows.append(row / (np.sqrt(np.mean(row**2)) + 1e-12))
    return np.concatenate(rows)

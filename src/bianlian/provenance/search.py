"""Find the mark in pictures that were re-encoded, resized or cut: its scale, its place, and the id.

A picture is whitened in the wavelet domain, folded at each scale that comes into question to one tile, and compared with the
pilot at all shifts at once; the best few are refined and read. What counts as found is fixed by the noise that is seen: a peak of
``LEAST`` deviations above it, and an id whose check fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import pywt
from numpy.typing import NDArray

from bianlian.provenance.code import decode, encode
from bianlian.provenance.tile import TILE, pattern, soft_bits
from bianlian.provenance.watermark import CELL
from bianlian.types import Image

LEAST = 5.5
"""Deviations by which the pilot must stand out."""
WORK = 720
"""Pictures with a longer short side are scaled down to this."""
SCALES = (0.96, 3.4)
"""Pixels of a cell that are searched: 0.48 to 1.7 times the usual two."""
_PLAIN, _TRIES, _LEAST_SIDE = 7.5, 5, 48
_BANDS, _WAVELET, _LOCAL, _CLIP, _FINE = 5, "db2", 3, 1.5, 0.7

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """A mark. number: the id; peak: deviations by which the pilot stands out; agree: share of the codeword's bits that were read
    right; cell: (x, y) pixels of a cell as it was found, at the working size; mirrored: left and right have changed places."""

    number: int
    peak: float
    agree: float
    cell: tuple[float, float]
    mirrored: bool = False


def find(images: Iterable[Image]) -> Found | None:
    """Look for the mark that all pictures of one size share, as they are and mirrored. Returns None where there is none."""
    plane = gather(images)
    if plane is None:
        return None
    found = search(plane)
    if found is None and (turned := search(np.ascontiguousarray(plane[:, ::-1]))) is not None:
        return replace(turned, mirrored=True)
    return found


def gather(images: Iterable[Image]) -> Plane | None:
    """Add up what is left of pictures (H, W, 3) uint8 without their content; None without any that are large enough."""
    total: Plane | None = None
    for image in images:
        if min(image.shape[:2]) < _LEAST_SIDE:
            continue
        plane = whiten(image)
        total = plane if total is None else total + plane
    return total


def whiten(image: Image) -> Plane:
    """Take the content out of a picture: its wavelet details, each divided by those around it -> (h, w) float32."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    if min(height, width) > WORK:
        factor = WORK / min(height, width)
        grey = cv2.resize(grey, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_AREA)
    levels = min(_BANDS, pywt.dwtn_max_level(grey.shape, _WAVELET))
    bands = pywt.wavedec2(grey.astype(np.float32), _WAVELET, level=levels)
    even = [np.zeros_like(bands[0]), *(tuple(_even(b) for b in details) for details in bands[1:])]
    even[-1] = tuple(_FINE * b for b in even[-1])
    out = pywt.waverec2(even, _WAVELET)
    return np.asarray(out[: grey.shape[0], : grey.shape[1]], np.float32)


def _even(band: Plane) -> Plane:
    around = np.sqrt(np.maximum(cv2.blur(band * band, (_LOCAL, _LOCAL), borderType=cv2.BORDER_REFLECT), 0))
    return np.asarray(np.clip(band / (around + 0.5), -_CLIP, _CLIP), np.float32)


def search(plane: Plane) -> Found | None:
    """Try all scales on a whitened picture, the usual ones first."""
    ranked: list[tuple[float, float]] = []
    for cell in _scales(max(plane.shape)):
        peak = _peak(plane, cell, cell)[0]
        if peak > _PLAIN and (found := _read(plane, cell, max(plane.shape))) is not None:
            return found
        ranked.append((peak, cell))
    for peak, cell in sorted(ranked, reverse=True)[:_TRIES]:
        if peak <= _PLAIN and (found := _read(plane, cell, max(plane.shape))) is not None:
            return found
    return None


def _step(cell: float, length: int) -> float:
    """Ratio of two scales to try, less 1: half a step is off by half a cell where a picture of that length ends."""
    return float(np.clip(2 * cell / length, 0.003, 0.01))


def _scales(length: int) -> list[float]:
    """Cells to try on a picture of that length, the usual size first."""
    cells = [CELL]
    while cells[-1] < SCALES[1]:
        cells.append(cells[-1] * (1 + _step(cells[-1], length)))
    down = [CELL]
    while down[-1] > SCALES[0]:
        down.append(down[-1] / (1 + _step(down[-1], length)))
    return sorted(cells + down[1:], key=lambda cell: abs(np.log(cell / CELL)))


def _fold(plane: Plane, across: float, down: float) -> NDArray[np.float64]:
    """Lay all tiles of a picture on one another, cells of ``across`` x ``down`` pixels -> (TILE, TILE)."""
    height, width = plane.shape
    size = (max(1, round(width / across)), max(1, round(height / down)))
    # warpAffine: resize would round the scale to whole pixels.
    to = np.array([[1 / across, 0, 0.5 / across - 0.5], [0, 1 / down, 0.5 / down - 0.5]])
    cells = cv2.warpAffine(plane, to, size, flags=cv2.INTER_LINEAR)
    wide, high = -(-size[0] // TILE), -(-size[1] // TILE)
    whole = np.zeros((high * TILE, wide * TILE), np.float32)
    whole[: size[1], : size[0]] = cells
    return np.asarray(whole.reshape(high, TILE, wide, TILE).sum((0, 2)), np.float64)


@cache
def _pilot() -> NDArray[np.complex128]:
    return np.asarray(np.conj(np.fft.rfft2(pattern(None))))


def _peak(plane: Plane, across: float, down: float) -> tuple[float, tuple[int, int]]:
    """Compare with the pilot at all shifts -> how far the best stands out, in deviations; its shift (rows, columns)."""
    match = np.fft.irfft2(_flat(np.fft.rfft2(_fold(plane, across, down))) * _pilot(), (TILE, TILE))
    best = int(match.argmax())
    return float((match.flat[best] - match.mean()) / (match.std() + 1e-12)), (best // TILE, best % TILE)


def _best(plane: Plane, cells: Sequence[tuple[float, float]]) -> tuple[float, tuple[int, int], tuple[float, float]]:
    """Try some scales -> peak, shift and cell of the best."""
    tried = [(*_peak(plane, *cell), cell) for cell in cells]
    return max(tried, key=lambda t: t[0])


def _flat(spectrum: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Hold down the frequencies that stand out: brick walls and blinds repeat too."""
    size = np.abs(spectrum)
    return np.asarray(spectrum / (size + np.median(size) + 1e-12))


def _read(plane: Plane, cell: float, length: int) -> Found | None:
    """Refine a scale, then read the id. Returns None where the pilot does not stand out or the check does not fit."""
    step = _step(cell, length)
    peak, shift, (across, down) = _best(plane, [(cell * (1 + a * step),) * 2 for a in (-0.8, -0.4, 0, 0.4, 0.8)])
    for finer in (step / 4, step / 8, step / 16):
        if peak < LEAST - 1:
            return None
        around = [(across * (1 + a * finer), down * (1 + d * finer)) for a in (-1, 0, 1) for d in (-1, 0, 1)]
        peak, shift, (across, down) = _best(plane, around)
    if peak < LEAST:
        return None
    spectrum = _flat(np.fft.rfft2(_fold(plane, across, down)))
    soft = soft_bits(_moved(spectrum, _between(spectrum, shift)))
    number = decode(soft)
    if number is None:
        return None
    agree = float(np.mean((soft > 0) == (encode(number) > 0)))
    return Found(number, peak, agree, (across, down))


def _between(spectrum: NDArray[np.complex128], shift: tuple[int, int]) -> tuple[float, float]:
    """Refine a shift to a quarter of a cell."""
    options = [(shift[0] + a / 4, shift[1] + b / 4) for a in range(-3, 4) for b in range(-3, 4)]
    pilot = pattern(None)
    return max(options, key=lambda s: float((_moved(spectrum, s) * pilot).sum()))


def _moved(spectrum: NDArray[np.complex128], shift: tuple[float, float]) -> NDArray[np.float64]:
    """Shift a tile back by a part of a cell."""
    rows = np.exp(2j * np.pi * np.fft.fftfreq(TILE) * shift[0])[:, None]
    columns = np.exp(2j * np.pi * np.fft.rfftfreq(TILE) * shift[1])
    return np.asarray(np.fft.irfft2(spectrum * rows * columns, (TILE, TILE)))

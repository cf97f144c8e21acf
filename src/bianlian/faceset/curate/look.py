"""What the pixels of one crop tell: blur, brightness, how much of the face is there, its light, and a perceptual hash."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.align import COVERAGE
from bianlian.geometry import apply, box_of
from bianlian.types import Image, Matrix, Points, check_image

SIDE = 128
"""Side in pixels that the inner face is scaled to before it is measured, so that crops of all sizes compare."""
_SIGMA = 1.5
_HASH_SIDE, _HASH_BITS_SIDE = 32, 8
_STREAK, _STILL = 0.3, 0.5  # of the change across, and grey levels: below them rows or columns are one repeated
_CONTRAST = 25.0  # standard deviation of a face, grey levels, below which that changes less, too

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """Measures of one crop.

    blur: 0 (crisp) to 1, see ``blur``. level: brightness that a quarter of the face exceeds, 0 to 255. burnt: share of the face
    whose every channel is 250 or more. contrast: grey levels between the darkest and the brightest twentieth. whole: share of the
    face that the picture holds. side, top: how much brighter the image-right and the lower half are than the other half, grey
    levels. hash: 64 bits, see ``perceptual_hash``.
    """

    blur: float
    level: float
    burnt: float
    contrast: float
    whole: float
    side: float
    top: float
    hash: int


def look(crop: Image, points: Points, crop_from_frame: Matrix, coverage: float) -> Look:
    """Measure a crop.

    crop: (S, S, 3) uint8 RGB; points: its landmarks in crop pixels; coverage: share of S that a frontal outline spans.
    """
    check_image(crop)
    inner = _inner(crop, coverage)
    grey = np.asarray(cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY), np.float32)
    face = _ellipse()
    low, level, high = np.percentile(grey[face], (5, 75, 95))
    half = SIDE // 2
    left, right = grey[:, :half][face[:, :half]].mean(), grey[:, half:][face[:, half:]].mean()
    upper, lower = grey[:half][face[:half]].mean(), grey[half:][face[half:]].mean()
    return Look(
        blur=round(blur(grey), 4),
        level=round(float(level), 1),
        burnt=round(float((inner.min(axis=2)[face] >= 250).mean()), 4),
        contrast=round(float(high - low), 1),
        whole=round(whole(crop, points, crop_from_frame), 3),
        side=round(float(right - left), 1),
        top=round(float(lower - upper), 1),
        hash=perceptual_hash(grey),
    )


def blur(grey: Grey) -> float:
    """Measure how little detail is lost by blurring: 0 (crisp) to 1 (nothing to lose).

    grey: inner face (SIDE, SIDE) float32. The energy of the first differences after a Gaussian of 1.5 pixels over that before
    it, of the axis that loses less, so that motion blur counts. Contrast and light cancel out, noise counts as sharp.
    Source: F. Crete et al., "The blur effect", SPIE 6492, 2007; energies, the Gaussian and the worse axis are ours. Measured:
    0.37 to 0.55 for rendered faces of 250 pixels, 0.6 for soft webcam faces of 90; a Gaussian of 2 crop pixels (of 256) or
    a motion of 9 adds 0.14 to 0.28.
    """
    soft = cv2.GaussianBlur(grey, (0, 0), _SIGMA)
    shares = []
    for axis in (0, 1):
        before, after = np.diff(grey, axis=axis)[_ellipse_of(axis)], np.diff(soft, axis=axis)[_ellipse_of(axis)]
        shares.append(float((after**2).mean() / ((before**2).mean() + 0.25)))
    return min(1.0, max(shares))


def whole(crop: Image, points: Points, crop_from_frame: Matrix) -> float:
    """Estimate the share of the face that the picture holds, in [0, 1].

    A crop that reaches beyond its picture repeats the picture's last row or column there. The crop is turned upright as the
    picture was; repeated columns (or rows) count that begin at a side of the landmarks' box and go on inward.
    """
    linear = crop_from_frame[:, :2]
    turn = linear.T / np.sqrt(abs(np.linalg.det(linear)))
    middle = np.full(2, (crop.shape[0] - 1) / 2)
    upright_from_crop = np.concatenate([turn, (middle - turn @ middle)[:, None]], axis=1)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    upright = cv2.warpAffine(grey, upright_from_crop, grey.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    x1, y1, x2, y2 = np.clip(box_of(apply(upright_from_crop, points)).round(), 0, crop.shape[0]).astype(int)
    face = np.asarray(upright[y1:y2, x1:x2], np.float32)
    if min(face.shape) < 8:
        return 0.0
    share, still = 1.0, _STILL * min(1.0, float(face.std()) / _CONTRAST)
    for part in (face, face.T):
        share *= 1 - (_repeated(part, still) + _repeated(part[:, ::-1], still)) / part.shape[1]
    return float(max(0.0, share))


def perceptual_hash(grey: Grey) -> int:
    """Give 64 bits that differ in few places for pictures that look alike.

    grey: (N, N) float32. The signs, about their median, of the 64 lowest frequencies of a 32 x 32 cosine transform.
    Source: C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010 (the DCT hash).
    """
    small = cv2.resize(grey, (_HASH_SIDE, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(np.asarray(small, np.float32))[:_HASH_BITS_SIDE, :_HASH_BITS_SIDE].ravel()
    bits = waves > np.median(waves[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _inner(crop: Image, coverage: float) -> Image:
    """Scale the part that a model sees to (SIDE, SIDE, 3)."""
    side = crop.shape[0]
    inner = min(side, max(8, round(side * coverage / COVERAGE)))
    first = (side - inner) // 2
    how = cv2.INTER_AREA if inner >= SIDE else cv2.INTER_LINEAR
    part = crop[first : first + inner, first : first + inner]
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=how), np.uint8)


def _repeated(part: Grey, still: float) -> int:
    """Count the leading columns (rows, cols) that repeat the first; ``still``: mean change that is none, grey levels."""
    along = np.abs(np.diff(part, axis=1)).mean(0)
    across = np.abs(np.diff(part, axis=0)).mean(0)[1:]
    changes = np.flatnonzero(along > np.maximum(still, _STREAK * across))
    return int(changes[0]) if len(changes) else part.shape[1]


@cache
def _ellipse() -> NDArray[np.bool_]:
    from_middle = np.arange(SIDE, dtype=np.float64) - (SIDE - 1) / 2
    x, y = from_middle[None, :], from_middle[:, None]
    return np.asarray((x / (0.36 * SIDE)) ** 2 + (y / (0.42 * SIDE)) ** 2 <= 1, np.bool_)


def _ellipse_of(axis: int) -> NDArray[np.bool_]:
    return _ellipse()[1:] if axis == 0 else _ellipse()[:, 1:]

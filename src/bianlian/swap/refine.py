"""Refine drawn faces by the faces they replace, see ``model.refiner``; through OpenVINO."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file

from bianlian.errors import InputError, WeightsError
from bianlian.geometry import scale_of
from bianlian.mask.unet import MULTIPLE
from bianlian.model.quantize import KEY, parse_ranges, quantized
from bianlian.model.refiner import BLOCK, Planes, Refiner
from bianlian.runtime import compile_module
from bianlian.types import Image
from bianlian.weights import CARDS, locate

if TYPE_CHECKING:
    from bianlian.swap.plan import Plan

CARD = "refiner"
SHARE = 0.6
"""Default for the share of the correction that is applied.

The whole of it is a little nearer to the truth in pixels, and leaves more of the target in the face. Demo pair after five minutes,
nothing else changed: distance of a recogniser's descriptions to the source and to the target 0.37 and 0.42 with 0.6, 0.41 and 0.35
with 1; with 0 they are 0.37 and 0.48, and the truth's 0.37 and 0.45.
"""
SIDES = (2.0, 1.5)
"""Sides of finished crops, in sides of the network's, largest first; 1 otherwise."""
FINER = (4.0, 3.0)
"""The same for faces much larger than the network's, where it is asked for: nearer to the truth and sharper, for twice the time.

Rendered truth cut at 128 px and blurred by 1.2, of faces enlarged 2.3 to 2.8 times (``bench/quality/super.py``): finished at 256 px
L1 6.84 and sharpness 0.73 of the truth's, at 384 px 6.77 and 0.94, at 128 px 7.06 and 0.42.
"""


def refined_size(plan: Plan, size: int, *, finer: bool = False) -> int:
    """Choose the side of the finished crops: about that of the faces in the frames, from the network's up to twice that.

    plan: of the faces; size: of the network's crops. finer: up to four times that, see ``FINER``.
    """
    scales = [1 / scale_of(place.crop_from_frame) for places in plan.places.values() for place in places]
    scale = float(np.median(scales)) if scales else 1.0
    share = next((share for share in SIDES if scale >= 0.85 * share), 1.0)
    if finer:
        share = next((share for share in FINER if scale >= 0.75 * share), share)
    return round(size * share / MULTIPLE) * MULTIPLE if share > 1 else size


class CompiledRefiner:
    """The refiner that ships, for crops of one size. For one thread at a time.

    Its convolutions run in OpenVINO, on bytes where the weights file says in which ranges; what is done to whole pictures before
    and after them is done here, in a third of the time.
    """

    def __init__(self, size: int, *, threads: int | None = None) -> None:
        """Load and compile. size: side of the crops, any. threads: all cores when None. Raises WeightsError."""
        path = locate(CARDS[CARD])
        module = load_refiner(path)
        with safe_open(path, framework="pt") as file:
            ranges = (file.metadata() or {}).get(KEY)
        body = Planes(module if ranges is None else quantized(module, parse_ranges(ranges)))
        self._size, self._padding = size, -size % MULTIPLE
        side = (size + self._padding) // BLOCK
        cores = threads or os.cpu_count() or 1
        self._network = compile_module(body, (1, 2 * 3 * BLOCK**2, side, side), threads=cores, dynamic_batch=True)

    def __call__(self, drawn: NDArray[np.uint8], target: NDArray[np.uint8], share: float = SHARE) -> NDArray[np.uint8]:
        """Refine a batch: drawn and target (N, S, S, 3) RGB uint8, of the same places in the frame -> (N, S, S, 3) uint8.

        share: of the correction that is applied, in [0, 1]. Raises InputError for another shape or type.
        """
        wanted = (self._size, self._size, 3)
        for crops in (drawn, target):
            if crops.ndim != 4 or crops.shape[1:] != wanted or crops.dtype != np.uint8 or len(crops) != len(drawn):
                raise InputError(f"the refiner takes uint8 crops of shape (N, {self._size}, {self._size}, 3), got {crops.shape}")
        if share <= 0 or not len(drawn):
            return drawn
        more = (0, self._padding)
        wide = [np.pad(x, ((0, 0), more, more, (0, 0)), mode="edge") if self._padding else x for x in (drawn, target)]
        planes = np.concatenate([_folded(x) for x in wide], axis=1).astype(np.float32) * np.float32(2 / 255) - np.float32(1)
        out = self._network(planes)[0]
        some = [_changed(old, under, levels, share) for old, under, levels in zip(*wide, out, strict=True)]
        return np.stack(some)[:, : self._size, : self._size]


def _changed(drawn: Image, target: Image, out: NDArray[np.float32], share: float) -> Image:
    """Do to a picture what the network says: see ``model.refiner``.

    drawn, target (S, S, 3) uint8, S a multiple of 16; out (51, S/4, S/4): the network's; share: of the change -> (S, S, 3) uint8.
    """
    side, pixels = len(drawn), 3 * BLOCK**2
    change = out[:pixels].reshape(3, BLOCK, BLOCK, side // BLOCK, side // BLOCK).transpose(3, 1, 4, 2, 0).reshape(side, side, 3)
    change = np.ascontiguousarray(change)
    gates = _doubled(np.ascontiguousarray(out[pixels:].transpose(1, 2, 0)), 2)
    fine = target.astype(np.float32) * np.float32(1 / 255)
    for k, gate in enumerate(cv2.split(gates)):
        coarse = np.asarray(cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
        band = _doubled(fine - _doubled(coarse, 1), k)
        change += cv2.multiply(band, cv2.merge([gate] * 3))
        fine = coarse
    return np.asarray(cv2.add(drawn, cv2.multiply(change, np.full(4, 255 * share)), dtype=cv2.CV_8U), np.uint8)


def _doubled(picture: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    """Enlarge (H, W, C) to twice its sides, so many times over, as the network was trained to see it done."""
    for _ in range(times):
        picture = np.asarray(cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.float32)
    return picture


def _folded(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn blocks of pixels into planes: (N, S, S, 3) -> (N, 48, S/4, S/4), as ``pixel_unshuffle`` orders them."""
    count, side = crops.shape[:2]
    blocks = crops.reshape(count, side // BLOCK, BLOCK, side // BLOCK, BLOCK, 3)
    return blocks.transpose(0, 5, 2, 4, 1, 3).reshape(count, 3 * BLOCK**2, side // BLOCK, side // BLOCK)


def load_refiner(path: Path | None = None) -> Refiner:
    """Load the refiner in float32, the one that ships when no path is given. Raises WeightsError."""
    module, path = Refiner(), path or locate(CARDS[CARD])
    try:
        module.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit the refiner: {str(error).splitlines()[0]}") from error
    return module

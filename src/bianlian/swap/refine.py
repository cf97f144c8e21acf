"""Refine drawn faces by the faces they replace, see ``model.refiner``; through OpenVINO."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import InputError, WeightsError
from bianlian.geometry import scale_of
from bianlian.mask.unet import MULTIPLE
from bianlian.model.refiner import Refiner
from bianlian.runtime import compile_module
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
    """The refiner that ships, for crops of one size. For one thread at a time."""

    def __init__(self, size: int, *, threads: int | None = None) -> None:
        """Load and compile. size: side of the crops, any. threads: all cores when None. Raises WeightsError."""
        from safetensors.torch import load_file

        module = Refiner()
        path = locate(CARDS[CARD])
        try:
            module.load_state_dict({name: value.float() for name, value in load_file(path).items()})
        except RuntimeError as error:
            raise WeightsError(f"{path} does not fit the refiner: {str(error).splitlines()[0]}") from error
        self._size, self._padding = size, -size % MULTIPLE
        shape = (1, 3, size + self._padding, size + self._padding)
        self._network = compile_module(module, shape, shape, threads=threads or os.cpu_count() or 1, dynamic_batch=True)

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
        refined = self._network(self._planes(drawn), self._planes(target))[0]
        pictures = refined[:, :, : self._size, : self._size].transpose(0, 2, 3, 1) * 255
        mixed = drawn + np.float32(share) * (pictures - drawn)
        return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)

    def _planes(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        more = (0, self._padding)
        return np.pad(planes, ((0, 0), (0, 0), more, more), mode="edge") if self._padding else planes

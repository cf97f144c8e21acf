"""Which pixels show the inner face itself: a small network that sees hands, hair, glasses' rims and microphones in front.

What it was taught as the inner face is the head renderer's truth: the skin from the chin and the jaw's edge to the upper forehead,
in front of the ears, with eyes, open mouth and beard. Of glasses, rims and dark lenses are in front of it, clear lenses are not.
The face's place comes from landmarks; where in it the face shows is said by pixels alone, so that a point that slipped behind a
hand does not move the mask's edge.

A swap has aligned crops already, which show less than the network wants to see: ``view`` cuts what it needs out of the frame,
``LearnedMask.weigh`` masks a batch of views, ``steadied`` calms them over time, and ``seen_in`` lays one over a crop or a frame.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np

from bianlian import align
from bianlian.errors import InputError, WeightsError
from bianlian.geometry import compose, invert, scale_of
from bianlian.mask.regions import check_masked
from bianlian.runtime import compile_module
from bianlian.types import Crop, Image, Landmarks, Mask, Matrix
from bianlian.weights import CARDS, locate

CARD = "mask"
SIDE = 128
"""Side of the aligned views that the network sees."""
COVERAGE = 0.52
"""Coverage of those views (see ``align``): chin and forehead are in them, with room around."""
SHARES = (0.25, 0.5, 0.25)
"""Weights of the view before, the view itself and the view after in ``steadied``."""


class LearnedMask:
    """The occlusion-aware mask that ships. For one thread at a time."""

    def __init__(self, *, threads: int | None = None) -> None:
        """Load and compile. threads: all cores when None. Raises WeightsError."""
        from safetensors.torch import load_file

        from bianlian.mask.unet import MaskNet

        module, path = MaskNet(), locate(CARDS[CARD])
        try:
            module.load_state_dict({name: value.float() for name, value in load_file(path).items()})
        except RuntimeError as error:
            raise WeightsError(f"{path} does not fit the mask's network: {str(error).splitlines()[0]}") from error
        self._network = compile_module(module, (1, 3, SIDE, SIDE), threads=threads or os.cpu_count() or 1, dynamic_batch=True)

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask faces, see ``Masker``; every scheme."""
        check_masked(images, landmarks)
        views = [view(i, align.crop_from_frame(m, SIDE, COVERAGE)) for i, m in zip(images, landmarks, strict=True)]
        found = zip(self.weigh(views), views, images, strict=True)
        return [seen_in(mask, invert(v.crop_from_frame), (i.shape[0], i.shape[1])) for mask, v, i in found]

    def weigh(self, views: Sequence[Crop]) -> list[Mask]:
        """Mask a batch of views -> (128, 128) float32 in [0, 1] each. Raises InputError for a crop of another size."""
        for crop in views:
            if crop.size != SIDE:
                raise InputError(f"the learned mask takes views of {SIDE} x {SIDE} pixels, see mask.learned.view; got {crop.size}")
        if not views:
            return []
        planes = np.stack([crop.image for crop in views]).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        (logits,) = self._network(planes)
        return list(1 / (1 + np.exp(-np.clip(logits[:, 0], -30, 30))))


def view(image: Image, view_from_frame: Matrix) -> Crop:
    """Cut what the network sees of a face out of a frame (H, W, 3) -> a crop of 128 px. view_from_frame: see ``view_of``."""
    return align.cut(image, view_from_frame, SIDE)


def view_of(crop_from_frame: Matrix, size: int, coverage: float = align.COVERAGE) -> Matrix:
    """Widen an aligned crop's map to that of the face's view -> ``view_from_frame`` (2, 3).

    crop_from_frame: of ``align.crop_from_frame`` for a crop of this size and coverage.
    """
    factor = SIDE * COVERAGE / (size * coverage)
    shift = (SIDE - 1) / 2 - factor * (size - 1) / 2  # both are centred on the same point of the face
    return compose(np.array([[factor, 0.0, shift], [0.0, factor, shift]]), crop_from_frame)


def steadied(before: Mask | None, now: Mask, after: Mask | None) -> Mask:
    """Calm a mask over time by those of the same face in the frames before and after, None at a track's ends -> the same shape.

    Views are aligned to the face: its own motion does not smear. The mean is centred: it has no lag.
    """
    pairs = [(s, m) for s, m in zip(SHARES, (before, now, after), strict=True) if m is not None]
    total = sum(share for share, _ in pairs)
    return np.asarray(sum(np.float32(share / total) * m for share, m in pairs), np.float32)


def seen_in(mask: Mask, to_from_view: Matrix, shape: tuple[int, int]) -> Mask:
    """Lay the mask of a view over a picture of ``shape`` (height, width), 0 outside of the view -> (H, W) float32 in [0, 1].

    to_from_view (2, 3): the view's pixels to the picture's: ``invert(view_from_frame)`` for the frame,
    ``compose(crop_from_frame, invert(view_from_frame))`` for a crop of it.
    """
    factor = scale_of(to_from_view)
    if factor < 0.5:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.5 * (1 / factor - 1)), np.float32)
    flags = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_LINEAR
    out = cv2.warpAffine(mask, to_from_view, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(np.clip(out, 0, 1), np.float32)

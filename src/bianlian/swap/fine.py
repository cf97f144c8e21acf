"""Do what the network from one photo says at the size of the finished face, not at that of its small crops.

The network (``AeiNet.fields``) bends the target and the photo by smooth fields and says how much of either shows; both can be had
with more pixels than it saw. So pores, hairs and lashes are the frame's and the photo's own, and only what it adds is coarse.
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.types import Image

Pixel = TypeVar("Pixel", np.uint8, np.float32)


def done_fine(fields: NDArray[np.float32], target: Image, photo: Image) -> Image:
    """Do with pictures what a network says of smaller ones: see ``AeiNet.fields`` and ``done``.

    fields (9, S, S); target, and the photo laid over it: (T, T, 3) RGB uint8, of any side T -> (T, T, 3) uint8.
    """
    side = len(target)
    planes = np.ascontiguousarray(fields.transpose(1, 2, 0))
    stays, added, push, taken, pull = np.split(_enlarged(planes, side), [1, 4, 6, 7], axis=2)
    out = np.asarray(added * np.float32(255), np.float32)
    for share, picture, field in ((stays, target, push), (taken, photo, pull)):
        out += share * _bent(picture, field * np.float32(side / 2))
    return np.asarray(cv2.convertScaleAbs(np.maximum(out, 0, out=out)), np.uint8)


def resized(pictures: NDArray[Pixel], side: int, how: int) -> NDArray[Pixel]:
    """Resize a batch (N, S, S) or (N, S, S, C) to another side by a way of OpenCV's; the same one when it has that side."""
    if pictures.shape[1] == side:
        return pictures
    return np.stack([cv2.resize(picture, (side, side), interpolation=how) for picture in pictures])


def _enlarged(planes: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    if len(planes) == side:
        return planes
    return np.asarray(cv2.resize(planes, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def _bent(picture: Image, push: NDArray[np.float32]) -> Image:
    """Fetch every pixel from elsewhere. push (T, T, 2): x then y, in pixels."""
    places = np.arange(len(picture), dtype=np.float32)
    at_x, at_y = push[..., 0] + places, push[..., 1] + places[:, None]
    return np.asarray(cv2.remap(picture, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)

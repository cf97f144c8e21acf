"""Pictures of more than 8 bits a colour: lay what was changed in their 8-bit view over them, and turn one kind into the other.

The library works on 8-bit views. A view of uint16 values is their upper part; a view of linear light (EXR) is the sRGB curve of
IEC 61966-2-1, which goes on above white and, mirrored, below black, so that it has an inverse everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bianlian.types import DeepPixels, Frame, Image

NEAR = 1.5
"""Grey levels by which a picture may differ from its view by rounding alone; more is light that the view cannot show."""
SMALL, FADE = 4.0, 32.0
"""Grey levels of change over which light that the view cannot show (brighter than white) goes with the old face; it
stays whole under small changes, such as a watermark's."""


def lay(deep: DeepPixels, shown: Image, image: Image) -> DeepPixels:
    """Make in ``deep`` the change from ``shown``, its view, to ``image``; all (H, W, 3) -> the same kind as ``deep``.

    A pixel whose view did not change keeps its value exactly. The others get the new level and keep what the rounding to the view
    had cut off: the old picture's own noise, which spares the new face the bands of 8 bits.
    """
    rows, columns = _window(image != shown)
    part, new, old = deep[rows, columns], image[rows, columns], shown[rows, columns]
    changed = (new != old).any(axis=2)
    laid = part.copy()
    if deep.dtype == np.uint16:
        laid[changed] = np.rint(np.clip(_moved(part[changed], old[changed], new[changed]) * 257, 0, 65535))
    else:
        light = to_light(np.asarray(_moved(part[changed], old[changed], new[changed]) / 255, np.float32))
        laid[changed] = light.astype(np.float16) if halves(part) else light
    out = deep.copy()
    out[rows, columns] = laid
    return out


def _moved(deep: DeepPixels, old: Image, new: Image) -> NDArray[np.float32]:
    """Levels (N, 3), 255 is white, of pixels whose view changed from ``old`` to ``new``."""
    levels = old.astype(np.float32)
    rest = np.asarray(_levels(deep) - levels, np.float32)
    far = np.abs(rest) > NEAR
    rest[far] *= np.clip(1 - (np.abs(new[far] - levels[far]) - SMALL) / FADE, 0, 1)
    return np.asarray(new + rest, np.float32)


def _window(changed: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Find the rows and columns of (H, W, 3) in which anything changed; empty slices where nothing did."""
    rows = np.flatnonzero(changed.reshape(len(changed), -1).any(axis=1))
    if not len(rows):
        return slice(0), slice(0)
    span = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero(changed[span].any(axis=(0, 2)))
    return span, slice(int(columns[0]), int(columns[-1]) + 1)


def full(frame: Frame) -> DeepPixels | Image:
    """Give a frame's picture with all the bits there are; its ``image`` where there are no more than 8."""
    if frame.deep is None:
        return frame.image
    if frame.image is frame.deep.shown:
        return frame.deep.read()  # a copy of the largest picture is 1 GB
    return lay(frame.deep.read(), frame.deep.shown, frame.image)


def as_uint16(picture: DeepPixels | Image) -> NDArray[np.uint16]:
    """Turn any picture into uint16, 65535 is white; light brighter than white is cut off."""
    if picture.dtype == np.uint16:
        return np.asarray(picture, np.uint16)
    if picture.dtype == np.uint8:
        return np.asarray(picture.astype(np.uint16) * np.uint16(257), np.uint16)
    return np.asarray(np.rint(np.clip(to_screen(np.asarray(picture, np.float32)), 0, 1) * 65535), np.uint16)


def as_light(picture: DeepPixels | Image) -> NDArray[np.float32]:
    """Turn any picture into linear light, float32, 1 is white."""
    if picture.dtype == np.float32:
        return np.asarray(picture, np.float32)
    white = 255 if picture.dtype == np.uint8 else 65535
    return to_light(np.asarray(picture / white, np.float32))


def view(picture: DeepPixels) -> Image:
    """Show a picture of more than 8 bits in 8, (H, W, 3) uint8; what cannot be shown is cut off, what is no number is black."""
    if picture.dtype == np.uint16:
        return (np.asarray(picture, np.uint16) >> 8).astype(np.uint8)
    return np.asarray(np.rint(np.nan_to_num(np.clip(to_screen(np.asarray(picture, np.float32)), 0, 1)) * 255), np.uint8)


def halves(light: DeepPixels) -> bool:
    """Whether all values are floats of 16 bits."""
    with np.errstate(over="ignore"):
        return np.array_equal(light.astype(np.float16).astype(np.float32), light, equal_nan=True)


def to_screen(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the sRGB curve: linear light -> values as shown, 1 is white in both."""
    size = np.abs(light)
    curve = np.where(size <= 0.0031308, 12.92 * size, 1.055 * np.power(np.maximum(size, 1e-9), 1 / 2.4, dtype=np.float32) - 0.055)
    return np.asarray(np.copysign(curve, light), np.float32)


def to_light(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo ``to_screen``."""
    size = np.abs(values)
    curve = np.where(size <= 0.04045, size / 12.92, np.power((size + 0.055) / 1.055, 2.4, dtype=np.float32))
    return np.asarray(np.copysign(curve, values), np.float32)


def _levels(values: DeepPixels) -> NDArray[np.float32]:
    """Values (N, 3) on the scale of the view, 0 to 255."""
    if values.dtype == np.uint16:
        return np.asarray(values.astype(np.float32) / 257, np.float32)
    return np.asarray(np.nan_to_num(to_screen(np.asarray(values, np.float32)) * 255, nan=0.0), np.float32)

"""Colour: between the YUV of a file and RGB, exact in matrix and range, there and back.

A file that names no matrix is read as BT.709 when it is HD (wider than 1279 or higher than 576), else as BT.601, which is what
players do. The way back uses the same matrix and range, so a frame that nobody touched keeps its YUV values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from bianlian.types import Image

Pixel = TypeVar("Pixel", np.uint8, np.uint16)

LIMITED, FULL = 1, 2
BT709, BT601 = 1, 5
_MATRICES = {1: BT709, 4: 4, 5: BT601, 6: BT601, 7: 7, 9: 9, 10: 9}
# Without both flags the scaler rounds down: one grey level darker a generation (measured; with them the error is 0.00).
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclass(frozen=True)
class ColorTags:
    """What a file says about its colours, as FFmpeg's (ISO/IEC 23091-2) numbers.

    range: 0 unsaid, 1 limited, 2 full. primaries, transfer, matrix: 2 unsaid, 1 BT.709, 5 and 6 BT.601, 9 BT.2020.
    """

    range: int = 0
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2


@dataclass(frozen=True)
class Conversion:
    """How YUV and RGB belong together. matrix: swscale's number (1 BT.709, 5 BT.601, ...). range: LIMITED or FULL."""

    matrix: int
    range: int


def conversion_of(tags: ColorTags, pixel_format: str, width: int, height: int) -> Conversion:
    """Say which matrix and range turn a picture with these tags into RGB. pixel_format: FFmpeg's name."""
    by_size = BT709 if width >= 1280 or height > 576 else BT601
    always_full = pixel_format.startswith(("yuvj", "gray", "rgb", "bgr", "gbr", "pal", "mono"))
    full = tags.range == FULL or (always_full and tags.range != LIMITED)
    return Conversion(_MATRICES.get(tags.matrix, by_size), FULL if full else LIMITED)


def tags_of(frame: VideoFrame) -> ColorTags:
    """Read the tags of one decoded frame."""
    return ColorTags(frame.color_range, frame.color_primaries, frame.color_trc, frame.colorspace)


def to_rgb(scaler: VideoReformatter, frame: VideoFrame, width: int, height: int, *, rough: bool = False) -> Image:
    """Turn a decoded frame into RGB (height, width, 3) uint8; another size is scaled, bilinear. Reuse ``scaler``.

    rough: for who only looks at it. Of 4:2:0 in a seventh of the time, a grey level darker and with colours that change from
    one pair of pixels to the next.
    """
    rgb = _rgb(scaler, frame, width, height, "rgb24", Interpolation.BILINEAR if rough else _EXACT)[0]
    return np.ascontiguousarray(rgb.to_ndarray(), dtype=np.uint8)


def _rgb(
    scaler: VideoReformatter, frame: VideoFrame, width: int, height: int, kind: str, way: Interpolation = _EXACT
) -> tuple[VideoFrame, Conversion]:
    """Turn a decoded frame into the full-range RGB format ``kind`` -> (it, how that was done)."""
    how = conversion_of(tags_of(frame), frame.format.name, frame.width, frame.height)
    made = scaler.reformat(
        frame,
        width=width,
        height=height,
        format=kind,
        src_colorspace=how.matrix,
        src_color_range=how.range,
        dst_color_range=FULL,
        interpolation=way,
    )
    return made, how


def to_rgb16(frame: VideoFrame, width: int, height: int) -> NDArray[np.uint16]:
    """Turn a decoded frame of more than 8 bits into RGB (height, width, 3), 65535 is white; another size is scaled, bilinear."""
    # Planes, because the scaler makes wrong colours of 4:2:0 and packed RGB of 16 bits (seen in FFmpeg 8.1).
    rgb, how = _rgb(VideoReformatter(), frame, width, height, "gbrp16le")
    bits = frame.format.components[0].bits
    white = _white(bits) if how.range == FULL else _WHITE
    return _scaled(np.asarray(rgb.to_ndarray(), np.uint16), 65535 / white)


def from_rgb(scaler: VideoReformatter, image: Image | NDArray[np.uint16], pixel_format: str, how: Conversion) -> VideoFrame:
    """Turn RGB (H, W, 3) uint8, or uint16 with 65535 as white, into a ``pixel_format`` frame for an encoder. Reuse ``scaler``."""
    if image.dtype == np.uint8:
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(image, np.uint8), "rgb24")
    else:
        bits = VideoFormat(pixel_format).components[0].bits
        white = _white(bits) if pixel_format.startswith("gbr") else _WHITE
        picture = VideoFrame.from_ndarray(_scaled(np.asarray(image, np.uint16), white / 65535), "gbrp16le")
    return scaler.reformat(
        picture,
        format=pixel_format,
        src_color_range=FULL,
        dst_colorspace=how.matrix,
        dst_color_range=how.range,
        interpolation=_EXACT,
    )


_WHITE = 255 << 8
"""The scaler's 16-bit value of white beside YUV (measured)."""


def _white(bits: int) -> int:
    """The scaler's 16-bit value of white where full-range values of ``bits`` are only shifted."""
    return ((1 << bits) - 1) << (16 - bits)


def _scaled(image: NDArray[np.uint16], factor: float) -> NDArray[np.uint16]:
    """Multiply, round, and cut off at 65535."""
    return image if factor == 1 else np.asarray(cv2.addWeighted(image, factor, image, 0, 0), np.uint16)


@dataclass(frozen=True)
class Orientation:
    """How a stored picture becomes upright: transpose first, then flip. rotation: degrees clockwise, 0 to 270."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def rotation(self) -> int:
        """Clockwise degrees of the turn: 0, 90, 180 or 270; a mirror image counts by its vertical axis."""
        if self.transpose:
            return 270 if self.flip_y else 90
        return 180 if self.flip_y else 0

    def upright(self, image: NDArray[Pixel]) -> NDArray[Pixel]:
        """Turn a stored picture (H, W, 3) upright."""
        turned = cv2.transpose(image) if self.transpose else image
        if self.flip_x or self.flip_y:
            turned = cv2.flip(turned, -1 if self.flip_x and self.flip_y else int(self.flip_x))
        return np.ascontiguousarray(turned, dtype=image.dtype)


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the display matrix of a decoded frame, to the nearest quarter turn, mirror images included."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    a, b, _, c, d = (int(v) for v in np.frombuffer(cast(bytes, matrix), np.int32)[:5])
    # x' = a x + c y and y' = b x + d y, so that a quarter turn has no a and no d.
    return Orientation(True, c < 0, b < 0) if abs(a) < abs(b) else Orientation(False, a < 0, d < 0)

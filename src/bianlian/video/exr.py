"""OpenEXR pictures: linear light, half or float, one part. Other channels than R, G, B, A and Y are not read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from bianlian.errors import VideoError
from bianlian.files import open_plain
from bianlian.video.deep import halves
from bianlian.video.limits import MOST_DEEP_PIXELS, check_size

_MAGIC = b"\x76\x2f\x31\x01"
_COLOUR = ("R", "G", "B", "A", "Y")
_LONGEST_HEADER = 1 << 20


def read_exr(path: Path) -> NDArray[np.float32]:
    """Read a picture -> (H, W, 4) float32: R, G, B, A in linear light, as stored; A is 1 where there is none.

    Raises VideoError when it is missing, damaged, or no EXR picture.
    """
    frame = _decoded(path)
    kind = np.float16 if "f16" in frame.format.name else np.float32
    planes = [_plane(memoryview(p), p.line_size, p.width, p.height, np.dtype(kind)) for p in frame.planes]
    if len(planes) < 3:
        planes = [planes[0], planes[0], planes[0], *planes[1:]]
    green, blue, red = planes[:3]
    alpha = planes[3] if len(planes) > 3 else np.ones_like(green)
    return np.stack([red, green, blue, alpha], axis=-1)


@dataclass(frozen=True)
class ExrHeader:
    """What an EXR picture says of itself. width, height: of the display window. channels: names, such as R, G, B, Z."""

    width: int
    height: int
    channels: tuple[str, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """Channels that are neither colour nor alpha."""
        return tuple(c for c in self.channels if c not in _COLOUR)


def exr_header(path: Path) -> ExrHeader:
    """Read the header only. Raises VideoError when the picture is missing, damaged, or no EXR picture."""
    try:
        with open_plain(path) as file:
            data = file.read(_LONGEST_HEADER)
    except OSError as error:
        raise VideoError(f"wanted a picture, {path} cannot be read: {error.strerror}") from error
    try:
        found = _attributes(data)
        x1, y1, x2, y2 = struct.unpack("<4i", found[b"displayWindow"])
        channels = tuple(_names(found[b"channels"]))
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise VideoError(f"wanted an OpenEXR picture, {path} has no sound header: it is damaged or of another kind") from error
    check_size(path, x2 - x1 + 1, y2 - y1 + 1, MOST_DEEP_PIXELS)
    return ExrHeader(x2 - x1 + 1, y2 - y1 + 1, channels)


def write_exr(path: Path, light: NDArray[np.float32], *, alpha: bool) -> None:
    """Write (H, W, 4) float32 R, G, B, A, the last one only with ``alpha``; as half where all values are halves, else as float.

    Losslessly compressed (ZIP). Raises OSError, av.FFmpegError.
    """
    context = CodecContext.create("exr", "w")
    assert isinstance(context, VideoCodecContext)
    context.height, context.width = light.shape[:2]
    context.pix_fmt = "gbrapf32le" if alpha else "gbrpf32le"
    context.time_base = Fraction(1, 25)
    context.options = {"format": "half" if halves(light) else "float", "compression": "zip16"}
    frame = VideoFrame(context.width, context.height, context.pix_fmt)
    for plane, channel in zip(frame.planes, (1, 2, 0, 3), strict=False):
        rows = np.zeros((plane.height, plane.line_size // 4), np.float32)
        rows[:, : plane.width] = light[..., channel]
        plane.update(rows.tobytes())
    frame.pts = 0
    path.write_bytes(b"".join(bytes(p) for p in (*context.encode(frame), *context.encode(None))))


def _attributes(data: bytes) -> dict[bytes, bytes]:
    """Read a header's attributes: name, type, size, value each, up to an empty name."""
    if data[:4] != _MAGIC:
        raise ValueError
    found, at = {}, 8
    while data[at]:
        name = data[at : data.index(b"\0", at)]
        at += len(name) + 1
        at = data.index(b"\0", at) + 1
        (size,) = struct.unpack_from("<i", data, at)
        if size < 0:
            raise ValueError
        found[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def _names(channels: bytes) -> Iterator[str]:
    """Read the names of a channel list: each is followed by 16 bytes, the last one is empty."""
    at = 0
    while channels[at]:
        name = channels[at : channels.index(b"\0", at)]
        yield name.decode("latin-1")
        at += len(name) + 1 + 16


def _decoded(path: Path) -> VideoFrame:
    try:
        exr_header(path)
        with open_plain(path) as file:
            data = file.read()
        if data[:4] != _MAGIC:
            raise VideoError(f"wanted an OpenEXR picture, {path} is none: check the file")
        context = CodecContext.create("exr", "r")
        assert isinstance(context, VideoCodecContext)
        frames = context.decode(Packet(data)) or context.decode(None)
    except FileNotFoundError as error:
        raise VideoError(f"wanted a picture, {path} does not exist: check the name") from error
    except (OSError, av.FFmpegError) as error:
        raise VideoError(f"wanted a picture, {path} cannot be read ({error.strerror}): it is damaged or of another kind") from error
    if not frames or "f" not in frames[0].format.name.removeprefix("gbr"):
        raise VideoError(f"wanted a picture of half or float values, {path} has none that can be read: convert it first")
    return frames[0]


def _plane(data: memoryview, line: int, width: int, height: int, kind: np.dtype[np.float16 | np.float32]) -> NDArray[np.float32]:
    return np.frombuffer(data, kind).reshape(height, line // kind.itemsize)[:, :width].astype(np.float32, copy=False)

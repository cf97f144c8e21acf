"""PNG and TIFF of 16 bits a colour, which Pillow cuts to 8: read by OpenCV, written with their profile."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.errors import VideoError
from bianlian.files import open_plain

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"IDAT", b"tRNS", b"IEND")
_IHDR_END = 8 + 4 + 4 + 13 + 4
_BYTE, _SHORT, _LONG, _UNDEFINED = 1, 3, 4, 7


def read_sixteen(path: Path) -> NDArray[np.uint16]:
    """Read a PNG or TIFF of 16 bits -> (H, W, C) uint16 RGB (3 channels) or RGBA (4), as stored. Raises VideoError."""
    with open_plain(path) as file:
        data = file.read()
    if data.startswith(_PNG):
        data = _bare(data)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if picture is None or picture.dtype != np.uint16:
        raise VideoError(f"wanted a picture of 16 bits a colour, {path} cannot be read as one: it is damaged or of another kind")
    if picture.ndim == 2:
        return np.repeat(picture[..., None], 3, axis=2).astype(np.uint16, copy=False)
    how = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(picture, how, dst=picture), np.uint16)


def write_png16(
    path: Path, picture: NDArray[np.uint16], *, profile: bytes | None = None, exif: bytes | None = None, xmp: bytes = b""
) -> None:
    """Write (H, W, 3 or 4) RGB(A) as PNG of 16 bits. profile: ICC; exif: from ``Exif``; xmp: a packet. Raises OSError."""
    order = [2, 1, 0, 3] if picture.shape[2] == 4 else [2, 1, 0]
    data = cv2.imencode(".png", np.ascontiguousarray(picture[..., order]))[1].tobytes()
    chunks = b""
    if profile is not None:
        chunks += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    if exif is not None:
        chunks += _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    path.write_bytes(with_xmp(data[:_IHDR_END] + chunks + data[_IHDR_END:], xmp))


def with_xmp(png: bytes, xmp: bytes) -> bytes:
    """Put an XMP packet, if there is one, into an encoded PNG."""
    chunk = _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp) if xmp else b""
    return png[:_IHDR_END] + chunk + png[_IHDR_END:]


def write_tiff16(path: Path, picture: NDArray[np.uint16], *, profile: bytes | None = None, xmp: bytes = b"") -> None:
    """Write (H, W, 3 or 4) RGB(A) as TIFF of 16 bits, losslessly compressed (deflate). profile: ICC; xmp: a packet.

    Raises OSError.
    """
    height, width, channels = picture.shape
    pixels = zlib.compress(picture.astype("<u2").tobytes(), 6)
    pixels += b"\0" * (len(pixels) % 2)
    start = 8
    bits = start + len(pixels)
    packet = bits + 2 * channels
    icc = packet + len(xmp) + len(xmp) % 2
    tags = [
        (256, _LONG, 1, width),
        (257, _LONG, 1, height),
        (258, _SHORT, channels, bits),
        (259, _SHORT, 1, 8),  # deflate
        (262, _SHORT, 1, 2),  # RGB
        (273, _LONG, 1, start),
        (277, _SHORT, 1, channels),
        (278, _LONG, 1, height),
        (279, _LONG, 1, len(pixels)),
        (284, _SHORT, 1, 1),  # RGBRGB
    ]
    if channels == 4:
        tags.append((338, _SHORT, 1, 2))  # alpha not multiplied in
    if xmp:
        tags.append((700, _BYTE, len(xmp), packet))
    if profile is not None:
        tags.append((34675, _UNDEFINED, len(profile), icc))
    stored = profile or b""
    directory = icc + len(stored) + len(stored) % 2
    table = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    path.write_bytes(
        struct.pack("<2sHL", b"II", 42, directory)
        + pixels
        + struct.pack(f"<{channels}H", *[16] * channels)
        + xmp
        + b"\0" * (len(xmp) % 2)
        + stored
        + b"\0" * (len(stored) % 2)
        + struct.pack("<H", len(tags))
        + table
        + struct.pack("<L", 0)
    )


def _bare(png: bytes) -> bytes:
    """Leave only the chunks that hold pixels; nothing is left of a file whose chunks do not fit into it.

    OpenCV takes memory for a chunk by the length that it claims, up to 4 GB.
    """
    kept, at = [_PNG], len(_PNG)
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if at + 12 + length > len(png):
            return b""
        if png[at + 4 : at + 8] in _PIXELS:
            kept.append(png[at : at + 12 + length])
        at += 12 + length
    return b"".join(kept)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

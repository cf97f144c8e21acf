"""Still pictures and folders of them: list, read upright, write with what the source carried (EXIF, ICC profile)."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, PngImagePlugin

from bianlian.errors import VideoError
from bianlian.files import open_plain
from bianlian.types import Image
from bianlian.video.limits import check_size

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""Readers that are tried, whatever the suffix says: others of Pillow's start programs (PostScript) or are hardly ever tested."""
_ORIENTATION = 0x0112
_XMP_TAG = 700
_DAMAGE = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, TypeError, KeyError, IndexError),
    *(AttributeError, AssertionError, OverflowError, ZeroDivisionError, RuntimeError, MemoryError),
)
"""What Pillow raises over damaged headers and tags."""
_QUALITY = {".jpg": {"quality": 95, "subsampling": 0}, ".jpeg": {"quality": 95, "subsampling": 0}, ".webp": {"quality": 95}}


def is_picture(path: Path) -> bool:
    """Tell by its suffix whether a path is a still picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def natural_key(path: Path) -> tuple[tuple[bool, int, str], ...]:
    """Sort key in which ``2.png`` comes before ``10.png``."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return (*((p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts), (False, 0, path.name))


def list_pictures(folder: Path) -> tuple[Path, ...]:
    """List the pictures of a folder in natural order, hidden files and subfolders left out. Raises VideoError if there are none."""
    found = [p for p in folder.iterdir() if is_picture(p) and p.is_file() and not p.name.startswith(".")]
    if not found:
        known = " ".join(PICTURE_SUFFIXES)
        raise VideoError(f"wanted a folder of pictures ({known}), {folder} has none: name another folder or a file in it")
    return tuple(sorted(found, key=natural_key))


@contextmanager
def _opened(path: Path) -> Iterator[Pillow.Image]:
    """Open a picture, every failure of the reader as one VideoError. The pixels are not decoded yet."""
    try:
        # What Pillow warns of, damaged tags above all, is either an error below or of no matter for the pixels.
        with warnings.catch_warnings(), open_plain(path) as file:
            warnings.simplefilter("ignore")
            with Pillow.open(file, formats=_FORMATS) as picture:
                check_size(path, *picture.size)
                yield picture
    except Pillow.DecompressionBombError as error:
        raise VideoError(f"wanted a picture of at most 178 million pixels, {path} has more: scale it down first") from error
    except FileNotFoundError as error:
        raise VideoError(f"wanted a picture, {path} does not exist: check the name") from error
    except _DAMAGE as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise VideoError(f"wanted a picture, {path} cannot be read ({why[:200]}): it is damaged or of another kind") from error


def unpack(data: bytes, size: tuple[int, int]) -> Image:
    """Decode a PNG or JPEG of a known size (width, height) in memory -> (H, W, 3) uint8 RGB.

    Raises ValueError that says what came instead; a picture that promises another size is not decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pillow.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
                found = picture.size
                if found == size:
                    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"), dtype=np.uint8)
    except (Pillow.DecompressionBombError, *_DAMAGE) as error:
        raise ValueError("a damaged file") from error
    raise ValueError(f"{found[0]} x {found[1]}")


def read_picture(path: Path) -> Image:
    """Read a picture -> (H, W, 3) uint8 RGB, upright by its EXIF orientation, transparency dropped, 16 bits cut to 8.

    Raises VideoError when it is missing, damaged, not a picture, or larger than 178 million pixels.
    """
    with _opened(path) as picture:
        if picture.mode.startswith("I;16"):
            eight_bits = (np.asarray(picture, dtype=np.uint16) >> 8).astype(np.uint8)
            upright: Pillow.Image = ImageOps.exif_transpose(Pillow.fromarray(eight_bits))
        else:
            # Each copy of the largest picture is 700 MB.
            ImageOps.exif_transpose(picture, in_place=True)
            upright = picture
        return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"), dtype=np.uint8)


def picture_header(path: Path) -> tuple[int, int, str, str]:
    """Read a picture's upright width and height, format ("jpeg") and mode ("RGB") without decoding it. Raises VideoError."""
    with _opened(path) as picture:
        turned = picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        width, height = picture.size[::-1] if turned else picture.size
        return width, height, str(picture.format).lower(), picture.mode


def write_picture(path: Path, image: Image, source: Path | None, note: Callable[[str], None], xmp: bytes = b"") -> None:
    """Write RGB (H, W, 3) uint8 by the suffix of ``path`` (JPEG and WebP at quality 95).

    source: a picture whose EXIF (orientation reset, thumbnail left out) and ICC profile go along. xmp: a packet to carry; a BMP
    has no place for one. Raises OSError.
    """
    extras: dict[str, Any] = dict(_QUALITY.get(path.suffix.lower(), {}))
    if xmp:
        extras |= _packet(path.suffix.lower(), xmp)
    if source is not None and path.suffix.lower() != ".bmp":
        extras |= _carried(source, note)
    Pillow.fromarray(image).save(path, **extras)


def _packet(suffix: str, xmp: bytes) -> dict[str, Any]:
    if suffix == ".png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return {"pnginfo": chunks}
    if suffix in (".tif", ".tiff"):
        return {"tiffinfo": {_XMP_TAG: xmp}}
    return {} if suffix == ".bmp" else {"xmp": xmp}


def _carried(source: Path, note: Callable[[str], None]) -> dict[str, bytes]:
    carried: dict[str, bytes] = {}
    with _opened(source) as picture:
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            note(f"{source.name}: transparency is not kept")
        profile = picture.info.get("icc_profile")
        if profile and picture.mode not in ("CMYK", "L", "LA", "I;16"):
            carried["icc_profile"] = profile
        exif = picture.getexif()
        exif.pop(_ORIENTATION, None)
        if len(exif) and picture.format in ("JPEG", "PNG", "WEBP"):
            carried["exif"] = exif.tobytes()
    return carried

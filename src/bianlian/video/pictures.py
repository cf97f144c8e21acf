"""Still pictures and folders of them: list, read upright, write with what the source carried (EXIF, ICC profile)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, PngImagePlugin

from bianlian.errors import VideoError
from bianlian.types import Image

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_ORIENTATION = 0x0112
_XMP_TAG = 700
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            picture = Pillow.open(path)
        with picture:
            yield picture
    except Pillow.DecompressionBombError as error:
        raise VideoError(f"wanted a picture of at most 178 million pixels, {path} has more: scale it down first") from error
    except FileNotFoundError as error:
        raise VideoError(f"wanted a picture, {path} does not exist: check the name") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise VideoError(f"wanted a picture, {path} cannot be read ({error}): it is damaged or of another kind") from error


def read_picture(path: Path) -> Image:
    """Read a picture -> (H, W, 3) uint8 RGB, upright by its EXIF orientation, transparency dropped, 16 bits cut to 8.

    Raises VideoError when it is missing, damaged, not a picture, or larger than 178 million pixels.
    """
    with _opened(path) as picture:
        if picture.mode.startswith("I;16"):
            eight_bits = (np.asarray(picture, dtype=np.uint16) >> 8).astype(np.uint8)
            upright = ImageOps.exif_transpose(Pillow.fromarray(eight_bits))
        else:
            upright = ImageOps.exif_transpose(picture)
        return np.asarray(upright.convert("RGB"), dtype=np.uint8)


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

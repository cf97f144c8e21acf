"""Still pictures and folders of them: list, read upright, write with what the source carried (EXIF, ICC profile, alpha)."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, PngImagePlugin

from bianlian.errors import VideoError
from bianlian.files import open_plain
from bianlian.types import Deep, DeepPixels, Frame, Image, Note
from bianlian.video.deep import as_light, as_uint16, full, view
from bianlian.video.exr import exr_header, read_exr, write_exr
from bianlian.video.limits import MOST_DEEP_PIXELS, check_size
from bianlian.video.sixteen import read_sixteen, write_png16, write_tiff16

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".exr")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
"""Readers that are tried, whatever the suffix says: others of Pillow's start programs (PostScript) or are hardly ever tested."""
_ORIENTATION = 0x0112
_ALPHA_SUFFIXES = (".png", ".webp", ".tif", ".tiff", ".exr")
_BITS_PER_SAMPLE, _XMP_TAG = 258, 700
_DAMAGE = (
    *(OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, TypeError, KeyError, IndexError),
    *(AttributeError, AssertionError, OverflowError, ZeroDivisionError, RuntimeError, MemoryError),
)
"""What Pillow raises over damaged headers and tags."""
_QUALITY: Mapping[str, Mapping[str, Any]] = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"quality": 95},
}


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


@dataclass(frozen=True)
class PictureHeader:
    """What is known of a picture before it is decoded.

    width, height: upright pixels. codec: format, such as "jpeg". mode: Pillow's, such as "RGB". bits: of a colour.
    alpha: whether pixels can be transparent.
    """

    width: int
    height: int
    codec: str
    mode: str
    bits: int
    alpha: bool


def picture_header(path: Path) -> PictureHeader:
    """Describe a picture. Raises VideoError when it is missing, damaged, or not a picture."""
    if _is_exr(path):
        exr = exr_header(path)
        alpha = "A" in exr.channels
        return PictureHeader(exr.width, exr.height, "exr", "RGBA" if alpha else "RGB", 16, alpha)
    with _opened(path) as picture:
        turned = picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        width, height = picture.size[::-1] if turned else picture.size
        alpha = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
        return PictureHeader(width, height, str(picture.format).lower(), picture.mode, _bits(path, picture), alpha)


def read_picture(path: Path) -> Image:
    """Read a picture -> (H, W, 3) uint8 RGB, upright by its EXIF orientation, transparency dropped, more bits cut to 8.

    Linear light (EXR) is shown by the sRGB curve, see ``deep``. Raises VideoError when it is missing, damaged, not a picture, or
    larger than 178 million pixels.
    """
    if _is_exr(path):
        return view(read_exr(path)[..., :3])
    with _opened(path) as picture:
        if picture.mode.startswith("I;16"):
            eight_bits = (np.asarray(picture, dtype=np.uint16) >> 8).astype(np.uint8)
            upright: Pillow.Image = ImageOps.exif_transpose(Pillow.fromarray(eight_bits))
        else:
            # Each copy of the largest picture is 700 MB.
            ImageOps.exif_transpose(picture, in_place=True)
            upright = picture
        return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"), dtype=np.uint8)


def read_frame(path: Path, index: int) -> Frame:
    """Read a picture as the frame ``index`` of a folder. Raises VideoError as ``read_picture``."""
    image = read_picture(path)
    if picture_header(path).bits == 8:
        return Frame(image, index)
    return Frame(image, index, deep=Deep(image, lambda: _stored(path)[..., :3]))


def write_picture(path: Path, frame: Frame, source: Path | None, note: Note, xmp: bytes = b"") -> None:
    """Write a frame by the suffix of ``path``, with more than 8 bits a colour where it has them and the format holds them.

    JPEG and WebP at quality 95; EXR in linear light. source: a picture whose EXIF (orientation reset, thumbnail left out), ICC
    profile and transparency go along. xmp: a packet to carry; BMP and EXR have no place for one. Raises OSError, av.FFmpegError.
    """
    suffix = path.suffix.lower()
    alpha = None if source is None else _alpha(source, suffix, note)
    extras = {} if source is None or suffix in (".bmp", ".exr") or _is_exr(source) else _carried(source)
    if source is not None and _is_exr(source) and (others := exr_header(source).others):
        note(f"{source.name}: only the colours and alpha are kept, not {', '.join(others)}: take them from the source")
    if suffix == ".exr":
        light = np.ones((*frame.image.shape[:2], 4), np.float32)
        light[..., :3] = as_light(full(frame))
        if alpha is not None:
            light[..., 3] = _levels(alpha)
        write_exr(path, light, alpha=alpha is not None)
    elif suffix in (".png", ".tif", ".tiff") and frame.deep is not None:
        deep = as_uint16(full(frame))
        if alpha is not None:
            deep = np.dstack([deep, np.rint(_levels(alpha) * 65535).astype(np.uint16)])
        if suffix == ".png":
            write_png16(path, deep, profile=extras.get("icc_profile"), exif=extras.get("exif"), xmp=xmp)
        else:
            write_tiff16(path, deep, profile=extras.get("icc_profile"), xmp=xmp)
    else:
        image = frame.image
        if alpha is not None:
            image = np.dstack([image, np.rint(_levels(alpha) * 255).astype(np.uint8)])
        options: dict[str, Any] = {**_QUALITY.get(suffix, {}), **extras, **(_packet(suffix, xmp) if xmp else {})}
        Pillow.fromarray(image).save(path, **options)


def _packet(suffix: str, xmp: bytes) -> dict[str, Any]:
    if suffix == ".png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return {"pnginfo": chunks}
    if suffix in (".tif", ".tiff"):
        return {"tiffinfo": {_XMP_TAG: xmp}}
    return {} if suffix == ".bmp" else {"xmp": xmp}


def _is_exr(path: Path) -> bool:
    return path.suffix.lower() == ".exr"


def _bits(path: Path, picture: Pillow.Image) -> int:
    """Bits of a colour that the library can use: 16 of a PNG or TIFF of 16 bits that is not very large, else 8."""
    if picture.width * picture.height > MOST_DEEP_PIXELS:
        return 8
    if picture.mode.startswith("I;16"):
        return 16
    if picture.format == "TIFF":
        stored = picture.getexif().get(_BITS_PER_SAMPLE, 8)
        return 16 if max(stored if isinstance(stored, tuple) else (stored,)) == 16 else 8
    if picture.format == "PNG":
        with path.open("rb") as file:
            return 16 if file.read(25)[24] == 16 else 8
    return 8


def _stored(path: Path) -> DeepPixels:
    """Read a picture of more than 8 bits -> (H, W, 3 or 4), upright."""
    if _is_exr(path):
        return read_exr(path)
    pixels = read_sixteen(path)
    with _opened(path) as picture:
        turn = picture.getexif().get(_ORIENTATION, 1)
    if turn in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    # What is left after the transposition: mirror left to right, top to bottom, or both.
    rows = slice(None, None, -1 if turn in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if turn in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(pixels[rows, columns])


def _alpha(source: Path, suffix: str, note: Note) -> NDArray[Any] | None:
    """Read how opaque a picture is -> (H, W) uint8, uint16 or float32, upright; None when it has no alpha, or may not keep it."""
    header = picture_header(source)
    if not header.alpha:
        return None
    if suffix not in _ALPHA_SUFFIXES:
        note(f"{source.name}: transparency is not kept, {suffix} has none: name a .png")
        return None
    if header.bits > 8:
        stored = _stored(source)
        return stored[..., 3] if stored.shape[2] == 4 else None
    with _opened(source) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"), np.uint8)[..., 3]


def _levels(alpha: NDArray[Any]) -> NDArray[np.float32]:
    """Turn alpha of any kind into float32 in [0, 1]."""
    if alpha.dtype == np.float32:
        return np.asarray(alpha, np.float32)
    return np.asarray(alpha / np.iinfo(alpha.dtype).max, np.float32)


def _carried(source: Path) -> dict[str, bytes]:
    carried: dict[str, bytes] = {}
    with _opened(source) as picture:
        profile = picture.info.get("icc_profile")
        if profile and picture.mode not in ("CMYK", "L", "LA", "I;16"):
            carried["icc_profile"] = profile
        exif = picture.getexif()
        exif.pop(_ORIENTATION, None)
        if len(exif) and picture.format in ("JPEG", "PNG", "WEBP"):
            carried["exif"] = exif.tobytes()
    return carried

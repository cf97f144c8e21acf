"""What a swap did, apart from the target: ``--layers`` for a compositor, ``--matte`` of what was replaced.

Layout of a folder of layers; pictures are PNG, numbered by the frame:
``layers.jsonl``: one face in one frame a line, in the order in which they lie over the frame;
``track0/face.000012.png``: the size of the frame, RGBA, alpha not multiplied in: laid over the target it gives the output, to the
faint watermark that both carry;
``track0/mask.000012.png``: the size of the frame, grey: the soft mask of the face;
``track0/crop.000012.png``: the network's face before colour, sharpness and place, RGBA with its own mask.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.errors import OutputError
from bianlian.files import check_output, discard, keep, new_part_folder, writing
from bianlian.provenance.mark import Marker
from bianlian.swap.paste import Fitted
from bianlian.swap.plan import Place
from bianlian.types import Frame, Image, Mask, Matrix
from bianlian.video import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    Encoding,
    FolderWriter,
    FrameWriter,
    ImageWriter,
    Span,
    VideoInfo,
    VideoWriter,
)
from bianlian.video.sixteen import with_xmp

SCHEMA = 1
"""Version of the lines of ``layers.jsonl``."""
_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)


@dataclass(frozen=True, eq=False)
class Layer:
    """One face that was put in. crop_from_frame (2, 3), drawn (S, S, 3), weights (S, S): the network's; fitted: at its place."""

    place: Place
    crop_from_frame: Matrix
    drawn: Image
    weights: Mask
    fitted: Fitted


@dataclass(frozen=True, eq=False)
class Done:
    """A finished frame. places: that changed it; layers: what was put there, in that order, where it was asked for. led: how colour
    is led before it (by track), where a segment begins with it."""

    frame: Frame
    places: tuple[Place, ...]
    layers: tuple[Layer, ...]
    led: Mapping[str, Any] | None


class SideWriter(Protocol):
    """Takes finished frames in order inside a with statement; what it writes appears on a clean exit only."""

    def __enter__(self) -> Self:
        """Open the output."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Finish it, or remove it when an exception is under way."""
        ...

    def write(self, done: Done, marker: Marker) -> None:
        """Write what belongs to the next frame. marker: marks the pictures that show a face. Raises OutputError."""
        ...


class LayersWriter:
    """Context manager that writes a folder of layers, see the module. Raises OutputError, also for a folder that is not empty."""

    def __init__(self, path: Path, target: Path) -> None:
        check_output(path, target)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(f"cannot write the layers {path}: it exists and is not empty: empty it, or choose another name")
        self._path = path

    def __enter__(self) -> Self:
        self._part = new_part_folder(self._path)
        self._lines: TextIO = (self._part / "layers.jsonl").open("w", encoding="utf-8")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lines.close()
        try:
            if kind is None:
                keep(self._part, self._path)
        finally:
            discard(self._part)

    def write(self, done: Done, marker: Marker) -> None:
        """Write the faces of the next frame."""
        with writing(self._path):
            for layer in done.layers:
                self._write(done.frame, layer, marker)

    def _write(self, frame: Frame, layer: Layer, marker: Marker) -> None:
        folder = f"track{layer.place.track}"
        (self._part / folder).mkdir(exist_ok=True)
        shape = frame.image.shape[:2]
        weights = np.rint(layer.weights * 255).astype(np.uint8)
        x1, y1, x2, y2 = layer.fitted.window
        face = over(layer.fitted)
        marked = frame.image.copy()
        marked[y1:y2, x1:x2] = face[..., :3]
        face[..., :3] = marker.stamp(marked)[y1:y2, x1:x2]  # as it lies in the frame: the mark is found again there
        pictures = {
            "face": _at(layer.fitted.window, face, shape),
            "mask": _at(layer.fitted.window, _grey(layer.fitted.mask)[..., None], shape),
            "crop": np.dstack([marker.stamp(layer.drawn), weights]),
        }
        names = {kind: f"{folder}/{kind}.{frame.index:06d}.png" for kind in pictures}
        for kind, picture in pictures.items():
            (self._part / names[kind]).write_bytes(with_xmp(_png(picture), marker.marks.xmp))
        line = {
            "schema": SCHEMA,
            "frame": frame.index,
            "pts": frame.pts,
            "time_base": None if frame.time_base is None else str(frame.time_base),
            "track": layer.place.track,
            **names,
            "window": list(layer.fitted.window),
            "crop_from_frame": layer.crop_from_frame.tolist(),
            "outline": layer.place.outline.round(2).tolist(),
            "filled": layer.place.filled,
        }
        self._lines.write(json.dumps(line) + "\n")


class MatteWriter:
    """Context manager that writes how much of each pixel was replaced: white all of it, black nothing.

    path: a video, which has the target's times and no sound; a folder, for one PNG a frame; of a picture also a PNG. Raises
    OutputError.
    """

    def __init__(self, path: Path, info: VideoInfo, encoding: Encoding, span: Span) -> None:
        self._writer = _matte_writer(path, info, encoding, span)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.__exit__(kind, error, trace)

    def write(self, done: Done, marker: Marker) -> None:
        """Write the matte of the next frame, which shows no face and carries no mark."""
        del marker
        matte = np.zeros(done.frame.image.shape[:2], np.uint8)
        for layer in done.layers:
            x1, y1, x2, y2 = layer.fitted.window
            matte[y1:y2, x1:x2] = np.maximum(matte[y1:y2, x1:x2], _grey(layer.fitted.mask))
        self._writer.write(replace(done.frame, image=np.repeat(matte[..., None], 3, axis=2), deep=None))


def over(fitted: Fitted) -> NDArray[np.uint8]:
    """Find a picture (h, w, 4) that laid over the target gives what the frame shows, to a grey level.

    It is the face with its mask wherever that does it, as after a plain mix; elsewhere (other blends, rounding at thin alpha) the
    colour is found back from the result, with as much alpha as that colour needs to lie in the range.
    """
    target, joined = fitted.target.astype(np.float32), fitted.joined.astype(np.float32)
    alpha = _grey(fitted.mask)[..., None].astype(np.float32)
    mixed = np.rint(target + (fitted.face - target) * alpha / 255)
    good = (np.abs(mixed - joined) <= 1).all(axis=2, keepdims=True)
    change = joined - target
    room = np.where(change > 0, 255 - target, target)
    needed = np.ceil(255 * (np.abs(change) / np.maximum(room, 1)).max(axis=2, keepdims=True))
    alpha = np.where(good, alpha, np.clip(np.maximum(alpha, needed), 1, 255))
    color = np.where(good, fitted.face, np.clip(np.rint(target + change * 255 / np.maximum(alpha, 1)), 0, 255))
    return np.concatenate([color, alpha], axis=2).astype(np.uint8)


def _matte_writer(path: Path, info: VideoInfo, encoding: Encoding, span: Span) -> FrameWriter:
    suffix = path.suffix.lower()
    if suffix == "" or path.is_dir():
        return FolderWriter(path, info, bare=True)
    if suffix in VIDEO_SUFFIXES and info.kind != "image":
        return VideoWriter(path, info, encoding, start=span.start, stop=span.stop, bare=True)
    if suffix in PICTURE_SUFFIXES and info.kind == "image":
        return ImageWriter(path, info, bare=True)
    kinds = f"a folder or a picture ({PICTURE_SUFFIXES[0]})" if info.kind == "image" else f"a folder or a video {VIDEO_SUFFIXES}"
    raise OutputError(f"cannot write the matte {path}: wanted {kinds}, got the suffix {suffix!r}")


def _grey(mask: Mask) -> NDArray[np.uint8]:
    return np.rint(mask * 255).astype(np.uint8)


def _at(window: tuple[int, int, int, int], picture: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Put a part (h, w, C) at its place in an empty picture of ``shape`` (height, width)."""
    x1, y1, x2, y2 = window
    whole = np.zeros((*shape, picture.shape[2]), np.uint8)
    whole[y1:y2, x1:x2] = picture
    return whole


def _png(picture: NDArray[np.uint8]) -> bytes:
    """Encode grey (H, W, 1) or RGBA (H, W, 4)."""
    order = cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA) if picture.shape[2] == 4 else picture
    return cv2.imencode(".png", order, _FAST)[1].tobytes()

"""Look at a few frames of a file, spread over it, for what all of them carry."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np

from bianlian.types import Image
from bianlian.video import frames, list_pictures, probe, read_picture
from bianlian.video.container import open_video, picture_stream

GLIMPSES = 12
"""Frames that are looked at."""
SCENES = 5
"""Parts of a long video that are looked at by themselves, so many frames each, where the whole shows nothing."""
_SHORT = 600


def glimpses(path: Path, count: int = GLIMPSES) -> Iterator[Image]:
    """Give up to ``count`` frames of a video, picture or folder, upright, spread evenly; of a long video key frames near those.

    All have the size of the first. Raises VideoError.
    """
    info = probe(path)
    if info.kind == "image":
        yield read_picture(path)
        return
    images: Iterator[Image]
    if info.kind == "folder":
        images = (read_picture(p) for p in _spread(list_pictures(path), count))
    elif (info.frames or 0) <= _SHORT or info.duration is None or info.rotation:
        images = (f.image for f in frames(path, every=max(1, (info.frames or 0) // count)))
    else:
        images = _sought(path, info.duration, count)
    first: tuple[int, ...] | None = None
    for k, image in enumerate(images):
        first = first or image.shape
        if k < 2 * count and image.shape == first:
            yield image


def scenes(path: Path) -> Iterator[list[Image]]:
    """Give some frames of each part of a long video: a mark that few frames carry drowns among all. Nothing for anything else.

    Raises VideoError.
    """
    info = probe(path)
    if info.kind == "video" and (info.frames or 0) > _SHORT and info.duration is not None and not info.rotation:
        images = _sought(path, info.duration, SCENES * GLIMPSES)
        while some := list(islice(images, GLIMPSES)):
            yield some


def _spread(paths: tuple[Path, ...], count: int) -> list[Path]:
    return [paths[k] for k in np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int))]


def _sought(path: Path, duration: Fraction, count: int) -> Iterator[Image]:
    """Jump through a long video: decoding all of it would take as long as making it."""
    with open_video(path) as container:
        stream = picture_stream(container, path)
        base, start = stream.time_base or Fraction(1, 1000), stream.start_time or 0
        for k in range(count):
            try:
                container.seek(start + int(duration * (2 * k + 1) / (2 * count) / base), stream=stream)
                picture = next(container.decode(stream), None)
            except av.FFmpegError:
                continue
            if picture is not None:
                yield np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)

"""Open the right writer for an output: video, picture or folder of pictures."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from bianlian.errors import OutputError
from bianlian.types import Frame
from bianlian.video.container import VIDEO_SUFFIXES
from bianlian.video.encoding import Encoding
from bianlian.video.marks import Marks
from bianlian.video.movie import VideoWriter
from bianlian.video.pictures import PICTURE_SUFFIXES
from bianlian.video.probe import VideoInfo
from bianlian.video.still import FolderWriter, ImageWriter


class FrameWriter(Protocol):
    """Takes frames in order inside a with statement; the output appears on a clean exit only."""

    def __enter__(self) -> Self:
        """Open the output."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Finish the output, or remove it when an exception is under way."""
        ...

    def write(self, frame: Frame) -> None:
        """Write the next frame. Raises OutputError."""
        ...


def open_writer(
    path: Path,
    like: VideoInfo,
    encoding: Encoding | None = None,
    note: Callable[[str], None] | None = None,
    *,
    rate: Fraction = Fraction(25),
    start: Fraction | None = None,
    stop: Fraction | None = None,
    marks: Marks | None = None,
) -> FrameWriter:
    """Choose a writer by the output's name and the input's kind.

    A video suffix: a video, from a video or a folder (``rate`` frames a second). A picture suffix: a picture, from a picture.
    No suffix, or a folder that is there: a folder of pictures. start, stop: seconds, as given to ``frames``; sound outside is
    left out. marks: what the output says about itself. Raises OutputError for anything else.
    """
    suffix = path.suffix.lower()
    if suffix == "" or path.is_dir():
        return FolderWriter(path, like, note=note, marks=marks)
    if suffix in PICTURE_SUFFIXES and like.kind == "image":
        return ImageWriter(path, like, note=note, marks=marks)
    if suffix in VIDEO_SUFFIXES and like.kind != "image":
        return VideoWriter(path, like, encoding, note=note, rate=rate, start=start, stop=stop, marks=marks)
    wanted = {
        "image": f"a picture ({' '.join(PICTURE_SUFFIXES)}) or a folder",
        "folder": f"a folder or a video ({' '.join(VIDEO_SUFFIXES)})",
        "video": f"a video ({' '.join(VIDEO_SUFFIXES)}) or a folder for numbered pictures",
    }[like.kind]
    raise OutputError(f"cannot write {path}: from {like.path.name} wanted the name of {wanted}, got the suffix {suffix!r}")

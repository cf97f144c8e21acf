"""Write frames as still pictures: one file, or a folder with one file a frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bianlian.errors import OutputError
from bianlian.types import Frame
from bianlian.video.marks import Marks
from bianlian.video.pictures import PICTURE_SUFFIXES, is_picture, list_pictures, write_picture
from bianlian.video.probe import VideoInfo
from bianlian.video.whole import check_output, discard, keep, new_part, new_part_folder, writing


class ImageWriter:
    """Context manager that writes one frame as one picture, by the suffix of ``path`` (JPEG and WebP at quality 95).

    EXIF, ICC profile and transparency of ``like`` go along where it is a picture; bare: nothing does. marks: what the picture says
    about itself. The file appears on a clean exit only. Raises OutputError.
    """

    def __init__(
        self,
        path: Path,
        like: VideoInfo,
        *,
        note: Callable[[str], None] | None = None,
        bare: bool = False,
        marks: Marks | None = None,
    ) -> None:
        if not is_picture(path):
            raise OutputError(f"cannot write {path}: wanted a name that ends in {' '.join(PICTURE_SUFFIXES)}")
        self._path, self._like, self._tell, self._marks = path, like, note or _ignore, marks or Marks()
        self._source = like.path if like.kind == "image" and not bare else None
        self._part: Path | None = None
        self._written = False
        check_output(path, like.path)

    def __enter__(self) -> Self:
        self._part = new_part(self._path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._part is not None
        try:
            if kind is None and not self._written:
                raise OutputError(f"cannot write {self._path}: no frame came: check the input")
            if kind is None:
                self._marks.seal(self._part)
                keep(self._part, self._path)
        finally:
            discard(self._part)
            self._part = None

    def write(self, frame: Frame) -> None:
        """Write the one frame. Raises OutputError for a second one."""
        if self._part is None or self._written:
            why = (
                "it holds one picture, a second frame came: name a folder"
                if self._written
                else "use the writer in a with statement"
            )
            raise OutputError(f"cannot write {self._path}: {why}")
        with writing(self._path):
            write_picture(self._part, frame, self._source, self._tell, self._marks.xmp)
        self._written = True


class FolderWriter:
    """Context manager that writes one picture a frame into a new or empty folder.

    From a folder or a picture the pictures keep their names (and so their kinds), EXIF and ICC profiles; frames of a video become
    ``000000.png`` and so on, numbered by Frame.index. bare: for pictures of something else than the input shows: they keep the
    names, but all are PNG and nothing goes along. part: where they are until all are there, on the same disk; pictures that an
    earlier run left there belong to the folder. The folder appears on a clean exit only. Raises OutputError.
    """

    def __init__(
        self,
        path: Path,
        like: VideoInfo,
        *,
        note: Callable[[str], None] | None = None,
        bare: bool = False,
        part: Path | None = None,
        marks: Marks | None = None,
    ) -> None:
        self._path, self._like, self._tell, self._marks = path, like, note or _ignore, marks or Marks()
        self._bare, self._given = bare, part
        self._part: Path | None = None
        self._sources: tuple[Path, ...] = ()
        if like.kind != "video":
            self._sources = list_pictures(like.path) if like.kind == "folder" else (like.path,)
        check_output(path, like.path)

    def __enter__(self) -> Self:
        self._part = new_part_folder(self._path, self._given)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._part is not None
        try:
            if kind is None:
                self._marks.seal(self._part)
                keep(self._part, self._path)
        finally:
            if self._given is None or kind is None:
                discard(self._part)
            self._part = None

    def write(self, frame: Frame) -> None:
        """Write the next frame as a picture of its own. Raises OutputError."""
        if self._part is None:
            raise OutputError(f"cannot write {self._path}: use the writer in a with statement")
        source = self._sources[frame.index] if frame.index < len(self._sources) else None
        name = f"{frame.index:06d}.png" if source is None else source.name
        if self._bare:
            name, source = str(Path(name).with_suffix(".png")), None
        with writing(self._path):
            write_picture(self._part / name, frame, source, self._tell, self._marks.xmp)


def _ignore(line: str) -> None:
    del line

"""Append-only files of lines: read the whole lines, go on after an interruption, never leave half a line behind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import final

from bianlian.errors import FacesetError, OutputError
from bianlian.faceset.record import LONGEST_LINE
from bianlian.files import open_plain, refuse_link, writing
from bianlian.types import Note, silent

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows has no flock: two runs at once into one faceset are not caught there
    flock = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Line:
    """One whole line. number: from 1. start, end: its place in the file in bytes, newline included. text: without newline."""

    number: int
    start: int
    end: int
    text: bytes


def read_lines(path: Path, *, note: Note = silent) -> Iterator[Line]:
    """Read the whole lines of a file, one at a time; a file that is not there has none.

    What an interrupted write left behind, a last line without its newline, is left out and named through ``note``.
    Raises FacesetError for a line of more than ``LONGEST_LINE`` bytes and for a file that cannot be read.
    """
    start = 0
    try:
        with open_plain(path) as file:
            for number, text in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=1):
                if not text.endswith(b"\n"):
                    if len(text) == LONGEST_LINE:
                        raise FacesetError(f"{path}, line {number}: longer than {LONGEST_LINE} bytes; the file is damaged")
                    note(f"{path}: line {number} is cut off by an interrupted write and left out")
                    return
                end = start + len(text)
                yield Line(number, start, end, text[:-1])
                start = end
    except FileNotFoundError:
        return
    except OSError as error:
        raise FacesetError(f"cannot read {path}: {error.strerror}") from error


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Keep other runs from writing ``path``, which is there, while the block runs.

    Raises OutputError when one is writing it, or it is a link.
    """
    refuse_link(path)
    with writing(path):
        file = path.open("r+b", buffering=0)
    with file:
        _lock(file.fileno(), path)
        if flock is None:
            file.close()  # Windows does not replace a file that is open
        yield


def _lock(handle: int, path: Path) -> None:
    if flock is None:
        return
    try:
        flock(handle, LOCK_EX | LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(f"cannot write {path}: another run is writing it; wait until that has ended") from error


@final
class Journal:
    """The writing end: cuts the file to ``end`` bytes, then appends lines. One writer at a time."""

    def __init__(self, path: Path, end: int) -> None:
        """Open or create ``path``. Raises OutputError: it cannot be written, is a link, or another process is writing it."""
        refuse_link(path)
        self._path = path
        self._end = end
        with writing(path):
            self._file = path.open("r+b" if path.exists() else "x+b", buffering=0)
        try:
            with writing(path):
                _lock(self._file.fileno(), path)
                self._cut()
        except OutputError:
            self._file.close()
            raise

    def append(self, lines: Sequence[str]) -> None:
        """Append lines in one write, out of this process's hands on return; all or none. Raises OutputError."""
        data = "".join(f"{line}\n" for line in lines).encode("ascii")
        try:
            with writing(self._path):
                if self._file.write(data) != len(data):
                    raise OSError(ENOSPC, "no space left")
        except OutputError:
            self._cut()
            raise
        self._end += len(data)

    def sync(self) -> None:
        """Wait until the disk has what was appended."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close; twice does no harm."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def _cut(self) -> None:
        self._file.truncate(self._end)
        self._file.seek(self._end)

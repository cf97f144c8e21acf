"""Files and folders that are written whole or not at all: a hidden part beside the output, flushed, then renamed.

What is read may come from anywhere: pipes and devices are refused, and so are links where something is going to be written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from uuid import uuid4

from bianlian.errors import OutputError

_PART = re.compile(r"\.[0-9a-f]{12}\.part(?:\.[^.]*)?")
_WHY = {
    errno.ENOSPC: "the disk is full: free some space, or write elsewhere",
    errno.EDQUOT: "the disk quota is used up: free some space, or write elsewhere",
    errno.EFBIG: "the file grows larger than allowed here: raise the limit, or write elsewhere",
    errno.EACCES: "no permission to write there: choose another folder",
    errno.EPERM: "no permission to write there: choose another folder",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.ENOTDIR: "a part of its path is a file, not a folder: choose another folder",
    errno.EEXIST: "a part of its path is a file, not a folder: choose another folder",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
}


@contextmanager
def writing(path: Path, *kinds: type[Exception]) -> Iterator[None]:
    """Turn what the system says about writing ``path`` into one OutputError.

    kinds: further exceptions, with ``errno`` and ``strerror``, of a library that writes the file.
    """
    caught: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except caught as error:
        number, text = getattr(error, "errno", None), getattr(error, "strerror", None)
        why = _WHY.get(number or 0, f"{text or error}: check the settings and the disk")
        raise OutputError(f"cannot write {path}: {why}") from error


def open_plain(path: Path) -> BufferedReader:
    """Open a plain file for reading. Raises OSError, also for a folder, a pipe or a device, which might block or never end."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_plain(path: Path, most: int) -> bytes:
    """Read a plain file of at most ``most`` bytes. Raises OSError, also for a larger one and for what is no plain file."""
    with open_plain(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
    return data


def refuse_link(path: Path) -> None:
    """Check that a file or folder that is to be written inside an existing one is no link out of it. Raises OutputError."""
    if path.is_symlink():
        raise OutputError(f"cannot write {path}: it is a link and may point elsewhere: remove it, or put the real one there")


@contextmanager
def replacing(path: Path, *kinds: type[Exception]) -> Iterator[Path]:
    """Give a part beside ``path`` to write to; on a clean exit it takes the name ``path``, on an exception it goes.

    The missing parent folder is made. Raises OutputError. kinds: see ``writing``.
    """
    with writing(path, *kinds):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = new_part(path)
        try:
            yield part
            keep(part, path)
        finally:
            discard(part)


@contextmanager
def replacing_folder(path: Path, *kinds: type[Exception]) -> Iterator[Path]:
    """Give a part beside the folder ``path`` to fill; on a clean exit it takes the name ``path``, on an exception it goes.

    A folder of that name that is there already is replaced. Raises OutputError. kinds: see ``writing``.
    """
    with writing(path, *kinds):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part_name(path)
        part.mkdir()
        try:
            yield part
            if path.exists():
                shutil.rmtree(path)
            keep(part, path)
        finally:
            discard(part)


def check_output(path: Path, source: Path) -> None:
    """Check an output before work begins and make its missing parent folders.

    Raises OutputError: it is the source itself (also through a link), or its folder cannot be made.
    """
    with writing(path):
        if path.exists() and source.exists() and path.samefile(source):
            raise OutputError(f"cannot write {path}: it is the input itself: choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)


def new_part(path: Path) -> Path:
    """Create the empty part of an output file: hidden, in the same folder, same suffix. Raises OutputError."""
    with writing(path):
        if path.is_dir():
            raise OutputError(f"cannot write {path}: a folder has that name: choose another name")
        part = _part_name(path)
        # O_EXCL, and not tempfile, whose files nobody else may read.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        return part


def new_part_folder(path: Path, part: Path | None = None) -> Path:
    """Create the part of an output folder; ``part``, which may be there, when given.

    Raises OutputError, also when ``path`` is a file or a folder that holds something.
    """
    with writing(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(f"cannot write the folder {path}: it exists and is not empty: empty it, or choose another name")
        part = _part_name(path) if part is None else part
        part.mkdir(exist_ok=True)
        return part


def keep(part: Path, path: Path) -> None:
    """Flush a part to the disk and give it its name. Raises OutputError."""
    with writing(path):
        for written in (*sorted(part.iterdir()), part) if part.is_dir() else (part,):
            flush(written)
        if part.is_dir() and path.is_dir():
            path.rmdir()
        part.replace(path)
        flush(path.parent)


def discard(part: Path) -> None:
    """Remove a part, whatever state it is in."""
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def is_part(path: Path) -> bool:
    """Tell by its name whether something is the part of an output that a killed process left behind, or another one is writing."""
    return _PART.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Remove the parts that killed processes left in a folder; call it where no other process is writing."""
    for left in [p for p in folder.iterdir() if is_part(p)] if folder.is_dir() else []:
        discard(left)


def _part_name(path: Path) -> Path:
    return path.parent / f".{uuid4().hex[:12]}.part{path.suffix}"


def flush(path: Path) -> None:
    """Wait until the disk has a file or the names in a folder."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Hash a file piece by piece -> hexadecimal digits. Raises as ``open_plain``, and OSError."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

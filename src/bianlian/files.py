"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bianlian.errors import OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a private temporary path beside ``path``; on a clean exit it takes the name ``path``, on an exception it goes.

    The missing parent folder is made. Raises OutputError when the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise cannot_write(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a private temporary folder beside ``path``; on a clean exit it takes the name ``path``, on an exception it goes.

    An existing folder ``path`` is replaced. Raises OutputError when the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield temporary
        for file in temporary.iterdir():
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Say in one line why ``path`` cannot be written."""
    if error.errno == errno.ENOSPC:
        return OutputError(f"{path}: the disk is full; free some space or choose another place (nothing half-written is left)")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return OutputError(f"{path}: this place may not be written to; choose another place ({error.strerror})")
    return OutputError(f"{path}: cannot be written: {error.strerror or error}")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

"""What the user gave, as a list of videos and pictures in a fixed order, each with a name and a fingerprint."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bianlian.errors import InputError, VideoError
from bianlian.faceset.header import HEADER
from bianlian.types import Note
from bianlian.video.container import VIDEO_SUFFIXES
from bianlian.video.pictures import is_picture, natural_key
from bianlian.video.probe import probe

_SUFFIXES = (*VIDEO_SUFFIXES, ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp", ".mxf")
"""What is taken for a video inside a folder; a file that is named itself may have any suffix."""
_ENDS = 1 << 16


@dataclass(frozen=True)
class Footage:
    """One video or picture. name: as records will have it. picture: a still. frames: estimate, None when unknown. pixels: of one.

    named: the user named this very file, so that it must be readable. fingerprint: of its content.
    """

    path: Path
    name: str
    picture: bool
    named: bool
    frames: int | None = None
    fingerprint: str = ""
    pixels: int = 1


def list_footage(inputs: Sequence[Path], note: Note) -> list[Footage]:
    """List videos and pictures, folders with all that is below them, in natural order; the same content counts once.

    Folders that are facesets, hidden files and links to folders are passed over; unreadable files in folders are named through
    ``note`` and left out. Raises InputError for an input that is missing or holds nothing, VideoError for a file that was named
    and cannot be read.
    """
    if not inputs:
        raise InputError("wanted at least one video, picture or folder, got none")
    found: list[Footage] = []
    for given in inputs:
        some = [_look(one, note) for one in (_walk(given) if given.is_dir() else [_file(given)])]
        if not some:
            raise InputError(f"{given} holds no video or picture; give a folder with footage of the person")
        found += [one for one in some if one is not None]
    if not found:
        raise InputError(f"not one readable video or picture in {', '.join(map(str, inputs))}")
    return _name_apart(_once(found, note))


def fingerprint(path: Path) -> str:
    """Tell contents apart without reading all: SHA-256 of the size and the first and last 64 KiB, in hex."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(f"{size} ".encode())
        for start in (0, max(0, size - _ENDS)):
            file.seek(start)
            digest.update(file.read(_ENDS))
    return digest.hexdigest()


def _file(path: Path) -> Footage:
    if not path.exists():
        raise InputError(f"{path} does not exist; check the name")
    return Footage(path, path.name, is_picture(path), named=True)


def _walk(folder: Path) -> Iterator[Footage]:
    if (folder / HEADER).is_file():
        raise InputError(f"{folder} is a faceset already; give the footage that it was made from")
    found: list[Path] = []
    for here, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".") and not (Path(here) / f / HEADER).is_file()]
        found += [Path(here) / f for f in files if not f.startswith(".") and _is_footage(Path(f))]
    for path in sorted(found, key=lambda p: [natural_key(Path(part)) for part in p.relative_to(folder).parts]):
        yield Footage(path, path.relative_to(folder).as_posix(), is_picture(path), named=False)


def _is_footage(path: Path) -> bool:
    return is_picture(path) or path.suffix.lower() in _SUFFIXES


def _look(one: Footage, note: Note) -> Footage | None:
    try:
        info = probe(one.path)
        return replace(one, frames=info.frames, fingerprint=fingerprint(one.path), pixels=info.width * info.height)
    except VideoError as error:
        if one.named:
            raise
        note(f"{error}; skipped")
    except OSError as error:
        if one.named:
            raise InputError(f"cannot read {one.path}: {error.strerror}") from error
        note(f"cannot read {one.path}: {error.strerror}; skipped")
    return None


def _once(found: Sequence[Footage], note: Note) -> list[Footage]:
    seen: dict[str, Footage] = {}
    for one in found:
        first = seen.setdefault(one.fingerprint, one)
        if first is not one and first.path.resolve() != one.path.resolve():
            note(f"{one.path} has the same content as {first.path}; skipped")
    return list(seen.values())


def _name_apart(found: Sequence[Footage]) -> list[Footage]:
    """Give footage of one name the names of its folders in front, as many as it takes."""
    counts = Counter(one.name for one in found)
    if max(counts.values()) == 1:
        return list(found)
    return _name_apart([_longer(one) if counts[one.name] > 1 else one for one in found])


def _longer(one: Footage) -> Footage:
    return replace(one, name="/".join(one.path.resolve().parts[-(one.name.count("/") + 2) :]))

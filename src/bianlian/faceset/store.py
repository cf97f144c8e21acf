"""Read a faceset: the faces of one person on disk, checked on opening, streamed, never all in memory.

FOLDER/faceset.json     whose faces, how they were cut (``header``)
FOLDER/faces.jsonl      one face a line (``record``)
FOLDER/inputs.jsonl     which inputs are done, for going on after an interruption (``writer``)
FOLDER/crops/*.jpg|png  the aligned crops

Curation adds ``measures.jsonl``, ``embeddings.npy`` (``curate.cache``), ``curation.json`` (``curate.ledger``), ``curation.html``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import final

from bianlian.errors import FacesetError
from bianlian.faceset.header import Header, read_header
from bianlian.faceset.journal import read_lines
from bianlian.faceset.record import FaceRecord, from_line, reason_kind
from bianlian.files import open_plain
from bianlian.types import Image, Note, silent
from bianlian.video.pictures import unpack

FACES = "faces.jsonl"
CROPS = "crops"
_NAMED = 5


@final
@dataclass(frozen=True)
class Faceset:
    """A faceset on disk that has been checked once.

    path: its folder. header: what holds for all faces. kept_count: faces that training uses. dropped: number of the others by
    the kind of their reason (``partial``, ``small``, ``not the largest face``, ...).
    """

    path: Path
    header: Header
    kept_count: int
    dropped: Mapping[str, int]

    @classmethod
    def open(cls, path: str | Path, *, note: Note = silent) -> Faceset:
        """Open a faceset and check every line and that every crop is there; no picture is read.

        note: told when an interrupted write left half a line, which is left out.
        Raises FacesetError when the folder is no faceset, has another schema version, a damaged line (named by its number),
        crops that are missing, or crops that are links and may lie outside of the folder.
        """
        path = Path(path)
        header = read_header(path)
        crops = _crop_names(path)
        kept, dropped, missing = 0, dict[str, int](), list[str]()
        for record in _records(path, note):
            if record.reason is None:
                kept += 1
            else:
                kind = reason_kind(record.reason)
                dropped[kind] = dropped.get(kind, 0) + 1
            if record.crop not in crops:
                missing.append(record.crop)
        if missing:
            named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
            raise FacesetError(f"{path}: {len(missing)} crops are missing or empty: {named}; extract again with --force")
        return cls(path, header, kept, MappingProxyType(dropped))

    @property
    def person(self) -> str:
        """Whose faces these are."""
        return self.header.person

    def __len__(self) -> int:
        """Count all faces, kept or not."""
        return self.kept_count + sum(self.dropped.values())

    def records(self) -> Iterator[FaceRecord]:
        """Stream all faces in the order of their ids. Raises FacesetError for a damaged line."""
        return _records(self.path, silent)

    def kept(self) -> Iterator[FaceRecord]:
        """Stream the faces that training uses."""
        return (record for record in self.records() if record.kept)

    def load_crop(self, record: FaceRecord) -> Image:
        """Read the crop of a face -> (size, size, 3) uint8 RGB.

        Raises FacesetError when it is missing, damaged or of another size.
        """
        path, size = self.path / record.crop, self.header.size
        # A picture that would unpack to far more than size x size pixels is refused before it is unpacked.
        largest = 4 * size * size + 65536
        try:
            with open_plain(path) as file:
                data = file.read(largest + 1)
        except OSError as error:
            raise FacesetError(f"cannot read the crop {path}: {error.strerror}") from error
        if not 0 < len(data) <= largest:
            raise FacesetError(f"{path} must be a picture of {size} x {size} pixels, got a file of {len(data)} bytes or more")
        try:
            return unpack(data, (size, size))
        except ValueError as error:
            raise FacesetError(f"{path} must be a picture of {size} x {size} pixels, got {error}") from error


def _records(folder: Path, note: Note) -> Iterator[FaceRecord]:
    path, last = folder / FACES, -1
    for line in read_lines(path, note=note):
        where = f"{path}, line {line.number}"
        record = from_line(line.text, where)
        if record.id <= last:
            raise FacesetError(f"{where}: id must grow from line to line, got {record.id} after {last}")
        last = record.id
        yield record


def check_crops_folder(folder: Path) -> Path:
    """Give the folder of the crops. Raises FacesetError unless it really lies in the faceset."""
    crops = folder / CROPS
    if crops.is_symlink() or not crops.is_dir():
        raise FacesetError(f"{crops} must be a folder of the faceset itself, got {'a link' if crops.is_symlink() else 'none'}")
    return crops


def _crop_names(folder: Path) -> set[str]:
    """List the crops that are there and not empty, as records name them."""
    found: set[str] = set()
    with os.scandir(check_crops_folder(folder)) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise FacesetError(f"{entry.path} is a link and may point out of the faceset; copy the picture itself there")
            if entry.is_file() and entry.stat().st_size > 0:
                found.add(f"{CROPS}/{entry.name}")
    return found

"""Write a faceset so that an interruption at any moment leaves a valid one, and the same command goes on from there.

A crop is written whole before its line; the lines of one frame are one write. ``inputs.jsonl`` says which input was begun and
which is done. On going on, the last frame of the input that was under way is taken back and done again, so that the result is
the same as of an unbroken run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Self, final

import cv2

from bianlian.errors import FacesetError, InputError, OutputError
from bianlian.faceset.header import HEADER, Header, read_header, write_header, write_whole
from bianlian.faceset.journal import Journal, read_lines
from bianlian.faceset.record import FaceRecord, check_keys, from_line, parse_object, to_line
from bianlian.faceset.store import CROPS, FACES, check_crops_folder
from bianlian.files import flush, is_part, writing
from bianlian.types import Crop, Image, Note, silent

INPUTS = "inputs.jsonl"
CURATION = ("measures.jsonl", "embeddings.npy", "curation.json", "curation.html")
"""What curation adds to a faceset."""
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Pass:
    """One input and the settings it is gone over with; equal passes give equal faces.

    file: as in the records. fingerprint: of its content. settings: in words.
    """

    file: str
    fingerprint: str
    settings: str


@dataclass(frozen=True)
class _Tail:
    """Where ``faces.jsonl`` goes on. end: bytes to keep. next_id: of the next face. frame: first frame to be done, 0 at first."""

    end: int = 0
    next_id: int = 0
    frame: int = 0


@final
class FacesetWriter:
    """The writing end of a faceset; one at a time. Use it as a context manager."""

    def __init__(self, path: Path, header: Header, *, planned: Collection[Pass] = (), note: Note = silent) -> None:
        """Begin a faceset in a folder that is new or empty, or go on with the one that is there.

        planned: the passes of this run; one that was interrupted goes on if it is among them, otherwise its faces are taken
        back. Raises FacesetError when the folder holds something else or a faceset of another person, size, coverage, format or
        consent; OutputError when it cannot be written.
        """
        self.path, self.header = path, header
        if not is_free(path):
            self.header = merged(path, header)
        _make(path, self.header)
        check_crops_folder(path)
        self.done, self.begun, inputs_end = _read_passes(path / INPUTS, note)
        tail, back = _read_tail(path / FACES, self.begun, note)
        if self.begun is not None and self.begun not in planned:
            note(f"{self.begun.file} was interrupted and is not among the inputs now; its faces are taken back")
            tail, self.begun = back, None
        self.next_id, self.first_frame, self._first_id = tail.next_id, tail.frame, back.next_id
        self._faces = Journal(path / FACES, tail.end)
        try:
            self._inputs = Journal(path / INPUTS, inputs_end)
        except OutputError:
            self._faces.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, one: Pass) -> None:
        """Begin an input, or go on with the one that was interrupted from its ``first_frame``.

        Raises InputError when the pass is done already, or another one is under way.
        """
        if one in self.done or self.begun not in (None, one):
            raise InputError(f"{one.file} is done already, or {self.begun} is under way; finish that one first")
        if self.begun is None:
            self._inputs.append([_pass_line(one, done=False)])
            self._first_id = self.next_id
        self.begun = one

    def add(self, records: Sequence[FaceRecord], crops: Sequence[Crop]) -> None:
        """Add the faces of one frame: records with ids from ``next_id`` on, and their crops. Raises OutputError, InputError."""
        ids = [self.next_id - 1, *(r.id for r in records)]
        if self.begun is None or len(records) != len(crops) or any(b != a + 1 for a, b in pairwise(ids)):
            raise InputError(
                f"wanted one crop a record, ids from {self.next_id} on, after begin(); got ids {ids[1:]}, {len(crops)} crops"
            )
        for record, crop in zip(records, crops, strict=True):
            write_whole(self.path / record.crop, encode_crop(crop.image, self.header.format))
        self._faces.append([to_line(record) for record in records])
        self.next_id += len(records)

    def finish(self) -> None:
        """Mark the input under way as done, once the disk has its faces."""
        if self.begun is None:
            raise InputError("no input is under way; call begin() first")
        with writing(self.path / CROPS):
            for number in range(self._first_id, self.next_id):
                flush(self.path / crop_name(number, self.header.format))
            flush(self.path / CROPS)
        self._faces.sync()
        self._inputs.append([_pass_line(self.begun, done=True)])
        self.done, self.begun = self.done | {self.begun}, None

    def close(self) -> None:
        """Wait until the disk has everything, and close."""
        self._faces.close()
        self._inputs.close()


def crop_name(number: int, format: str) -> str:
    """Name the crop of a face: 17, "jpg" -> ``crops/000017.jpg``."""
    return f"{CROPS}/{number:06d}.{format}"


def encode_crop(image: Image, format: str) -> bytes:
    """Pack a crop, (S, S, 3) uint8 RGB: ``jpg`` at quality 95 with full colour resolution, or ``png`` without loss.

    Measured on 256 x 256 crops of footage: jpg 1 ms, 13-21 kB, mean error 0.6-0.9 of 255; png 4-8 ms, 50-90 kB.
    """
    options = []
    if format == "jpg":
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    good, data = cv2.imencode(f".{format}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not good:
        raise OutputError(f"cannot pack a crop of {image.shape} as {format}")
    return bytes(data)


def is_free(path: Path) -> bool:
    """Tell whether a new faceset can be made at ``path``: nothing there, or nothing but what a killed run had begun to write.

    Raises FacesetError for a file.
    """
    if path.exists() and not path.is_dir():
        raise FacesetError(f"{path} is a file; give a folder for the faceset")
    return not path.exists() or all(is_part(p) or p.name == f".{HEADER}.part" for p in path.iterdir())


def merged(path: Path, header: Header) -> Header:
    """Merge what is wanted with the faceset at ``path``: it keeps its origin, and its consent when no new one is given.

    Raises FacesetError for another person, size, coverage or format, and for a second, other consent record.
    """
    found = read_header(path)
    for key in ("person", "size", "coverage", "format"):
        there, wanted = asdict(found)[key], asdict(header)[key]
        if there != wanted:
            raise FacesetError(f"{path} has {key} {there}, wanted {wanted}; give another folder, or --force to start again")
    if None not in (found.consent, header.consent) and found.consent != header.consent:
        raise FacesetError(f"{path} carries another consent record; leave --consent out, or --force to start again")
    return found if header.consent is None else replace(found, consent=header.consent)


def remove(path: Path) -> None:
    """Remove a faceset's own files, and its folder if nothing else is in it. Raises FacesetError, OutputError."""
    if not (path / HEADER).is_file():
        raise FacesetError(f"{path} is not a faceset and is left as it is; give another folder")
    with writing(path):
        if (path / CROPS).is_dir() and not (path / CROPS).is_symlink():
            shutil.rmtree(path / CROPS)
        for name in (FACES, INPUTS, *CURATION, HEADER):
            (path / name).unlink(missing_ok=True)
        if not any(path.iterdir()):
            path.rmdir()


def _make(path: Path, header: Header) -> None:
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        write_header(path, header)
        if not (path / CROPS).is_symlink():
            (path / CROPS).mkdir(exist_ok=True)


def _pass_line(one: Pass, *, done: bool) -> str:
    return json.dumps(asdict(one) | {"done": done})


def _read_passes(path: Path, note: Note) -> tuple[frozenset[Pass], Pass | None, int]:
    """Read ``inputs.jsonl`` -> passes that are done, the one under way, and the bytes that are whole lines."""
    keys = [f.name for f in fields(Pass)]
    done: set[Pass] = set()
    begun, end = None, 0
    for line in read_lines(path, note=note):
        where, end = f"{path}, line {line.number}", line.end
        found = parse_object(line.text, where)
        try:
            check_keys(found, [*keys, "done"])
        except FacesetError as error:
            raise FacesetError(f"{where}: {error}") from error
        finished = found.pop("done")
        if type(finished) is not bool or any(type(value) is not str for value in found.values()):
            raise FacesetError(f"{where}: wanted text, and true or false for done, got {found} and {finished!r}")
        one = Pass(**found)
        begun = None if finished else one
        if finished:
            done.add(one)
    return frozenset(done), begun, end


def _read_tail(path: Path, begun: Pass | None, note: Note) -> tuple[_Tail, _Tail]:
    """Find where ``faces.jsonl`` goes on: at the last frame of the pass under way, and where at the pass's first face."""
    here = first = last = _Tail()
    frame: int | None = None
    for line in read_lines(path, note=note):
        record = from_line(line.text, f"{path}, line {line.number}")
        if begun is not None and record.file == begun.file:
            if frame is None:
                first = _Tail(line.start, here.next_id)
            if record.frame != frame:
                last, frame = _Tail(line.start, here.next_id, record.frame), record.frame
        here = _Tail(line.end, record.id + 1)
    return (here, here) if frame is None else (last, first)

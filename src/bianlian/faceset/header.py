"""``faceset.json``: whose faces these are, how they were cut, and by whose leave."""

from __future__ import annotations

import json
import os
import unicodedata
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bianlian.errors import FacesetError, InputError, OutputError
from bianlian.faceset.record import check_keys, parse_object
from bianlian.files import open_plain, writing

SCHEMA = 1
"""Version of the layout on disk; a reader refuses every other."""
TEMPLATE = "bianlian-mean68"
"""Name of the template that crops are aligned to (``align.template``)."""
FACESET_COVERAGE = 0.45
"""Share of a faceset crop's side that a frontal outline spans: 5/8 of ``align.COVERAGE``, so that training can turn, zoom and
shift what a model sees and still never look past the border of the crop."""
CROP_SIZE = 256
"""Default side of a faceset crop in pixels; a model of 0.72 coverage sees the inner 160 of them."""
FORMATS = ("jpg", "png")
"""How crops can be stored, the default first."""
HEADER = "faceset.json"
LONGEST_NAME = 64
_LONGEST_FILE = 1 << 20


def check_person(name: str) -> str:
    """Check a person's name and give it back in Unicode's composed form.

    Letters of any script and digits, ``-``, ``_`` and ``.``, at most 64, neither beginning nor ending with a dot: it becomes a
    folder's name. Raises InputError that says so.
    """
    name = unicodedata.normalize("NFC", name)
    good = all(c.isalnum() or c in "-_." for c in name)
    if not good or not 0 < len(name) <= LONGEST_NAME or name[0] == "." or name[-1] == ".":
        wanted = f"1 to {LONGEST_NAME} letters, digits, '-', '_' or '.', with no dot at either end"
        raise InputError(f"a person's name must be {wanted}, got {name[:80]!r}")
    return name


@dataclass(frozen=True)
class Header:
    """What holds for a whole faceset.

    person: see ``check_person``. size: side of the crops in pixels, 16 to 4096. coverage: share of that side that a frontal
    outline spans, in (0, 1.5]. format: ``jpg`` or ``png``. template: what crops are aligned to. consent: in the user's words,
    how the person agreed to this use; None when nothing is recorded. origin: what made the faceset. schema: of the layout.
    """

    person: str
    size: int = CROP_SIZE
    coverage: float = FACESET_COVERAGE
    format: str = FORMATS[0]
    template: str = TEMPLATE
    consent: str | None = None
    origin: str = "bianlian extract"
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        check_person(self.person)
        if not 16 <= self.size <= 4096:
            raise InputError(f"size of the crops must be 16 to 4096 pixels, got {self.size}; {CROP_SIZE} is the default")
        if not 0 < self.coverage <= 1.5:
            raise InputError(f"coverage must lie in (0, 1.5], got {self.coverage}; {FACESET_COVERAGE} is the default")
        if self.format not in FORMATS:
            raise InputError(f"format of the crops must be one of {', '.join(FORMATS)}, got {self.format!r}")
        if self.template != TEMPLATE:
            raise InputError(f"template must be {TEMPLATE}, got {self.template!r}; extract the footage again")


def read_header(folder: Path) -> Header:
    """Read ``faceset.json``. Raises FacesetError when it is missing, damaged, or of another schema version."""
    path = folder / HEADER
    if not folder.is_dir() or not path.is_file():
        raise FacesetError(f"{folder} is not a faceset: it has no {HEADER}; make one with bianlian extract")
    try:
        with open_plain(path) as file:
            found = parse_object(file.read(_LONGEST_FILE), str(path))
    except OSError as error:
        raise FacesetError(f"cannot read {path}: {error.strerror}") from error
    if found.get("schema") != SCHEMA or type(found["schema"]) is not int:
        got = str(found.get("schema"))[:20]
        raise FacesetError(f"{path} has schema version {got}, this program reads {SCHEMA}; extract the footage again")
    try:
        check_keys(found, [f.name for f in fields(Header)])
        for key, kinds in _KINDS.items():
            if type(found[key]) not in kinds:
                raise FacesetError(f"{key} must be {' or '.join(k.__name__ for k in kinds)}, got {type(found[key]).__name__}")
        return Header(**found)
    except InputError as error:
        raise FacesetError(f"{path}: {error}") from error


def write_header(folder: Path, header: Header) -> None:
    """Write ``faceset.json`` whole or not at all. Raises OutputError."""
    write_whole(
        folder / HEADER,
        json.dumps(asdict(header), indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n",
        durable=True,
    )


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file under a temporary name, then rename it; ``durable`` waits until the disk has it. Raises OutputError."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        with writing(path):
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
    except OutputError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


_KINDS: dict[str, tuple[type[Any], ...]] = {
    "person": (str,),
    "size": (int,),
    "coverage": (float, int),
    "format": (str,),
    "template": (str,),
    "consent": (str, type(None)),
    "origin": (str,),
}

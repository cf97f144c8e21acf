"""Measures of a faceset's faces on disk, so that other thresholds take seconds: a cache that may be removed at any time.

FOLDER/measures.jsonl  one face a line: id, stamp, face, and the numbers of ``look``
FOLDER/embeddings.npy  the descriptions, (N, D) float32, a row for each line of measures.jsonl; NaN where there is none
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import FacesetError
from bianlian.faceset.curate.look import Look
from bianlian.faceset.curate.table import Seen, stack
from bianlian.faceset.header import write_whole
from bianlian.faceset.journal import read_lines
from bianlian.faceset.record import check_keys, parse_object
from bianlian.files import open_plain
from bianlian.types import Note

MEASURES, EMBEDDINGS = "measures.jsonl", "embeddings.npy"
_KEYS = ("id", "stamp", "face", *(f.name for f in fields(Look)))


def load(folder: Path, note: Note) -> dict[int, Seen]:
    """Read the measures by the faces' ids; empty when there are none. Damaged ones are noted, and measured again."""
    found: list[tuple[int, Seen]] = []
    try:
        for line in read_lines(folder / MEASURES):
            where = f"{folder / MEASURES}, line {line.number}"
            found.append(_from_object(parse_object(line.text, where), where))
    except FacesetError as error:
        note(f"{error}; the faces are measured again")
        return {}
    who = _descriptions(folder / EMBEDDINGS, len(found))
    if who is None:
        return dict(found)
    rows = zip(found, who, strict=True)
    return {number: Seen(s.stamp, s.look, s.face, row if np.isfinite(row).all() else None) for (number, s), row in rows}


def save(folder: Path, seen: Mapping[int, Seen]) -> None:
    """Write measures and descriptions, each whole or not at all. Raises OutputError."""
    data = io.BytesIO()
    np.save(data, stack([s.who for s in seen.values()]), allow_pickle=False)
    # The descriptions first: lines whose stamps are new must never find rows of the faces before.
    write_whole(folder / EMBEDDINGS, data.getvalue())
    lines = (json.dumps(_to_object(number, s), allow_nan=False) for number, s in seen.items())
    write_whole(folder / MEASURES, "".join(f"{line}\n" for line in lines).encode("ascii"))


def _to_object(number: int, seen: Seen) -> dict[str, Any]:
    values = asdict(seen.look)
    return {"id": number, "stamp": seen.stamp, "face": seen.face, **values, "hash": f"{seen.look.hash:016x}"}


def _from_object(found: dict[str, Any], where: str) -> tuple[int, Seen]:
    try:
        check_keys(found, _KEYS)
        number, stamp, face, bits = (found.pop(k) for k in ("id", "stamp", "face", "hash"))
        good = type(number) is int and type(stamp) is str and type(bits) is str
        numbers = [v for v in (face, *found.values()) if v is not None]
        if not good or not all(type(v) in (int, float) and math.isfinite(v) for v in numbers):
            raise FacesetError("wanted a whole number, a text, and finite numbers")
        if not 0 <= (hashed := int(bits, 16)) < 1 << 64:
            raise FacesetError(f"hash must be 16 hex digits, got {bits[:20]!r}")
        return number, Seen(stamp, Look(**{k: float(v) for k, v in found.items()}, hash=hashed), face)
    except (FacesetError, ValueError, TypeError, OverflowError) as error:
        raise FacesetError(f"{where}: {error}") from error


def _descriptions(path: Path, count: int) -> NDArray[np.float32] | None:
    try:
        open_plain(path).close()
        # Mapped, a file that promises more numbers than it holds is refused before memory is taken for them.
        who = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError, TokenError):
        return None
    good = isinstance(who, np.ndarray) and who.ndim == 2 and who.dtype == np.float32 and len(who) == count
    return np.array(who) if good else None

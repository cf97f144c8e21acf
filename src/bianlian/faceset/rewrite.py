"""Change which faces of a faceset are kept: ``faces.jsonl`` is written anew, whole or not at all; all else of a line stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bianlian.faceset.journal import exclusive, read_lines
from bianlian.faceset.record import from_line, to_line
from bianlian.faceset.store import FACES
from bianlian.files import replacing


def rewrite(folder: Path, reasons: Mapping[int, str | None]) -> None:
    """Set the faces' reasons, None for those that are kept; faces that ``reasons`` does not name stay as they are.

    Streams: one line is held at a time. Raises FacesetError for a damaged line, OutputError when the file cannot be written or
    another run is writing it.
    """
    path = folder / FACES
    with exclusive(path), replacing(path) as part, part.open("wb") as out:
        for line in read_lines(path):
            record = from_line(line.text, f"{path}, line {line.number}")
            reason = reasons.get(record.id, record.reason)
            same = reason == record.reason
            out.write(line.text if same else to_line(replace(record, kept=reason is None, reason=reason)).encode("ascii"))
            out.write(b"\n")

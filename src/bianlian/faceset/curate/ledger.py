"""``curation.json``: the user's own words on faces, and what extraction had said of them, so that all can be taken back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from bianlian.errors import FacesetError
from bianlian.faceset.curate.decide import is_ours
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.header import write_whole
from bianlian.faceset.record import check_keys, parse_object
from bianlian.files import read_plain

LEDGER = "curation.json"
SCHEMA = 1
_LARGEST = 1 << 26


@final
@dataclass(frozen=True)
class Ledger:
    """What outlasts a curation. hand: id -> (stamp, kept); extraction: id -> (stamp, reason). The stamp tells whether the number
    still means the same face, see ``table.stamp``."""

    hand: Mapping[int, tuple[str, bool]] = field(default_factory=dict)
    extraction: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    def said(self, ids: Sequence[int], stamps: Sequence[str]) -> dict[int, bool]:
        """Give the user's words on faces that are still the same."""
        found = ((number, stamp, self.hand.get(number)) for number, stamp in zip(ids, stamps, strict=True))
        return {number: word[1] for number, stamp, word in found if word is not None and word[0] == stamp}

    def before(self, ids: Sequence[int], stamps: Sequence[str], reasons: Sequence[str | None]) -> list[str | None]:
        """Give the reasons that are not curation's own: those in the records, else those of an earlier extraction."""
        out: list[str | None] = []
        for number, stamp, reason in zip(ids, stamps, reasons, strict=True):
            old = self.extraction.get(number)
            if reason is not None and not is_ours(reason):
                out.append(reason)
            else:
                out.append(old[1] if old is not None and old[0] == stamp else None)
        return out


def load(folder: Path) -> Ledger:
    """Read ``curation.json``; a new ledger when there is none. Raises FacesetError when it is damaged or of another schema."""
    path = folder / LEDGER
    try:
        found = parse_object(read_plain(path, _LARGEST), str(path))
    except FileNotFoundError:
        return Ledger()
    except OSError as error:
        raise FacesetError(f"cannot read {path}: {error.strerror}") from error
    if found.get("schema") != SCHEMA:
        raise FacesetError(f"{path} has schema version {str(found.get('schema'))[:20]}, this program reads {SCHEMA}; remove it")
    try:
        check_keys(found, ("schema", "settings", "hand", "extraction"))
        return Ledger(_entries(found["hand"], "keep", bool), _entries(found["extraction"], "reason", str))
    except FacesetError as error:
        raise FacesetError(f"{path}: {error}; mend or remove it") from error


def save(folder: Path, ledger: Ledger, settings: CurateSettings) -> None:
    """Write ``curation.json``, with the settings for people to read. Raises OutputError."""
    hand = [{"id": n, "stamp": stamp, "keep": keep} for n, (stamp, keep) in sorted(ledger.hand.items())]
    extraction = [{"id": n, "stamp": stamp, "reason": reason} for n, (stamp, reason) in sorted(ledger.extraction.items())]
    values = {"schema": SCHEMA, "settings": asdict(settings), "hand": hand, "extraction": extraction}
    write_whole(folder / LEDGER, json.dumps(values, indent=1).encode("ascii") + b"\n", durable=True)


def _entries(found: Any, key: str, kind: type) -> dict[int, tuple[str, Any]]:
    if not isinstance(found, list):
        raise FacesetError(f"wanted a list of objects with id, stamp and {key}, got {type(found).__name__}")
    out = {}
    for one in found:
        if not isinstance(one, dict):
            raise FacesetError(f"wanted an object with id, stamp and {key}, got {type(one).__name__}")
        check_keys(one, ("id", "stamp", key))
        if type(one["id"]) is not int or type(one["stamp"]) is not str or type(one[key]) is not kind:
            raise FacesetError(f"wanted a whole number, a text and {kind.__name__} for id, stamp and {key}, got {str(one)[:80]}")
        out[one["id"]] = (one["stamp"], one[key])
    return out

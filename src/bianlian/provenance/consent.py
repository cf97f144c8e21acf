"""The record of consent: who agreed to what, in the user's words, kept where the faces are.

A faceset and a run carry it inside; footage has ``NAME.consent.json`` beside it; an output carries those of all it was made from,
signed, and so nothing can be added to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from bianlian.errors import ConfigError, InputError
from bianlian.faceset.header import HEADER, read_header, write_header
from bianlian.files import replacing
from bianlian.train.run import SETTINGS, open_run, person_index

NO_CONSENT = "no consent record"
_SCHEMA = 1
_LONGEST, _LONGEST_FILE = 2000, 1 << 20


@dataclass(frozen=True)
class Consent:
    """One record. who: a person's name, or the footage's; text: in the user's words, or ``NO_CONSENT``."""

    who: str
    text: str


def record_path(footage: Path) -> Path:
    """Name the record of footage: ``clip.mp4`` -> ``clip.mp4.consent.json``, in the same folder."""
    return footage.with_name(f"{footage.name}.consent.json")


def read_consents(path: Path) -> list[Consent]:
    """Read the records of a faceset, a run or footage. Raises InputError when the path does not exist or a record is damaged."""
    if (path / HEADER).is_file():
        header = read_header(path)
        return [Consent(header.person, header.consent or NO_CONSENT)]
    if (path / SETTINGS).is_file():
        return [Consent(person.name, person.consent or NO_CONSENT) for person in open_run(path).people]
    if not path.exists():
        raise InputError(f"wanted a faceset, a run, footage or an output, {path} does not exist: check the name")
    return [Consent(path.name, footage_consent(path))]


def footage_consent(footage: Path) -> str:
    """Read the record beside footage; ``NO_CONSENT`` where there is none. Raises InputError when it is damaged."""
    path = record_path(footage)
    if not path.is_file():
        return NO_CONSENT
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(_LONGEST_FILE))
        text = found["consent"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} is no consent record ({error}): remove it, then `bianlian consent {footage} --add TEXT`"
        ) from error
    if not isinstance(text, str) or not text.strip():
        raise InputError(f'{path} is no consent record: wanted text under "consent", got {text!r:.80}')
    return text


def add_consent(path: Path, text: str, person: str | None = None) -> list[Consent]:
    """Add to the record of a faceset, a run's person or footage -> the records as they are now.

    person: whose, needed for a run. Raises InputError, ConfigError, OutputError.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise ConfigError(f"wanted one line of 1 to {_LONGEST} characters that says how they agreed, got {text[:80]!r}")
    if (path / HEADER).is_file():
        header = read_header(path)
        write_header(path, replace(header, consent=_joined(header.consent, text)))
    elif (path / SETTINGS).is_file():
        run = open_run(path)
        if person is None:
            raise ConfigError(f"{path} knows {', '.join(run.names)}: say who agreed with --person NAME")
        chosen = person_index(run, person, path)
        people = [replace(p, consent=_joined(p.consent, text)) if k == chosen else p for k, p in enumerate(run.people)]
        replace(run, people=tuple(people)).save(path)
    elif path.exists():
        before = footage_consent(path) if record_path(path).is_file() else None
        values = {"schema": _SCHEMA, "file": path.name, "consent": _joined(before, text)}
        with replacing(record_path(path)) as part:
            part.write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return read_consents(path)


def _joined(before: str | None, text: str) -> str:
    return text if not before or before == NO_CONSENT else f"{before}; {text}"

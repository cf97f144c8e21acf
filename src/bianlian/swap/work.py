"""The work of a swap that is under way: a hidden folder beside the output, from which the next run goes on after an interruption.

It holds a label (what the work was made from, as a fingerprint), the analysis as far as it got, and for each finished segment of
the output a record and its encoded frames. Work with another label is not used and goes. The folder goes when the output is
there, and after an interruption that left nothing of use.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bianlian.faceset.journal import exclusive
from bianlian.files import replacing, writing
from bianlian.model import Swapper
from bianlian.swap.plan import Plan
from bianlian.swap.report import versions
from bianlian.swap.settings import SwapSettings
from bianlian.types import Note

SCHEMA = 3
"""Version of the folder's layout."""

ANALYSIS, _LABEL, _LOCK = "analysis.jsonl", "label.json", "lock"
Record = Mapping[str, Any]


class Work:
    """The folder, while a run holds it; made by ``open_work``."""

    def __init__(self, folder: Path, *, keeps: bool = True) -> None:
        self.folder, self.keeps = folder, keeps
        self.records: list[Record] = []
        """What is known of each finished segment, in order; ``next``: index from which on frames belong to later ones."""

    @property
    def analysis(self) -> Path:
        """File of the analysis under way."""
        return self.folder / ANALYSIS

    @property
    def frames(self) -> int:
        """Index of the first frame that no finished segment holds."""
        return int(self.records[-1]["next"]) if self.records else 0

    def claim(self, label: str) -> None:
        """Keep the segments of an earlier run with the same label, or remove them. Raises OutputError."""
        path = self.folder / _LABEL
        with suppress(OSError, ValueError, LookupError, TypeError):
            kept = json.loads(path.read_text(encoding="utf-8")) if self.keeps else {}
            if (kept["schema"], kept["label"]) == (SCHEMA, label):
                self.records = list(self._read())
                return
        for entry in self.folder.iterdir():
            if entry.name not in (_LOCK, ANALYSIS):
                _remove(entry)
        with replacing(path) as part:
            part.write_text(json.dumps({"schema": SCHEMA, "label": label}), encoding="utf-8")

    def add(self, record: Record) -> None:
        """Remember a finished segment. Raises OutputError."""
        with replacing(self._path(len(self.records))) as part:
            part.write_text(json.dumps(record), encoding="utf-8")
        self.records.append(record)

    def _read(self) -> Iterator[Record]:
        """Read the records up to the first that is missing or damaged."""
        number = 0
        while True:
            try:
                yield json.loads(self._path(number).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return
            number += 1

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"


@contextmanager
def open_work(out: Path, note: Note, *, keeps: bool = True) -> Iterator[Work]:
    """Hold the folder of an output. note: told when an interruption leaves work for the next run. keeps: let finished segments be
    used again, by this run and by later ones.

    Raises OutputError when the folder cannot be made, or when another run is writing the same output.
    """
    folder = work_folder(out)
    with writing(out):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _LOCK).touch()
    with exclusive(folder / _LOCK):
        work = Work(folder, keeps=keeps)
        try:
            yield work
        except BaseException:
            if (keeps and work.records) or (work.analysis.exists() and work.analysis.stat().st_size):
                note(f"what is finished is kept in {folder}; the same command goes on from there")
            else:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def work_folder(out: Path) -> Path:
    """Name the folder of an output: ``clip.mp4`` -> ``.clip.mp4.work``, beside it."""
    return out.with_name(f".{out.name}.work")


def label_of(target: str, plan: Plan, cast: Sequence[tuple[str | None, Swapper]], settings: SwapSettings, suffix: str) -> str:
    """Tell swaps apart by all that their frames depend on, in hex.

    target: its fingerprint. cast: who, and the model: known by what it draws of noise. suffix: of the output.
    """
    digest = hashlib.sha256()
    told = {"target": target, "settings": asdict(settings), "suffix": suffix, "versions": versions()}
    digest.update(json.dumps(told, sort_keys=True, default=str).encode())
    for who, swapper in cast:
        noise = np.random.default_rng(0).integers(0, 256, (1, swapper.size, swapper.size, 3), dtype=np.uint8)
        face, mask = swapper.swap(noise)
        digest.update(f"{who} {swapper.person} {swapper.coverage}".encode())
        digest.update(face.tobytes() + mask.tobytes())
    for frame in sorted(plan.places):
        for place in plan.places[frame]:
            digest.update(f"{frame} {place.track} {place.part} {place.filled} {place.share!r}".encode())
            digest.update(place.crop_from_frame.tobytes() + place.outline.tobytes() + place.points.tobytes())
    return digest.hexdigest()


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)

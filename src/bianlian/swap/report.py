"""What a swap did, as data: ``OUT.json`` beside the output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from threading import Lock
from time import perf_counter

from bianlian.files import replacing
from bianlian.provenance.consent import NO_CONSENT
from bianlian.provenance.mark import Marked
from bianlian.swap.settings import SwapSettings

SCHEMA = 1
"""Version of the report's layout."""

_PACKAGES = ("bianlian", "av", "numpy", "opencv-python-headless", "openvino", "torch")


@dataclass(frozen=True)
class Skipped:
    """Frames left as they were for one reason. ranges: first and last frame index of each run, both included."""

    reason: str
    frames: int
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Part:
    """Who was given which face. who: of the target, None for ``SwapSettings.faces``; person: whose face; consent: to its use."""

    who: str | None
    person: str
    consent: str


@dataclass(frozen=True)
class SwapReport:
    """What was done.

    cast: who was given which face; model: where the faces came from; target_consent: to the use of the target; mark: how the output
    was marked. frames: read from the target;
    swapped: of them with a new face; filled: of those with interpolated landmarks. seconds: busy time of each stage, which overlap;
    wall: seconds from start to end; fps: frames / wall. resumed: frames taken over from a run that was interrupted, in ``frames``
    too; not in ``seconds``, ``wall`` and ``fps``. fitted: a recogniser looked at the new faces and had them changed, see
    ``swap.liken``; a score of likeness by the same one is too good.
    """

    target: str
    output: str
    cast: tuple[Part, ...]
    model: str
    settings: SwapSettings
    frames: int
    swapped: int
    filled: int
    skipped: tuple[Skipped, ...]
    seconds: Mapping[str, float]
    wall: float
    notes: tuple[str, ...] = ()
    resumed: int = 0
    target_consent: str = NO_CONSENT
    mark: Marked | None = None
    fitted: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def person(self) -> str:
        """Whose face went in; several names with commas."""
        return ", ".join(dict.fromkeys(part.person for part in self.cast))

    @property
    def consent(self) -> str:
        """Consent of the person whose face went in; ``NO_CONSENT`` when one of several gave none."""
        given = list(dict.fromkeys(part.consent for part in self.cast))
        return NO_CONSENT if NO_CONSENT in given else "; ".join(given)

    @property
    def fps(self) -> float:
        """Frames of the target a second of the whole run, analysis included."""
        return (self.frames - self.resumed) / self.wall if self.wall > 0 else 0.0


def report_path(out: Path) -> Path:
    """Name the report of an output: ``clip.mp4`` -> ``clip.json``, in the same folder."""
    return beside(out, ".json")


def beside(out: Path, suffix: str) -> Path:
    """Name a file that belongs to an output, in the same folder: its name with another suffix."""
    return out.with_name((out.stem if out.suffix else out.name) + suffix)


def write_report(report: SwapReport, path: Path) -> None:
    """Write the report as JSON, whole or not at all. Raises OutputError."""
    values = {**asdict(report), "person": report.person, "consent": report.consent, "fps": round(report.fps, 2)}
    with replacing(path) as part:
        part.write_text(json.dumps(values, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Name the versions that made the output; packages that are not installed are left out."""
    found = {"python": python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def summarise(reasons: Sequence[tuple[int, str]]) -> tuple[Skipped, ...]:
    """Gather (frame index, reason), indices rising, into runs; the most frequent reason first."""
    runs: dict[str, list[list[int]]] = {}
    for frame, reason in reasons:
        mine = runs.setdefault(reason, [])
        if mine and mine[-1][1] == frame - 1:
            mine[-1][1] = frame
        else:
            mine.append([frame, frame])
    found = [Skipped(reason, sum(b - a + 1 for a, b in spans), tuple((a, b) for a, b in spans)) for reason, spans in runs.items()]
    return tuple(sorted(found, key=lambda s: -s.frames))


class Clock:
    """Adds up how long each stage is busy; safe from several threads."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._lock = Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        try:
            yield
        finally:
            took = perf_counter() - start
            with self._lock:
                self._seconds[stage] = self._seconds.get(stage, 0.0) + took

    @property
    def seconds(self) -> dict[str, float]:
        """Busy seconds a stage, rounded to milliseconds."""
        with self._lock:
            return {name: round(value, 3) for name, value in self._seconds.items()}

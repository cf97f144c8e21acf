"""How commands show what they do: progress bars on a terminal, a plain line every few seconds elsewhere; always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from bianlian.errors import one_line
from bianlian.types import Note, Progress

EVERY_SECONDS = 5.0
"""Least time between two plain lines of one stage."""


@contextmanager
def shown(console: Console | None = None) -> Iterator[tuple[Progress, Note]]:
    """Show progress and notes while the block runs -> (progress, note), both safe to call from any thread.

    console: where to; stderr when None. A stage is a bar of its own on a terminal; elsewhere its first, its last and, every few
    seconds, one line between.
    """
    console = console or Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        yield _Lines(console).progress, lambda line: _say(console, line)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console) as bars:
        yield _Stages(bars).progress, lambda line: _say(bars.console, line)


def _say(console: Console, line: str) -> None:
    # A name may hold bytes that are no text, or that a terminal obeys; showing it must neither stop the run nor do anything else.
    encoding = console.encoding or "utf-8"
    shown = one_line(line).encode(encoding, "backslashreplace").decode(encoding)
    console.print(shown, markup=False, highlight=False, soft_wrap=True)


@final
class _Stages:
    """A bar for each stage."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def progress(self, stage: str, done: int, total: int | None) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, rate="")
        task = self._bars.tasks[self._tasks[stage]]
        rate = f"{task.speed:.1f}/s" if task.speed else ""
        self._bars.update(task.id, completed=done, total=total, rate=rate)


@final
class _Lines:
    """A line for each stage now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next: dict[str, float] = {}

    def progress(self, stage: str, done: int, total: int | None) -> None:
        now = monotonic()
        if now < self._next.get(stage, 0.0) and done != total:
            return
        self._next[stage] = now + EVERY_SECONDS
        share = f"{done}/{total} ({100 * done // total} %)" if total else f"{done}"
        _say(self._console, f"{stage}: {share}")

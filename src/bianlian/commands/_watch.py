"""How commands that train stop and show where they stand."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bianlian.train.loop import Limits


@contextmanager
def stopping(console: Console) -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (or SIGTERM) into a wish to stop -> a function that tells whether it came; the second one kills."""
    asked = threading.Event()

    def ask(number: int, _: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        console.print("stopping after this step and saving (once more to stop at once)")

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def watching(console: Console, limits: Limits) -> Iterator[Watch]:
    """Show losses, speed and time left: a bar on a terminal, a line every ten seconds elsewhere."""
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bars:
        yield Watch(console, bars, limits)


@final
class Watch:
    """Shows the steps of a training run."""

    def __init__(self, console: Console, bars: Progress, limits: Limits) -> None:
        self._console, self._bars, self._limits = console, bars, limits
        self._task = bars.add_task("training", total=1.0)
        self._first: tuple[int, float] | None = None
        self._next = 0.0

    def __call__(self, iteration: int, seconds: float, losses: Mapping[str, float]) -> None:
        """Show one report of the loop, see ``train.loop.Watcher``."""
        if self._first is None:
            self._first = (iteration, seconds)
        steps, spent = iteration - self._first[0], seconds - self._first[1]
        rate = steps / spent if spent > 0 else 0.0
        shares = [0.0]
        if self._limits.iterations:
            shares.append(iteration / self._limits.iterations)
        if self._limits.minutes:
            shares.append(seconds / 60 / self._limits.minutes)
        each = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        text = f"iteration {iteration}  {rate:.2f}/s  {each}"
        self._bars.update(self._task, completed=min(1.0, max(shares)), description=text)
        if not self._console.is_terminal and monotonic() >= self._next:
            self._next = monotonic() + 10
            self._console.print(f"{text}  {100 * min(1.0, max(shares)):.0f} %")
            sys.stderr.flush()

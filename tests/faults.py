"""Processes that can be killed at any moment: forked from a server that has everything imported, so that they start at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from typing import Any

TIMES = int(os.environ.get("BIANLIAN_KILLS", "2"))
"""How often each command is killed; ``make faults`` takes more."""


def server() -> ForkServerContext:
    """Give the processes' server; its imports are done once."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["cv2", "torch", "bianlian.train.loop", "bianlian.swap.pipeline", "bianlian.faceset.extract"])
    return context


def killed(context: ForkServerContext, work: Callable[..., None], arguments: tuple[Any, ...], seconds: float) -> bool:
    """Run ``work`` in a process of its own, SIGKILL after some seconds -> whether it was still at it."""
    process = context.Process(target=work, args=arguments)
    process.start()
    process.join(seconds)
    still = process.is_alive()
    if still and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert still or process.exitcode == 0, f"exit code {process.exitcode}"
    return still


def finished(context: ForkServerContext, work: Callable[..., None], arguments: tuple[Any, ...]) -> float:
    """Run ``work`` in a process of its own to its end -> seconds."""
    start = time.monotonic()
    assert not killed(context, work, arguments, 300.0)
    return time.monotonic() - start


def moments(whole: float, seed: int) -> list[float]:
    """Draw moments to kill at, over all of a run that takes ``whole`` seconds."""
    rng = Random(seed)
    return [whole * (k + rng.random()) / TIMES for k in range(TIMES)]


def names(folder: Path) -> set[str]:
    """Names of the files below a folder, those of parts left out: what a killed run may leave is hidden and called so."""
    found = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    return {p.as_posix() for p in found if not any(part.startswith(".") and ".part" in part for part in p.parts)}

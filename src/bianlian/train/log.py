"""What a run writes down while it trains: mean losses, to TensorBoard and ``metrics.jsonl``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from bianlian.files import open_plain, refuse_link, replacing, writing
from bianlian.train.batches import Feed
from bianlian.train.processes import Processes

METRICS = "metrics.jsonl"
_LONGEST = 1 << 16


class RunLog:
    """Writes losses under their iteration number. Lines of iterations after ``resume_at`` (of a crashed run) are dropped."""

    def __init__(self, run: Path, resume_at: int) -> None:
        path = run / METRICS
        refuse_link(path)
        refuse_link(run / "log")
        with writing(path):
            if path.exists():
                _keep_until(path, resume_at)
            self._file = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(run / "log"), purge_step=resume_at + 1)

    def write(self, iteration: int, seconds: float, losses: Mapping[str, float], state: Mapping[str, float]) -> None:
        """Add one line. seconds: spent training so far; state: of the training itself, such as ``waited`` and ``rate``."""
        numbers = {k: round(v, 9) for k, v in state.items()}
        named = {k: round(v, 6) for k, v in losses.items()}
        self._file.write(json.dumps({"iteration": iteration, "seconds": round(seconds, 3), **numbers, "losses": named}) + "\n")
        self._file.flush()
        for name, value in {**losses, **{f"training/{k}": v for k, v in state.items()}}.items():
            self._board.add_scalar(name, value, iteration)

    def close(self) -> None:
        """Write what is left."""
        self._file.close()
        self._board.close()


def logged(run: Path, name: str, until: int) -> list[tuple[int, float]]:
    """Read one number of the log: (iteration, value) of each line that has it, in order, up to an iteration. Damaged lines do not
    count, nor do those of iterations that were trained again."""
    found: dict[int, float] = {}
    try:
        with open_plain(run / METRICS) as file:
            for line in iter(lambda: file.readline(_LONGEST), b""):
                at = _iteration(line)
                if at > until:
                    continue
                if found and at < next(reversed(found)):  # trained again from here on
                    found = {k: v for k, v in found.items() if k <= at}
                value = json.loads(line).get(name)
                if isinstance(value, int | float) and math.isfinite(value):
                    found[int(at)] = float(value)
    except OSError:
        return []
    return list(found.items())


class Meter:
    """Mean losses since they were last read, over all processes, and how much of that time went by waiting for batches.

    A loss that counts from some step on (a schedule's) has the mean of the steps in which it counted.
    """

    def __init__(self, processes: Processes, feed: Feed) -> None:
        self._processes, self._feed = processes, feed
        self._sums, self._counts, self._means = dict[str, Tensor](), dict[str, int](), dict[str, float]()
        self._waited, self._read = 0.0, monotonic()

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Take one step's losses."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1
        self._means = {}

    def means(self) -> dict[str, float]:
        """Give the means since the last ``read``; empty before the first step."""
        if self._sums and not self._means:
            stacked = torch.stack([value.float() / self._counts[name] for name, value in self._sums.items()])
            self._processes.average([stacked])
            self._means = dict(zip(self._sums, stacked.tolist(), strict=True))
        return self._means

    def bad(self) -> str | None:
        """Name a loss that is no number, None when all are."""
        return next((name for name, value in self.means().items() if not math.isfinite(value)), None)

    def read(self) -> tuple[dict[str, float], float]:
        """Give the means and the share of waiting, [0, 1], and begin anew."""
        means, now = self.means(), monotonic()
        share = min(1.0, (self._feed.waited - self._waited) / max(1e-9, now - self._read))
        self._waited, self._read = self._feed.waited, now
        self.clear()
        return means, share

    def clear(self) -> None:
        """Forget the losses."""
        self._sums, self._counts, self._means = {}, {}, {}


def _keep_until(path: Path, iteration: int) -> None:
    with open_plain(path) as file, replacing(path) as part, part.open("wb") as kept:
        for line in iter(lambda: file.readline(_LONGEST), b""):
            if line.endswith(b"\n") and _iteration(line) <= iteration:
                kept.write(line)


def _iteration(line: bytes) -> float:
    try:
        return float(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return float("inf")

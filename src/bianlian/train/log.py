"""What a run writes down while it trains: TensorBoard and ``metrics.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from bianlian.files import open_plain, refuse_link, replacing, writing

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

    def write(self, iteration: int, seconds: float, losses: Mapping[str, float]) -> None:
        """Add one line. seconds: spent training so far."""
        row = {"iteration": iteration, "seconds": round(seconds, 3), "losses": {k: round(v, 6) for k, v in losses.items()}}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for name, value in losses.items():
            self._board.add_scalar(name, value, iteration)

    def close(self) -> None:
        """Write what is left."""
        self._file.close()
        self._board.close()


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

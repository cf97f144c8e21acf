"""What a run writes down while it trains: TensorBoard and ``metrics.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from bianlian.files import replacing

METRICS = "metrics.jsonl"


class RunLog:
    """Writes losses under their iteration number. Lines of iterations after ``resume_at`` (of a crashed run) are dropped."""

    def __init__(self, run: Path, resume_at: int) -> None:
        path = run / METRICS
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


def _keep_until(path: Path, iteration: int) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    good = [line for line in lines if _iteration(line) <= iteration]
    if len(good) != len(lines):
        with replacing(path) as temporary:
            temporary.write_text("".join(line + "\n" for line in good), encoding="utf-8")


def _iteration(line: str) -> float:
    try:
        return float(json.loads(line)["iteration"])
    except (ValueError, KeyError, TypeError):
        return float("inf")

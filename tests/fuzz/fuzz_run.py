"""Read many bent inputs in a process of their own: ``python tests/fuzz/fuzz_run.py --inputs 200000``.

Prints what was found, by kind and place in the code, and the total; exit code 1 when anything was.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
HANG = 60.0
"""Seconds after which one input counts as one without end."""
START = 600.0
"""Seconds that a process may take to import everything and make its seeds."""
Stretch = tuple[str, int, int]
"""Kind, number of the first input, how many."""


@dataclass
class Outcome:
    """What came of the inputs of one kind. findings: what was found -> the first input that shows it, and how many do."""

    inputs: int = 0
    seconds: float = 0.0
    megabytes: int = 0
    findings: dict[str, tuple[int, int]] = field(default_factory=dict)

    def found(self, what: str, number: int) -> None:
        """Count a finding."""
        first, times = self.findings.get(what, (number, 0))
        self.findings[what] = first, times + 1


def fuzz(plan: Sequence[Stretch], seed: int) -> dict[str, Outcome]:
    """Read some inputs of each kind; a process that dies, or that an input holds up, is followed by another one."""
    outcomes = {kind: Outcome(inputs=count) for kind, _, count in plan}
    left = list(plan)
    with tempfile.TemporaryDirectory(prefix="bianlian-fuzz-") as place:
        while left:
            room = Path(tempfile.mkdtemp(dir=place))
            index, number, died = _process(outcomes, left, seed, room)
            if died:
                kind, first, count = left[index]
                outcomes[kind].found(died, number)
                left[index] = kind, number + 1, first + count - number - 1
            left = [stretch for stretch in left[index:] if stretch[2] > 0] if died else []
    return outcomes


def _process(outcomes: dict[str, Outcome], plan: Sequence[Stretch], seed: int, room: Path) -> tuple[int, int, str]:
    """Run one process until it ends, however it ends -> where in the plan it was, and how it died, "" if it did not."""
    counter, said = room / "counter", room / "said"
    counter.write_bytes(struct.pack("<qq", -1, -1))
    command = [sys.executable, str(HERE / "fuzz_worker.py"), json.dumps(plan), str(seed), str(room), str(counter)]
    ways = [str(HERE), str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(ways), "BIANLIAN_OFFLINE": "1"}
    with (
        counter.open("r+b") as file,
        mmap.mmap(file.fileno(), 16) as shared,
        said.open("wb") as out,
        (room / "noise").open("wb") as noise,
        subprocess.Popen(command, stdout=out, stderr=noise, env=environment) as process,
    ):
        hung = _watch(process, shared)
        index, number = struct.unpack("<qq", shared[:])
    for line in said.read_text().splitlines():
        _gather(outcomes, json.loads(line))
    tail = (room / "noise").read_bytes()[-600:].decode("utf-8", "replace")
    if index < 0:
        raise RuntimeError(f"the worker did not start: {tail}")
    if hung:
        return index, number, "hang"
    return index, number, f"crash: exit code {process.returncode}, {tail}" if process.returncode else ""


def _watch(process: subprocess.Popen[bytes], shared: mmap.mmap) -> bool:
    """Wait for the process; kill it, and say so, when one input takes too long."""
    last, since = b"", time.monotonic()
    while process.poll() is None:
        time.sleep(0.05)
        if shared[:] != last:
            last, since = shared[:], time.monotonic()
        elif time.monotonic() - since > (START if shared[:8] == b"\xff" * 8 else HANG):
            process.kill()
            process.wait()
            return True
    return False


def _gather(outcomes: dict[str, Outcome], said: dict[str, str | int]) -> None:
    outcome = outcomes[str(said["kind"])]
    if "what" in said:
        outcome.found(str(said["what"]), int(said["number"]))
    else:
        outcome.megabytes = max(outcome.megabytes, int(said["megabytes"]))
        outcome.seconds += float(said["seconds"])


def make_plan(inputs: int, kinds: Sequence[str] = (), first: int = 0) -> list[Stretch]:
    """Share a number of inputs out among kinds, all when none is named."""
    from fuzz_kinds import KINDS

    chosen = {kind: KINDS[kind][1] for kind in kinds or KINDS if KINDS[kind][1] > 0}
    return [(kind, first, max(1, round(inputs * share / sum(chosen.values())))) for kind, share in chosen.items()]


def told(outcomes: dict[str, Outcome], seed: int) -> str:
    """Say what was found, a line a kind, and the total."""
    lines = []
    for kind, one in outcomes.items():
        each = 1000 * one.seconds / max(1, one.inputs)
        lines.append(f"{kind:9}{one.inputs:8} inputs, {each:6.2f} ms each, {one.megabytes:4} MB more, {len(one.findings)} findings")
        ranked = sorted(one.findings.items(), key=lambda f: -f[1][1])
        lines += [f"    {times} x, first input {first}: {what}" for what, (first, times) in ranked]
    total, bad = sum(o.inputs for o in outcomes.values()), sum(len(o.findings) for o in outcomes.values())
    return "\n".join([*lines, f"total: {total} inputs, seed {seed}, {bad} findings"])


def main() -> int:
    """Read as many inputs as asked for, say what was found."""
    parser = argparse.ArgumentParser(description="Read bent inputs and say what was found.")
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kinds", default="", help="such as tracks,video; all when left out")
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to make one again")
    chosen = parser.parse_args()
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    plan = make_plan(chosen.inputs, [k for k in chosen.kinds.split(",") if k], chosen.first)
    outcomes = fuzz(plan, chosen.seed)
    sys.stdout.write(told(outcomes, chosen.seed) + "\n")
    return 1 if any(o.findings for o in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

"""A bounded run of the fuzz harness over all readers, and proof that it sees what it looks for (``make fuzz`` runs it for long)."""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path
from random import Random

import fuzz_run
import pytest
from fuzz_kinds import KINDS
from fuzz_mutate import bent
from fuzz_run import fuzz, make_plan, told
from fuzz_seeds import SEEDS

INPUTS = 800


def test_bent_inputs_end_in_an_error_of_ours_and_the_harness_sees_what_does_not() -> None:
    # One process does both, since most of the time is its start. The planted faults come last.
    outcomes = fuzz([*make_plan(INPUTS), ("planted", 0, 12), ("fatal", 0, 1)], seed=11)
    planted, fatal = outcomes.pop("planted"), outcomes.pop("fatal")
    assert not any(one.findings for one in outcomes.values()), told(outcomes, 11)
    assert sum(one.inputs for one in outcomes.values()) == pytest.approx(INPUTS, abs=len(outcomes))
    assert all(one.seconds > 0 for one in outcomes.values())
    seen = " ".join(planted.findings)
    assert "KeyError" in seen
    assert "escape: open" in seen
    assert "escape: the folder beside was written" in seen
    assert "memory: " in seen
    assert [what.startswith("crash: exit code -6") for what in fatal.findings] == [True]


def test_an_input_without_end_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_run, "HANG", 0.3)
    with mmap.mmap(-1, 16) as shared, subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        assert fuzz_run._watch(process, shared)
    assert process.returncode == -9


@pytest.mark.parametrize("kind", [kind for kind, (_, share) in KINDS.items() if share > 0])
def test_the_seeds_are_sound_and_most_bends_differ(kind: str, tmp_path: Path) -> None:
    files = SEEDS[kind](tmp_path)
    rng = Random(5)
    names = rng.choices(list(files), k=40)
    assert sum(bent(name, files[name], rng) != files[name] for name in names) > 30
    assert sum(map(len, files.values())) < 200_000


def test_a_bend_depends_on_its_number_alone() -> None:
    def bends() -> list[bytes]:
        return [bent("a.json", b'{"a": [1]}', Random(k)) for k in range(2000)]

    assert bends() == bends()  # what one puts into a value that it took must not stay for the next

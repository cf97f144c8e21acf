"""A full disk, a folder that cannot be written, a clock that jumps: one clear line, nothing half-written, nothing saved is lost."""

from __future__ import annotations

import ctypes
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest
import torch

from bianlian.errors import BianlianError, OutputError
from bianlian.faceset.header import Header, write_header
from bianlian.faceset.store import Faceset
from bianlian.faceset.writer import FacesetWriter, Pass
from bianlian.files import replacing, replacing_folder
from bianlian.train import start
from bianlian.train.checkpoint import Checkpoint, list_checkpoints, load_checkpoint, newest, save_checkpoint
from bianlian.train.loop import Limits, train
from bianlian.train.start import Choices
from made_faces import make_faceset


def state(iteration: int, numbers: int = 1000) -> Checkpoint:
    tensors = {"w": torch.full((numbers,), float(iteration))}
    return Checkpoint(iteration, 1.0, tensors, tensors, {"0.step": torch.tensor(1.0)})


@pytest.fixture(name="small_disk")
def _small_disk() -> Iterator[None]:
    """Let no file grow beyond 64 KiB: to a process that is what a full disk looks like."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
def test_a_checkpoint_for_which_the_disk_is_too_small_leaves_the_one_before(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(1))
    with pytest.raises(OutputError, match=r"cannot (be written|write)"):
        save_checkpoint(tmp_path, state(2, 100_000))
    assert [p.name for p in list_checkpoints(tmp_path)] == ["000001"]
    assert load_checkpoint(newest(tmp_path)).iteration == 1
    assert not [p for p in (tmp_path / "checkpoints").iterdir() if p.name.startswith(".")]


@pytest.mark.usefixtures("small_disk")
def test_a_file_for_which_the_disk_is_too_small_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"before")
    with pytest.raises(OutputError, match=r"cannot write .*out\.bin: the file grows larger than allowed"), replacing(path) as part:
        part.write_bytes(bytes(1 << 17))
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin"]


def test_faces_that_were_added_stay_when_the_disk_fills_up(tmp_path: Path) -> None:
    folder = make_faceset(tmp_path / "f", "ana", count=3, size=64).path
    records = list(Faceset.open(folder).records())
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "faceset.json"}
    size = (folder / "faces.jsonl").stat().st_size
    one = Pass("more.mp4", "0" * 64, "every frame")
    with FacesetWriter(folder, Header("ana", 64, format="png")) as writer:
        writer.begin(one)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
        try:
            with pytest.raises(OutputError, match="cannot write"):
                writer._faces.append([json.dumps({"a": "x" * 50})] * 10)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [r.id for r in Faceset.open(folder).records()] == [r.id for r in records]
    assert all(p.read_bytes() == data for p, data in before.items())


def test_outputs_where_nothing_can_be_written(tmp_path: Path) -> None:
    wall = tmp_path / "wall"
    wall.write_text("a file, not a folder")
    for write in (
        lambda: write_header(wall / "f", Header("ana")),
        lambda: save_checkpoint(wall / "run", state(1)),
        lambda: FacesetWriter(wall / "f", Header("ana")),
    ):
        with pytest.raises(BianlianError, match="wall"):
            write()
    with pytest.raises(OutputError, match="wall"), replacing_folder(wall / "f"):
        pass


def without_overrides() -> None:
    """Take from root, for the program that is started next, the right to write where nobody may (Linux: CAP_DAC_OVERRIDE)."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def test_a_read_only_folder_is_one_clear_line(tmp_path: Path) -> None:
    people = [str(make_faceset(tmp_path / name, name).path) for name in ("ana", "ben")]
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    command = [sys.executable, "-m", "bianlian", "train", *people, "-o", str(locked / "run"), "--size", "64", "--iterations", "1"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=without_overrides, check=False)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"bianlian train: cannot write {locked}"), done.stderr
    assert "no permission" in last
    assert list(locked.iterdir()) == []


def jumping_clock() -> Callable[[], float]:
    """Make a clock that is set back and forth by years at each look."""
    real, jumps = time.time, cycle((-1e9, 0.0, 1e9, 86_400.0))
    return lambda: real() + next(jumps)


def test_training_does_not_go_by_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [make_faceset(tmp_path / name, name, hue=k, seed=k).path for k, name in enumerate(("ana", "ben"))]
    choices = Choices(size=64, width="light", start="scratch", batch=1, precision="32-true")
    results = []
    for name, jumping in (("steady", False), ("jumping", True)):
        begun = start.begin(tmp_path / name, people, choices)
        if jumping:
            monkeypatch.setattr(time, "time", jumping_clock())
        results.append(train(begun, tmp_path / name, Limits(iterations=2, minutes=10.0)))
    assert [r.iteration for r in results] == [2, 2]
    assert all(0 <= r.seconds < 600 for r in results)
    one, other = (load_checkpoint(r.checkpoint) for r in results)
    assert all(torch.equal(one.networks[name], other.networks[name]) for name in one.networks)

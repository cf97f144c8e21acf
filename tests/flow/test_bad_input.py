"""Bad input through the command line: exit code 2, one clear line, nothing half-written."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bianlian.cli import main
from bianlian.types import Frame
from bianlian.video import VideoWriter, probe


def files_below(folder: Path) -> set[Path]:
    return {p for p in folder.rglob("*") if p.is_file()}


def complain(arguments: list[str], capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    """Run a command that must fail -> its last line on stderr; checks the exit code and that no file is new."""
    before = files_below(folder)
    assert main(arguments) == 2
    assert files_below(folder) == before, "something half-written is left"
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith(f"bianlian {arguments[0]}: ")
    assert not any("Traceback" in line for line in lines)
    return lines[-1]


def no_such_file(folder: Path, ben: Path) -> Path:
    return folder / "none.mp4"


def not_a_video(folder: Path, ben: Path) -> Path:
    path = folder / "text.mp4"
    path.write_text("not a video\n" * 100)
    return path


def empty(folder: Path, ben: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def truncated(folder: Path, ben: Path) -> Path:
    path, data = folder / "half.mp4", ben.read_bytes()
    # faststart puts the index first: what is cut must reach into it for the file to be unreadable
    path.write_bytes(data[:400])
    return path


def faceless(folder: Path, ben: Path) -> Path:
    info, path = probe(ben), folder / "grey.mp4"
    with VideoWriter(path, info) as writer:
        for k in range(3):
            writer.write(Frame(np.full((info.height, info.width, 3), 90, np.uint8), k, k, info.time_base))
    return path


BAD_FOOTAGE: list[tuple[Callable[[Path, Path], Path], str]] = [
    (no_such_file, "none.mp4"),
    (not_a_video, "text.mp4"),
    (empty, "empty.mp4"),
    (truncated, "half.mp4"),
    (faceless, "no face"),
]


@pytest.mark.weights
@pytest.mark.parametrize(("make", "named"), BAD_FOOTAGE)
def test_footage_that_cannot_be_swapped(
    make: Callable[[Path, Path], Path],
    named: str,
    tmp_path: Path,
    footage: dict[str, Path],
    trained: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = make(tmp_path, footage["ben"])
    line = complain(["swap", str(target), "--model", str(trained), "--to", "ana", "-o", str(tmp_path / "o.mp4")], capsys, tmp_path)
    assert named in line


@pytest.mark.weights
@pytest.mark.parametrize(("make", "named"), BAD_FOOTAGE)
def test_footage_that_cannot_be_extracted(
    make: Callable[[Path, Path], Path], named: str, tmp_path: Path, footage: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = make(tmp_path, footage["ben"])
    line = complain(["extract", str(source), "--person", "ben", "-o", str(tmp_path / "faces")], capsys, tmp_path)
    assert named in line
    assert not (tmp_path / "faces").exists()


def test_a_person_the_run_does_not_know(
    tmp_path: Path, footage: dict[str, Path], trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["swap", str(footage["ben"]), "--model", str(trained), "--to", "cleo", "-o", str(tmp_path / "o.mp4")]
    assert "nobody called 'cleo'; it knows: ana, ben" in complain(arguments, capsys, tmp_path)


def test_an_output_that_is_the_input(
    tmp_path: Path, footage: dict[str, Path], trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = footage["ben"].read_bytes()
    link = tmp_path / "link.mp4"
    link.symlink_to(footage["ben"])
    for out in (footage["ben"], link):
        arguments = ["swap", str(footage["ben"]), "--model", str(trained), "--to", "ana", "-o", str(out)]
        assert "is the input itself" in complain(arguments, capsys, tmp_path)
    assert footage["ben"].read_bytes() == before


@pytest.mark.parametrize("name", ["average.safetensors", "state.json"])
def test_a_checkpoint_cut_in_half(
    name: str, run_copy: Path, tmp_path: Path, footage: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_copy / "checkpoints" / "000002" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    arguments = ["swap", str(footage["ben"]), "--model", str(run_copy), "--to", "ana", "-o", str(tmp_path / "o.mp4")]
    assert f"is damaged ({name} is cut or altered)" in complain(arguments, capsys, tmp_path)


def test_a_faceset_of_another_schema_version(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    (other / "crops").mkdir(parents=True)
    header = json.loads((trained.parent / "ana" / "faceset.json").read_text())
    (other / "faceset.json").write_text(json.dumps({**header, "schema": 99}))
    (other / "faces.jsonl").touch()
    arguments = ["train", str(other), str(trained.parent / "ben"), "-o", str(tmp_path / "run"), "--iterations", "1"]
    line = complain(arguments, capsys, tmp_path)
    assert "99" in line
    assert "schema" in line


def test_a_run_that_is_there_and_one_for_other_people(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ana, ben = (str(trained.parent / name) for name in ("ana", "ben"))
    line = complain(["train", ana, ben, "-o", str(trained), "--iterations", "9"], capsys, trained)
    assert "already holds a run at iteration 2" in line
    line = complain(["train", ben, ana, "-o", str(trained), "--resume", "--iterations", "9"], capsys, trained)
    assert "made for ana, ben, not for ben, ana" in line
    line = complain(["train", ana, ana, "-o", str(tmp_path / "new"), "--iterations", "9"], capsys, tmp_path)
    assert "two facesets are of 'ana'" in line
    assert "give the facesets" in complain(["train", "-o", str(tmp_path / "new")], capsys, tmp_path)


@pytest.mark.weights
def test_a_full_disk(trained: Path, footage: dict[str, Path], tmp_path: Path) -> None:
    # A limit on the size of a file is what a full disk looks like to a process: writing fails midway.
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    out = tmp_path / "out" / "o.mkv"
    words = ["swap", str(footage["ben"]), "--model", str(trained), "--to", "ana", "-o", str(out), "--codec", "ffv1"]
    code = "import signal, sys; from bianlian.cli import main; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, *words], preexec_fn=limit, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 2, done.stderr
    assert f"cannot write {out}" in done.stderr.strip().splitlines()[-1]
    assert not [p for p in out.parent.iterdir() if p.suffix == ".mkv"]

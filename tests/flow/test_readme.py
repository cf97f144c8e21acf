"""What the README tells users to type works as it stands there, with less training."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest

from bianlian.cli import COMMANDS, main
from bianlian.video import frames

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def video_packets(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None]
        return sorted(p.pts * p.time_base for p in packets)  # type: ignore[operator]


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.pts is not None]


@pytest.fixture
def here(tmp_path: Path, footage: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, path in footage.items():
        shutil.copy(path, tmp_path / f"{name}.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.weights
@pytest.mark.slow
def test_the_python_of_the_readme_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [code] = [text for language, text in BLOCKS if language == "python"]
    assert "minutes=5" in code
    exec(compile(code.replace("minutes=5", "minutes=0.02"), "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] == "18 of 18 frames swapped"
    assert video_packets(here / "ben_as_ana.mp4") == video_packets(here / "ben.mp4")
    assert sound(here / "ben_as_ana.mp4") == sound(here / "ben.mp4")
    assert len(sound(here / "ben.mp4")) > 10


@pytest.mark.weights
@pytest.mark.slow
def test_the_commands_of_the_readme_run(here: Path) -> None:
    (here / "photos-of-ana").mkdir()
    [shell] = [text for _, text in BLOCKS if text.startswith("bianlian extract")]
    lines = shell.splitlines()
    assert len(lines) == 5
    frame = next(frames(here / "ana.mp4"))
    cv2.imwrite("photos-of-ana/one.png", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    for line in lines:
        words = [w if w != "30" else "0.02" for w in shlex.split(line)]
        assert words[0] == "bianlian"
        assert main(words[1:]) == 0, line
    report = json.loads((here / "ben_as_ana.json").read_text())
    assert (report["frames"], report["swapped"], report["person"]) == (18, 18, "ana")
    assert report["consent"] == "release signed 2026-03-01"


def test_the_two_commands_come_first_and_are_targets_of_the_makefile() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    first = BLOCKS[0][1].split("\n")[:2]
    assert first == ["make demo", "make test"]
    for target in ("setup", "demo", "test", "check", "bench"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: bianlian {command}" in capsys.readouterr().out


def test_help_version_and_unknown_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == main(["--version"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)
    assert main(["swpa"]) == 2
    assert f"no command is called 'swpa'; there are: {', '.join(COMMANDS)}" in capsys.readouterr().err

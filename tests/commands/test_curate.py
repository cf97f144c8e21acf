"""The curate command: its flags, its few lines, and what it says of a faceset that is damaged."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import tyro

from bianlian import plugins
from bianlian.cli import main
from bianlian.commands.curate import Curate
from bianlian.errors import ConfigError
from bianlian.faceset.curate.curate import open_eyes
from bianlian.faceset.curate.settings import CurateSettings
from bianlian.faceset.store import Faceset
from made_faces import make_faceset

PLAIN = ["--off", "face", "person", "blur", "whole"]
"""Drawn faces want no weights, and no measure of blur."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_faceset(tmp_path / "ana", "ana", count=6).path


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["faces/ana"], Curate(Path("faces/ana"))),
        (["f", "--keep", "3", "4", "--drop", "9"], Curate(Path("f"), keep=(3, 4), drop=(9,))),
        (["f", "--count", "500", "--blur", "0.3"], Curate(Path("f"), count=500, blur=0.3)),
        (["f", "--off", "person", "light"], Curate(Path("f"), off=("person", "light"))),
        (["f", "--reconsider"], Curate(Path("f"), reconsider=True)),
        (["f", "--undo"], Curate(Path("f"), undo=True)),
    ],
)  # fmt: skip
def test_flags(flags: list[str], wanted: Curate) -> None:
    assert tyro.cli(Curate, args=flags) == wanted


@pytest.mark.parametrize("flags", [[], ["f", "--off", "magic"], ["f", "--keep", "x"]])
def test_wrong_flags(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tyro.cli(Curate, args=flags, prog="curate")
    assert capsys.readouterr()


def test_every_threshold_reaches_the_settings() -> None:
    values: dict[str, Any] = {
        "face": 0.1,
        "whole": 0.2,
        "person": 0.3,
        "size": 4.0,
        "blur": 0.5,
        "dark": 6.0,
        "burnt": 0.7,
        "flat": 8.0,
    }
    more: dict[str, Any] = {"duplicates": 9, "count": 10, "off": ("size",), "reconsider": True}
    assert Curate(Path("f"), **values, **more).settings() == CurateSettings(**values, **more)
    assert Curate(Path("f")).settings() == CurateSettings()


def test_a_filter_that_is_off_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(kind: str, name: str) -> Any:
        asked.append(kind)
        return lambda **settings: settings

    monkeypatch.setattr(plugins, "load", load)
    open_eyes(CurateSettings(off=("face", "person")))
    assert asked == []
    open_eyes(CurateSettings(off=("face",)))
    open_eyes(CurateSettings(off=("person",)))
    assert asked == ["describer", "detector"]


def test_what_it_says_and_how_it_is_taken_back(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [r.kept for r in Faceset.open(path).records()]
    assert main(["curate", str(path), *PLAIN, "duplicates", "--drop", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{path}: 5 faces kept, 1 dropped (by hand); ")
    assert "no faces beyond 15 degrees to the left" in out
    assert f"look: {path / 'curation.html'}" in out
    assert "measure: 6/6 (100 %)" in err
    assert Faceset.open(path).kept_count == 5
    assert main(["curate", str(path), "--undo"]) == 0
    assert capsys.readouterr().out == f"{path}: 6 faces kept\n"
    assert [r.kept for r in Faceset.open(path).records()] == before


def test_undo_goes_alone(path: Path) -> None:
    with pytest.raises(ConfigError, match="--undo"):
        Curate(path, undo=True, keep=(1,)).run()


def nonsense(lines: list[str]) -> list[str]:
    return [*lines[:2], "kept: yes please", *lines[3:]]


def elsewhere(lines: list[str]) -> list[str]:
    return [*lines[:2], json.dumps(json.loads(lines[2]) | {"crop": "crops/../../../etc/x.png"}), *lines[3:]]


def upside_down(lines: list[str]) -> list[str]:
    return [*lines[:2], json.dumps(json.loads(lines[2]) | {"box": [9, 9, 1, 1]}), *lines[3:]]


@pytest.mark.parametrize("flags", [PLAIN, ["--undo"]], ids=["curate", "undo"])
@pytest.mark.parametrize(
    ("damage", "named"),
    [(nonsense, "wanted one JSON object"), (elsewhere, "crop must be crops/NAME"), (upside_down, "box must be x1 < x2")],
)
def test_a_faceset_edited_into_nonsense_is_refused_by_its_line(
    path: Path, damage: Any, named: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    faces = path / "faces.jsonl"
    faces.write_text("\n".join(damage(faces.read_text().splitlines())) + "\n")
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    assert main(["curate", str(path), *flags]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f"bianlian curate: {faces}, line 3: {named}")
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="links want rights there")
def test_a_crop_that_is_a_link_is_refused(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "secret.png").write_bytes((path / "crops/000001.png").read_bytes())
    (path / "crops/000001.png").unlink()
    (path / "crops/000001.png").symlink_to(tmp_path / "secret.png")
    assert main(["curate", str(path), *PLAIN]) == 2
    assert "000001.png is a link" in capsys.readouterr().err


def test_no_faceset_and_no_such_face(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["curate", str(tmp_path)]) == 2
    assert main(["curate", str(path), *PLAIN, "--keep", "77"]) == 2
    assert "no face has the id 77" in capsys.readouterr().err
    assert main(["curate", str(path), "--blur", "7"]) == 2
    assert "blur must lie in [0, 1], got 7" in capsys.readouterr().err

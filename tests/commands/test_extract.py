"""The extract command: its flags, its one line, and a real run over the demo clip."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tyro

import bianlian
from bianlian import plugins
from bianlian.align import template
from bianlian.commands.extract import Extract, summary
from bianlian.errors import ConfigError, FacesetError, InputError, NoFaceError, PluginError
from bianlian.faceset.store import Faceset
from bianlian.types import Face, Image, Landmarks

DEMO = Path(bianlian.__file__).parent / "data/demo/source.mp4"
BOX = np.array([40.0, 30.0, 100.0, 100.0])


class CentreDetector:
    """Sees one face in every picture that is not black, always at the same place."""

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find it."""
        return [[Face(BOX, 0.8)] if image.any() else [] for image in images]


class CentreLandmarker:
    """Marks the mean face in the box."""

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Mark it."""
        points = template("ibug68", 60, 1.0) + BOX[:2]
        return [replace(face, landmarks=Landmarks(points, "ibug68")) for face in faces]


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Plug-ins that need no weights, and an empty working folder."""
    kinds: dict[str, Any] = {"detector": CentreDetector, "landmarker": CentreLandmarker}
    monkeypatch.setattr(plugins, "load", lambda kind, name: kinds[kind])
    monkeypatch.chdir(tmp_path)


def _picture(path: Path, level: int = 90) -> Path:
    image = np.full((140, 160, 3), level, np.uint8)
    image[30:100, 40:100, 0] = level // 2
    assert cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["a.mp4", "--person", "anna"], Extract((Path("a.mp4"),), "anna")),
        (["a", "b", "-p", "anna", "-o", "x"], Extract((Path("a"), Path("b")), "anna", out=Path("x"))),
        (["a", "-p", "a", "--every", "1", "--format", "png", "-f"], Extract((Path("a"),), "a", every=1, format="png", force=True)),
        (["a", "-p", "a", "--consent", "yes", "--detector", "hog"], Extract((Path("a"),), "a", consent="yes", detector="hog")),
        (["a", "-p", "a", "--all-faces", "--smallest", "0"], Extract((Path("a"),), "a", all_faces=True, smallest=0)),
    ],
)
def test_flags(flags: list[str], wanted: Extract) -> None:
    assert tyro.cli(Extract, args=flags) == wanted


@pytest.mark.parametrize("flags", [["a"], ["-p", "anna", "a", "--format", "gif"], ["a", "-p", "anna", "--every", "x"]])
def test_wrong_flags(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tyro.cli(Extract, args=flags, prog="extract")
    assert capsys.readouterr()


@pytest.mark.usefixtures("fakes")
def test_one_line_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Extract((_picture(tmp_path / "a.png"), _picture(tmp_path / "b.png", 120)), "anna").run()
    out, err = capsys.readouterr()
    assert out.startswith(f"{Path('faces/anna')}: 2 faces kept; 2 new in ")
    assert out.count("\n") == 1
    assert "extract: 2/2 (100 %)" in err
    assert "no consent is recorded for anna" in err
    assert Faceset.open(tmp_path / "faces/anna").kept_count == 2
    Extract((tmp_path / "a.png", tmp_path / "b.png"), "anna", consent="signed").run()
    out, err = capsys.readouterr()
    assert "2 faces kept; 0 new in " in out
    assert "consent" not in err


class Terminal(io.StringIO):
    """What someone types at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("fakes")
def test_consent_is_asked_once_at_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Extract((_picture(tmp_path / "a.png"),), "anna")
    for typed, kept in (("\n", None), ("", None), ("  release signed 2026-03-01 \n", "release signed 2026-03-01")):
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        command.run()
        assert "How did anna agree to this use?" in capsys.readouterr().err
        assert Faceset.open(tmp_path / "faces/anna").header.consent == kept
    never = Terminal("another\n")
    monkeypatch.setattr(sys, "stdin", never)
    command.run()
    replace(command, out=tmp_path / "other", consent="told").run()
    assert "How did" not in capsys.readouterr().err
    assert never.tell() == 0
    assert Faceset.open(tmp_path / "other").header.consent == "told"


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("stdin", [None, io.StringIO("typed\n")], ids=["closed", "a file"])
def test_nothing_is_asked_without_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    Extract((_picture(tmp_path / "a.png"),), "anna").run()
    assert "How did" not in capsys.readouterr().err
    assert stdin is None or stdin.tell() == 0
    assert Faceset.open(tmp_path / "faces/anna").header.consent is None


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize(
    ("settings", "error", "named"),
    [
        ({"inputs": ()}, InputError, "at least one"),
        ({"inputs": (Path("none.mp4"),)}, InputError, "does not exist"),
        ({"inputs": (Path("black.png"),)}, NoFaceError, "found no face"),
        ({"person": "a/b"}, InputError, "name"),
        ({"out": Path()}, FacesetError, "is not a faceset"),
        ({"smallest": -1}, ConfigError, "smallest"),
        ({"every": 0}, ConfigError, "every"),
        ({"size": 1}, InputError, "size"),
    ],
)
def test_errors(tmp_path: Path, settings: dict[str, Any], error: type[Exception], named: str) -> None:
    _picture(tmp_path / "black.png", 0)
    command = replace(Extract((_picture(tmp_path / "a.png"),), "anna"), **settings)
    with pytest.raises(error, match=named):
        command.run()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "faces") == ["a.png", "black.png"]
    assert not list(tmp_path.glob("faces/*"))


def test_an_unknown_plug_in(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no detector is called 'magic'"):
        Extract((_picture(tmp_path / "a.png"),), "anna", out=tmp_path / "x", detector="magic").run()
    assert not (tmp_path / "x").exists()


@pytest.mark.usefixtures("fakes")
def test_the_summary_names_what_was_dropped(tmp_path: Path) -> None:
    Extract((_picture(tmp_path / "a.png"),), "anna", smallest=100).run()
    faceset = Faceset.open(tmp_path / "faces/anna")
    wanted = "0 faces kept, 1 dropped (small); 1 new in 0.5 s, 2.0 faces/s"
    assert summary(faceset, 0, 0.5) == f"{faceset.path}: {wanted}"


@pytest.mark.weights
def test_the_demo_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """200 frames of one person, every 20th: 10 faces, each with the eyes where the template has them."""
    Extract((DEMO,), "demo", out=tmp_path / "demo", every=20).run()
    faceset = Faceset.open(tmp_path / "demo")
    assert (len(faceset), faceset.kept_count) == (10, 10)
    assert "10 faces kept" in capsys.readouterr().out
    mean = template("ibug68", 256, faceset.header.coverage)
    for record in faceset.records():
        points = record.landmarks.points @ record.crop_from_frame[:, :2].T + record.crop_from_frame[:, 2]
        assert np.abs(points[36:48] - mean[36:48]).mean() < 12
        assert record.sharpness > 5
        assert max(map(abs, record.pose)) < 60
        assert faceset.load_crop(record).std() > 20

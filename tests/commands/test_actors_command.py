"""``bianlian actors`` from its command line, on a stand-in for the head model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bianlian.cli import main


@pytest.fixture(autouse=True)
def _there(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANLIAN_ICT", str(model_folder))
    monkeypatch.chdir(tmp_path)


SHORT = ("--seconds", "0.12", "--size", "64", "--samples", "1")


def run(people_file: Path, *words: str) -> int:
    return main(["actors", *words, "--people", str(people_file)])


def test_a_clip_a_pair_and_a_sheet_are_written(people_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(people_file, "video", "ana", "-o", "a/head.mp4", *SHORT) == 0
    assert run(people_file, "video", "random:2", "-o", "again.mp4", "--play", "a/head_gt.npz", *SHORT) == 0
    assert run(people_file, "swap", "ana", "ben", "-o", "pairs/ab", "--seed", "3", *SHORT) == 0
    assert run(people_file, "sheet", "ana", "ana+ben", "-o", "s.png", "--size", "32", "--samples", "1") == 0
    out = capsys.readouterr().out
    assert "3 frames of ana" in out
    assert "bianlian bench quality pairs --results DIR" in out
    for name in ("a/head.mp4", "a/head_mask.mp4", "again_gt.npz", "pairs/ab/truth_face.mp4", "s.png"):
        assert (tmp_path / name).is_file()
    with np.load("a/head_gt.npz") as first, np.load("again_gt.npz") as second:
        np.testing.assert_array_equal(first["yaw"], second["yaw"])
        assert not np.array_equal(first["landmarks68"], second["landmarks68"])


def test_crops_go_on_where_they_were(people_file: Path, tmp_path: Path) -> None:
    words = ("crops", "-o", "c", "--count", "3", "--per-shard", "2", "--mixes", "1", "--size", "64", "--samples", "1")
    assert run(people_file, *words) == 0
    data = [(tmp_path / "c" / f"crops_000{k}.npz").read_bytes() for k in range(2)]
    (tmp_path / "c" / "crops_0001.npz").unlink()
    assert run(people_file, *words) == 0
    assert data == [(tmp_path / "c" / f"crops_000{k}.npz").read_bytes() for k in range(2)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("video", "dora", "-o", "x.mp4"), "knows nobody called 'dora'"),
        (("video", "ana", "-o", "x.mp4", "--size", "65"), "even number"),
        (("video", "ana", "-o", "x.mp4", "--yaw", "90"), "yaw must lie in 0 to 40"),
        (("video", "ana", "-o", "x.mp4", "--seconds", "0"), "must be more than 0"),
        (("video", "ana", "-o", "x.mp4", "--play", "no.npz"), "no.npz does not exist"),
        (("video", "ana", "-o", "x.txt"), "cannot write x.txt"),
        (("video", "ana", "-o", "x.mp4", "--ict", "nowhere"), "git clone https://github.com/ICT-VGL/ICT-FaceKit"),
        (("swap", "ana", "ben", "-o", "p", "--crf", "99"), "crf"),
        (("crops", "-o", "c", "--count", "0"), "must be 1 or more"),
        (("sheet", "-o", "s.png", "--columns", "0"), "columns in 1 to 100"),
        (("two", "ana", "ben", "-o", "t.mp4", "--seed", "-1"), "seed must be 0 or more"),
    ],
)
def test_bad_input_is_one_line(
    people_file: Path, tmp_path: Path, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(people_file, *words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert says in lines[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.weights
def test_a_fit_without_a_usable_photo_is_told(people_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image as Pillow

    Pillow.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    assert main(["actors", "fit", "grey.png", "-o", "p.npz", "--detector", "blazeface"]) == 2
    assert "none of 1 photos can be used: no face was found" in capsys.readouterr().err
    assert not (tmp_path / "p.npz").exists()


def test_without_numba_one_line_says_what_to_install(
    people_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [n for n in sys.modules if n.startswith(("bianlian.actors", "bianlian.commands.actors"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert run(people_file, "sheet") == 2
    assert "pip install 'bianlian[actors]'" in capsys.readouterr().err

"""The benchmark: which files belong together, what is refused, and the means of a table."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bianlian.cli import main
from bianlian.errors import InputError
from bianlian.score.benchmark import COLUMNS, Pair, Row, means, read_pairs, result_of, table
from bianlian.swap.liken import MARGIN
from bianlian.video import VideoWriter, frames, probe


def pair_of(folder: Path, name: str, *files: str) -> None:
    (folder / name).mkdir(parents=True)
    for file in files:
        (folder / name / file).write_bytes(b"x")


def test_pairs_are_found_by_name_and_notes_are_passed_over(tmp_path: Path) -> None:
    pair_of(tmp_path, "b", "target.mp4", "truth.mp4", "source.jpg", "target.json")
    pair_of(tmp_path, "a", "target.mkv", "truth.mp4", "truth_face.mp4", "source.npz")
    (tmp_path / "a" / "source").mkdir()
    (tmp_path / "notes").mkdir()
    a, b = read_pairs(tmp_path)
    assert (a.name, a.target.name, a.truth.name, a.source.name) == ("a", "target.mkv", "truth_face.mp4", "source")
    assert (b.target.name, b.truth.name) == ("target.mp4", "truth.mp4")
    assert [p.name for p in read_pairs(tmp_path, ["b"])] == ["b"]


def test_what_is_no_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one folder a pair"):
        read_pairs(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no pair"):
        read_pairs(tmp_path)
    pair_of(tmp_path, "a", "target.mp4", "source.jpg")
    with pytest.raises(InputError, match="has no truth_face"):
        read_pairs(tmp_path)
    (tmp_path / "a" / "truth.mp4").write_bytes(b"x")
    with pytest.raises(InputError, match="no pair called z; there are: a"):
        read_pairs(tmp_path, ["z"])


def test_results_are_found_or_asked_for(tmp_path: Path) -> None:
    pair = Pair("a", *(tmp_path / n for n in ("t", "u", "s")))
    with pytest.raises(InputError, match=r"no result for a; name it a\.mp4"):
        result_of(tmp_path, pair)
    (tmp_path / "a").mkdir()
    (tmp_path / "a.json").write_text("{}")
    assert result_of(tmp_path, pair) == tmp_path / "a"


def test_a_mean_leaves_out_what_was_not_measured_and_the_table_shows_it() -> None:
    blank = dict.fromkeys(COLUMNS, float("nan"))
    rows = [
        Row("m", "a", 10, {**blank, "score": 40.0, "truth_psnr": 20.0}, None),
        Row("m", "b", 10, {**blank, "score": 60.0}, None),
    ]
    assert means(rows)["score"] == 50
    assert means(rows)["truth_psnr"] == 20
    assert np.isnan(means(rows)["id_margin"])
    lines = table(rows).splitlines()
    assert lines[2].startswith("| **m** | mean | 50.0 | – | – | – | – | 20.00 |")
    assert lines[4].startswith("| m | b | 60.0 | – | – | – | – |")


def test_two_ways_to_the_results_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "quality", str(tmp_path), "--results", "a", "--model", "deepfake"]) == 2
    assert "one of --results, --run and --model" in capsys.readouterr().err


@pytest.fixture(name="pairs")
def _pairs(footage: dict[str, Path], tmp_path: Path) -> Path:
    """One pair of the demo's people, of three frames; ben, who plays, is taken for the truth too."""
    folder = tmp_path / "pairs" / "ben_from_ana"
    folder.mkdir(parents=True)
    for name, person in (("target", "ben"), ("source", "ana")):
        with VideoWriter(folder / f"{name}.mp4", probe(footage[person]), bare=True) as writer:
            for frame in islice(frames(footage[person]), 3):
                writer.write(frame)
    shutil.copy(folder / "target.mp4", folder / "truth_face.mp4")
    return folder.parent


@pytest.mark.slow
@pytest.mark.weights
def test_a_trained_run_swaps_every_pair(pairs: Path, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["bench", "quality", str(pairs), "--run", str(trained), "--to", "ana", "--name", "mine", "-o", str(out), "--every", "2"]
    assert main(words) == 0
    found = json.loads((out / "quality.json").read_text())
    assert [(r["method"], r["pair"], r["frames"]) for r in found["rows"]] == [
        (method, "ben_from_ana", 2) for method in ("no swap", "truth", "mine")
    ]
    assert (found["how"]["model"], found["how"]["to"]) == ("deepfake", "ana")
    assert set(found["pairs"]["ben_from_ana"]) == {"target", "truth", "source"}
    # the truth is the target here: no swap is as good as the truth, and a run of two steps is not
    none, truth, mine = found["rows"]
    assert none["truth_perceptual"] == truth["truth_perceptual"] < mine["truth_perceptual"]
    assert (out / "results" / "ben_from_ana.mp4").is_file()
    assert (out / "quality.md").read_text().count("**mine**") == 1
    assert str(tmp_path) not in (out / "quality.json").read_text()


@pytest.mark.slow
@pytest.mark.weights
def test_a_model_is_trained_for_each_pair_without_its_truth(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [
        "bench",
        "quality",
        str(pairs),
        "--model",
        "deepfake",
        "--iterations",
        "1",
        "--seed",
        "7",
        "-o",
        str(out),
        "--every",
        "2",
    ]
    assert main(words) == 0
    found = json.loads((out / "quality.json").read_text())
    assert found["how"] == {"model": "deepfake", "iterations": 1, "seed": 7, "likeness": MARGIN}
    assert [r["method"] for r in found["rows"]] == ["no swap", "truth", "deepfake"]
    work = out / "work" / "ben_from_ana"
    assert sorted(p.name for p in work.iterdir()) == ["deepfake-1-7", "source", "target"]
    # the facesets were cut from the pair's own footage, each person's from their own
    faces = {p: json.loads((work / p / "faceset.json").read_text()) for p in ("source", "target")}
    assert [f["person"] for f in faces.values()] == ["source", "target"]
    assert "truth" not in (work / "source" / "faces.jsonl").read_text() + (work / "target" / "faces.jsonl").read_text()


def test_pairs_are_rendered_first_where_asked(
    model_folder: Path, people_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(settings: object, people: object) -> None:
        raise InputError("nothing is scored here")

    monkeypatch.setattr("bianlian.commands.bench.Bench", refuse)
    monkeypatch.setenv("BIANLIAN_ICT", str(model_folder))
    folder = tmp_path / "pairs"
    words = [
        "bench",
        "quality",
        str(folder),
        "--cast",
        str(people_file),
        "--seconds",
        "0.08",
        "--size",
        "64",
        "-o",
        str(tmp_path / "o"),
    ]
    assert main([*words, "--render", "2", "--seed", "5"]) == 2
    found = read_pairs(folder)
    assert [p.name[:3] for p in found] == ["00_", "01_"]
    data = {p.name: p.target.read_bytes() for p in found}
    assert main([*words, "--render", "3", "--seed", "5"]) == 2
    assert {p.name: p.target.read_bytes() for p in read_pairs(folder)[:2]} == data
    assert len(read_pairs(folder)) == 3
    capsys.readouterr()
    assert main([*words, "--render", "-1"]) == 2
    assert "1 pair or more" in capsys.readouterr().err

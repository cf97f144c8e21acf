"""The benchmark: which files belong together, what is refused, and the means of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bianlian.cli import main
from bianlian.errors import InputError
from bianlian.score.benchmark import COLUMNS, Pair, Row, means, read_pairs, result_of, table


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
    assert lines[2].startswith("| **m** | mean | 50.0 | – | – | – | 20.00 |")
    assert lines[4].startswith("| m | b | 60.0 | – | – | – | – |")


def test_two_ways_to_the_results_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "quality", str(tmp_path), "--results", "a", "--model", "deepfake"]) == 2
    assert "one of --results, --run and --model" in capsys.readouterr().err

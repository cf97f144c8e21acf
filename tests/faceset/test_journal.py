"""Lines go in whole or not at all, and half a line at the end is cut off."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bianlian.errors import FacesetError, OutputError
from bianlian.faceset.journal import Journal, read_lines
from bianlian.faceset.record import LONGEST_LINE


def test_lines_come_back_with_their_places(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a", 0)
    journal.append(["one", "two"])
    journal.append([])
    journal.append(["three"])
    journal.close()
    journal.close()
    lines = list(read_lines(tmp_path / "a"))
    assert [(x.number, x.start, x.end, x.text) for x in lines] == [(1, 0, 4, b"one"), (2, 4, 8, b"two"), (3, 8, 14, b"three")]


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert list(read_lines(tmp_path / "a")) == []


def test_half_a_line_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntw")
    notes: list[str] = []
    assert [x.text for x in read_lines(tmp_path / "a", note=notes.append)] == [b"one"]
    assert len(notes) == 1
    assert "line 2 is cut off" in notes[0]


def test_opening_cuts_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntw")
    journal = Journal(tmp_path / "a", 4)
    journal.append(["2"])
    journal.close()
    assert (tmp_path / "a").read_bytes() == b"one\n2\n"


def test_an_endless_line_is_refused_without_reading_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ok\n" + b"x" * (LONGEST_LINE + 10))
    with pytest.raises(FacesetError, match="line 2: longer than"):
        list(read_lines(tmp_path / "a"))


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(FacesetError, match="cannot read"):
        list(read_lines(tmp_path))
    with pytest.raises(OutputError, match="cannot write"):
        Journal(tmp_path, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_one_writer_at_a_time(tmp_path: Path) -> None:
    first = Journal(tmp_path / "a", 0)
    with pytest.raises(OutputError, match="another run is writing it"):
        Journal(tmp_path / "a", 0)
    first.close()
    Journal(tmp_path / "a", 0).close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a", 0)
    journal.append(["one"])
    real, journal._file = journal._file, open("/dev/full", "wb", buffering=0)  # noqa: SIM115, PTH123
    journal._cut = lambda: None  # type: ignore[method-assign]
    with pytest.raises(OutputError, match="the disk is full"):
        journal.append(["two"])
    journal._file.close()
    real.close()
    assert (tmp_path / "a").read_bytes() == b"one\n"

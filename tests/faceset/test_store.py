"""A faceset is checked on opening; a hostile one is refused with a line that says where."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faceset_fakes import draw, some_record

from bianlian.errors import FacesetError
from bianlian.faceset.header import Header
from bianlian.faceset.store import Faceset
from bianlian.faceset.writer import FacesetWriter, Pass
from bianlian.types import Crop

PASS = Pass("clip.mp4", "f", "every 6")


def make(path: Path, count: int = 3, size: int = 32, **changes: Any) -> Path:
    """A faceset of ``count`` faces; the crop of face n is filled with n."""
    with FacesetWriter(path, Header("anna", size, format="png")) as writer:
        writer.begin(PASS)
        for n in range(count):
            crop = Crop(np.full((size, size, 3), n % 251, np.uint8), np.eye(2, 3))
            writer.add([some_record(n, **changes)], [crop])
        writer.finish()
    return path


def edit(path: Path, number: int, **changes: Any) -> None:
    """Change fields of one line of faces.jsonl."""
    lines = (path / "faces.jsonl").read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | changes)
    (path / "faces.jsonl").write_text("\n".join(lines) + "\n")


def test_a_faceset_comes_back(tmp_path: Path) -> None:
    path = make(tmp_path / "anna")
    edit(path, 1, kept=False, reason="partial: 63 % of the face is in the picture")
    faceset = Faceset.open(str(path))
    assert (faceset.person, len(faceset), faceset.kept_count, dict(faceset.dropped)) == ("anna", 3, 2, {"partial": 1})
    assert [r.id for r in faceset.records()] == [0, 1, 2]
    assert [r.id for r in faceset.kept()] == [0, 2]
    assert [int(faceset.load_crop(r).mean()) for r in faceset.records()] == [0, 1, 2]
    assert [p.name for p in sorted(path.iterdir())] == ["crops", "faces.jsonl", "faceset.json", "inputs.jsonl"]


def test_colours_come_back_in_order(tmp_path: Path) -> None:
    image = draw((16, 16, 20), width=32, height=32)
    for format in ("png", "jpg"):
        with FacesetWriter(tmp_path / format, Header("anna", 32, format=format)) as writer:
            writer.begin(PASS)
            writer.add([some_record(crop=f"crops/0.{format}")], [Crop(image, np.eye(2, 3))])
        faceset = Faceset.open(tmp_path / format)
        back = faceset.load_crop(next(faceset.records())).astype(int)
        assert abs(back - image).mean() < (0.01 if format == "png" else 3)


def test_a_faceset_without_faces_is_valid(tmp_path: Path) -> None:
    assert len(Faceset.open(make(tmp_path / "anna", 0))) == 0


def test_half_a_line_at_the_end_is_left_out(tmp_path: Path) -> None:
    path = make(tmp_path / "anna")
    data = (path / "faces.jsonl").read_bytes()
    (path / "faces.jsonl").write_bytes(data[:-30])
    notes: list[str] = []
    assert len(Faceset.open(path, note=notes.append)) == 2
    assert "line 3 is cut off" in notes[0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": 0}, "line 2: id must grow"),
        ({"id": 10**30}, "line 2: id"),
        ({"crop": "crops/../../x.png"}, "line 2: crop must be"),
        ({"crop": "/tmp/x.png"}, "line 2: crop must be"),
        ({"landmarks": [[0, 0]]}, "line 2: landmarks"),
        ({"scheme": "dlib"}, "line 2: scheme"),
        ({"crop": "crops/other.png"}, "1 crops are missing or empty: crops/other.png"),
        ({"eval": "x"}, "line 2: .*unknown eval"),
    ],
)
def test_a_hostile_line_is_refused(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    path = make(tmp_path / "anna")
    edit(path, 1, **changes)
    with pytest.raises(FacesetError, match=named):
        Faceset.open(path)


@pytest.mark.parametrize("middle", [b"", b"\x00" * 9, b'{"id": NaN}', "ÿ".encode("latin-1")])
def test_a_damaged_line_is_named_by_its_number(tmp_path: Path, middle: bytes) -> None:
    path = make(tmp_path / "anna")
    lines = (path / "faces.jsonl").read_bytes().splitlines()
    (path / "faces.jsonl").write_bytes(b"\n".join([*lines[:2], middle, lines[2]]) + b"\n")
    with pytest.raises(FacesetError, match=r"faces\.jsonl, line 3: "):
        Faceset.open(path)


def test_missing_and_empty_crops_are_listed(tmp_path: Path) -> None:
    path = make(tmp_path / "anna", 9)
    (path / "crops/000002.png").unlink()
    (path / "crops/000004.png").write_bytes(b"")
    with pytest.raises(FacesetError, match=r"2 crops are missing or empty: crops/000002.png, crops/000004.png;"):
        Faceset.open(path)


@pytest.mark.parametrize("target", ["../../secret.png", "000001.png", "000002.png", "nowhere.png"])
def test_a_crop_may_not_be_a_link(tmp_path: Path, target: str) -> None:
    path = make(tmp_path / "anna")
    (tmp_path / "secret.png").write_bytes(b"x")
    (path / "crops/000001.png").unlink()
    (path / "crops/000001.png").symlink_to(target)
    with pytest.raises(FacesetError, match=r"000001\.png is a link"):
        Faceset.open(path)


def test_the_crops_folder_may_not_be_a_link(tmp_path: Path) -> None:
    path = make(tmp_path / "anna")
    (path / "crops").rename(tmp_path / "elsewhere")
    (path / "crops").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FacesetError, match="a folder of the faceset itself"):
        Faceset.open(path)
    with pytest.raises(FacesetError, match="a folder of the faceset itself"):
        FacesetWriter(path, Header("anna", 32, format="png"))


@pytest.mark.parametrize(
    ("data", "named"),
    [(b"no picture", "a damaged file"), (b"x" * 100_000, "a file of"), (b"", "a file of 0 bytes")],
)
def test_a_damaged_crop_is_refused(tmp_path: Path, data: bytes, named: str) -> None:
    path = make(tmp_path / "anna")
    faceset = Faceset.open(path)
    (path / "crops/000000.png").write_bytes(data)
    with pytest.raises(FacesetError, match=named):
        faceset.load_crop(next(faceset.records()))


def test_a_crop_of_another_size_is_refused(tmp_path: Path) -> None:
    path, other = make(tmp_path / "anna"), make(tmp_path / "other", size=64)
    (path / "crops/000000.png").write_bytes((other / "crops/000000.png").read_bytes())
    faceset = Faceset.open(path)
    with pytest.raises(FacesetError, match="32 x 32 pixels, got 64 x 64"):
        faceset.load_crop(next(faceset.records()))


def test_a_crop_that_vanished_is_named(tmp_path: Path) -> None:
    path = make(tmp_path / "anna")
    faceset = Faceset.open(path)
    (path / "crops/000000.png").unlink()
    with pytest.raises(FacesetError, match=r"000000\.png"):
        faceset.load_crop(next(faceset.records()))


def test_records_are_streamed(tmp_path: Path) -> None:
    """100 faces of some 600 bytes a line and 12 kB a crop: far less than the sum is ever held."""
    path = make(tmp_path / "anna", 100, 64)
    faceset = Faceset.open(path)
    tracemalloc.start()
    try:
        for record in faceset.kept():
            faceset.load_crop(record)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000


@pytest.mark.parametrize("make_it", ["file", "empty", "nothing"])
def test_what_is_no_faceset(tmp_path: Path, make_it: str) -> None:
    path = tmp_path / "x"
    if make_it == "file":
        path.write_text("x")
    elif make_it == "empty":
        path.mkdir()
    with pytest.raises(FacesetError, match="is not a faceset"):
        Faceset.open(path)

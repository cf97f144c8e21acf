"""The writing end keeps its own rules: order, one input at a time, one person, one writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from faceset_fakes import contents, some_record

from bianlian.errors import FacesetError, InputError, OutputError
from bianlian.faceset.header import Header, read_header
from bianlian.faceset.store import Faceset
from bianlian.faceset.writer import FacesetWriter, Pass, crop_name, encode_crop, is_free, remove
from bianlian.types import Crop

ONE, TWO = Pass("one.mp4", "1", "every 6"), Pass("two.mp4", "2", "every 6")
HEADER = Header("anna", 32, format="png")
CROP = Crop(np.zeros((32, 32, 3), np.uint8), np.eye(2, 3))


def _faces(writer: FacesetWriter, file: str, *frames: int) -> None:
    for frame in frames:
        writer.add([some_record(writer.next_id, file=file, frame=frame)], [CROP])


def test_wrong_order_is_refused(tmp_path: Path) -> None:
    with FacesetWriter(tmp_path / "a", HEADER) as writer:
        with pytest.raises(InputError, match="begin"):
            writer.add([some_record(0)], [CROP])
        with pytest.raises(InputError, match="begin"):
            writer.finish()
        writer.begin(ONE)
        for records, crops in [([some_record(1)], [CROP]), ([some_record(0)], []), ([some_record(0), some_record(0)], [CROP] * 2)]:
            with pytest.raises(InputError, match="ids from 0 on"):
                writer.add(records, crops)
        with pytest.raises(InputError, match="under way"):
            writer.begin(TWO)
        writer.finish()
        with pytest.raises(InputError, match="done already"):
            writer.begin(ONE)
    assert len(Faceset.open(tmp_path / "a")) == 0


def test_going_on_takes_the_last_frame_back(tmp_path: Path) -> None:
    with FacesetWriter(tmp_path / "a", HEADER) as writer:
        writer.begin(ONE)
        _faces(writer, "one.mp4", 0, 6)
        writer.finish()
        writer.begin(TWO)
        _faces(writer, "two.mp4", 0, 12, 18, 18)
    with FacesetWriter(tmp_path / "a", HEADER, planned=[ONE, TWO]) as writer:
        assert (writer.done, writer.begun, writer.first_frame, writer.next_id) == (frozenset({ONE}), TWO, 18, 4)
        writer.begin(TWO)
        _faces(writer, "two.mp4", 18)
        writer.finish()
    assert [(r.id, r.file, r.frame) for r in Faceset.open(tmp_path / "a").records()][2:] == [
        (2, "two.mp4", 0),
        (3, "two.mp4", 12),
        (4, "two.mp4", 18),
    ]


def test_an_interrupted_input_that_is_gone_is_taken_back(tmp_path: Path) -> None:
    notes: list[str] = []
    with FacesetWriter(tmp_path / "a", HEADER) as writer:
        writer.begin(ONE)
        _faces(writer, "one.mp4", 0)
        writer.finish()
        writer.begin(TWO)
        _faces(writer, "two.mp4", 0, 6)
    with FacesetWriter(tmp_path / "a", HEADER, planned=[ONE], note=notes.append) as writer:
        assert (writer.done, writer.begun, writer.first_frame, writer.next_id) == (frozenset({ONE}), None, 0, 1)
    assert [r.file for r in Faceset.open(tmp_path / "a").records()] == ["one.mp4"]
    assert "two.mp4 was interrupted" in notes[0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"person": "berta"}, "has person anna, wanted berta"),
        ({"size": 64}, "has size 32, wanted 64"),
        ({"coverage": 0.5}, "has coverage 0.45, wanted 0.5"),
        ({"format": "jpg"}, "has format png, wanted jpg"),
        ({"consent": "other"}, "another consent record"),
    ],
)
def test_another_faceset_is_refused_and_left_alone(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    settings: dict[str, Any] = {"person": "anna", "size": 32, "format": "png", "consent": "signed"}
    FacesetWriter(tmp_path / "a", Header(**settings)).close()
    before = contents(tmp_path)
    with pytest.raises(FacesetError, match=named):
        FacesetWriter(tmp_path / "a", Header(**(settings | changes)))
    assert contents(tmp_path) == before


def test_consent_can_be_added_and_stays(tmp_path: Path) -> None:
    for consent, wanted in [(None, None), ("signed", "signed"), (None, "signed"), ("signed", "signed")]:
        FacesetWriter(tmp_path / "a", Header("anna", consent=consent)).close()
        assert read_header(tmp_path / "a").consent == wanted


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(FacesetError, match="is not a faceset"):
        FacesetWriter(tmp_path, HEADER)
    with pytest.raises(FacesetError, match="is not a faceset"):
        remove(tmp_path)
    with pytest.raises(FacesetError, match="is a file"):
        is_free(tmp_path / "holiday.jpg")
    assert contents(tmp_path) == {"holiday.jpg": b"x"}


def test_removing_leaves_what_is_not_the_faceset_s(tmp_path: Path) -> None:
    FacesetWriter(tmp_path / "a", HEADER).close()
    FacesetWriter(tmp_path / "b", HEADER).close()
    (tmp_path / "b/notes.txt").write_text("mine")
    remove(tmp_path / "a")
    remove(tmp_path / "b")
    assert not (tmp_path / "a").exists()
    assert contents(tmp_path) == {"b/notes.txt": b"mine"}


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    with FacesetWriter(tmp_path / "a", HEADER), pytest.raises(OutputError, match="another run"):
        FacesetWriter(tmp_path / "a", HEADER)


@pytest.mark.parametrize("line", ["{}", "x", '{"file": 1}', '{"file":"a","fingerprint":"b","settings":6,"done":true}'])
def test_a_damaged_list_of_inputs_is_named(tmp_path: Path, line: str) -> None:
    FacesetWriter(tmp_path / "a", HEADER).close()
    (tmp_path / "a/inputs.jsonl").write_text(line + "\n")
    with pytest.raises(FacesetError, match=r"inputs\.jsonl, line 1: "):
        FacesetWriter(tmp_path / "a", HEADER)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        FacesetWriter(tmp_path / "file/anna", HEADER)


def test_crop_names() -> None:
    assert [crop_name(n, "png") for n in (0, 17, 1234567)] == ["crops/000000.png", "crops/000017.png", "crops/1234567.png"]


def test_png_keeps_every_pixel_and_jpg_almost() -> None:
    rng = np.random.default_rng(0)
    image = np.asarray(cv2.GaussianBlur(rng.integers(0, 256, (64, 64, 3), np.uint8), (0, 0), 2), np.uint8)
    back = {f: cv2.imdecode(np.frombuffer(encode_crop(image, f), np.uint8), cv2.IMREAD_COLOR_RGB) for f in ("png", "jpg")}
    np.testing.assert_array_equal(back["png"], image)
    assert 0 < np.abs(np.asarray(back["jpg"], int) - image).mean() < 2


@pytest.mark.parametrize(
    ("name", "free"), [(".faceset.json.part", True), (".0123456789ab.part.json", True), ("a.txt", False), (".mine.part", False)]
)
def test_what_a_killed_run_left_does_not_take_a_folder(tmp_path: Path, name: str, free: bool) -> None:
    (tmp_path / name).touch()
    assert is_free(tmp_path) == free

"""faceset.json comes back as it was written, and anything else in it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bianlian.align import COVERAGE
from bianlian.errors import FacesetError, InputError, OutputError
from bianlian.faceset.header import FACESET_COVERAGE, Header, check_person, read_header, write_header, write_whole

_NAMES = ["anna", "Anna-2", "a.b", "_x", "变脸", "李小龙", "Zoë", "김연아", "Ольга_2", "a" * 64]
_NOT_NAMES = ["", ".", "..", ".hidden", "end.", "a b", "a/b", "a\\b", "a\n", "a" * 65, "a:b", "a*", "a\x00", "😀", "\ud800", "-/.."]


@pytest.mark.parametrize("name", _NAMES)
def test_a_good_name(name: str) -> None:
    assert check_person(name) == name


def test_a_name_is_composed() -> None:
    assert check_person("Zoe\u0308") == "Zoë"


@pytest.mark.parametrize("name", _NOT_NAMES, ids=range(len(_NOT_NAMES)))
def test_a_bad_name(name: str) -> None:
    with pytest.raises(InputError, match="a person's name must be"):
        check_person(name)


def test_a_faceset_crop_shows_more_than_a_model_sees() -> None:
    """0.72 of 160 pixels is 115.2; in 256 pixels that is 0.45."""
    assert pytest.approx(COVERAGE * 160 / 256) == FACESET_COVERAGE


@pytest.mark.parametrize(
    "header",
    [Header("anna"), Header("变脸", 512, 0.6, "png", consent="signed 2026-03-01, “ja”", origin="test"), Header("a", coverage=1)],
)
def test_a_header_comes_back(tmp_path: Path, header: Header) -> None:
    write_header(tmp_path, header)
    assert read_header(tmp_path) == header
    assert [p.name for p in tmp_path.iterdir()] == ["faceset.json"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"person": "a b"}, "person"),
        ({"size": 8}, "size"),
        ({"size": 10**6}, "size"),
        ({"coverage": 0.0}, "coverage"),
        ({"format": "gif"}, "format"),
        ({"template": "other"}, "template"),
    ],
)
def test_a_header_out_of_range(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Header(**({"person": "anna"} | settings))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schema": 2}, "schema version 2, this program reads 1"),
        ({"schema": True}, "schema version True"),
        ({"schema": None}, "schema version None"),
        ({"person": "../x"}, "person"),
        ({"person": 3}, "person must be str"),
        ({"size": 256.0}, "size must be int"),
        ({"size": True}, "size must be int"),
        ({"coverage": "x"}, "coverage must be float"),
        ({"consent": ["x"]}, "consent must be str"),
        ({"script": "rm"}, "unknown script"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    write_header(tmp_path, Header("anna"))
    path = tmp_path / "faceset.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(FacesetError, match=named):
        read_header(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": 1}', '{"schema": NaN}', "{}"])
def test_a_header_that_is_no_header(tmp_path: Path, text: str) -> None:
    (tmp_path / "faceset.json").write_text(text)
    with pytest.raises(FacesetError, match=r"faceset\.json"):
        read_header(tmp_path)


def test_no_header(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(FacesetError, match="is not a faceset"):
            read_header(folder)


def test_writing_whole_replaces_a_link_and_never_follows_it(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("a.png", ".a.png.part"):
        (tmp_path / name).symlink_to(victim)
    write_whole(tmp_path / "a.png", b"new")
    assert (victim.read_text(), (tmp_path / "a.png").read_bytes()) == ("mine", b"new")
    assert not (tmp_path / ".a.png.part").exists()


def test_writing_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / "no" / "a.png", b"new")

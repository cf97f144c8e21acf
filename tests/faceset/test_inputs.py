"""What the user gave becomes one list in a fixed order, each content once, each name once."""

from __future__ import annotations

from pathlib import Path

import pytest
from faceset_fakes import draw, walk, write_png, write_video

from bianlian.errors import InputError, VideoError
from bianlian.faceset.inputs import fingerprint, list_footage
from bianlian.types import silent


def _picture(path: Path, number: int) -> Path:
    return write_png(path, draw((40 + number, 60, 44)))


def test_a_folder_in_natural_order_with_all_below(tmp_path: Path) -> None:
    for n, name in enumerate(["b/x10.png", "b/x9.png", "a10.PNG", "a2.png", ".hidden.png", ".dir/x.png", "b/.y.png"]):
        _picture(tmp_path / name, n)
    (tmp_path / "notes.txt").write_text("no footage")
    found = list_footage([tmp_path], silent)
    assert [f.name for f in found] == ["a2.png", "a10.PNG", "b/x9.png", "b/x10.png"]
    assert all(f.picture and not f.named and f.frames == 1 for f in found)


def test_a_video_says_how_many_frames(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", walk(7))
    (found,) = list_footage([video], silent)
    assert (found.name, found.picture, found.named, found.frames) == ("clip.mp4", False, True, 7)


def test_facesets_are_passed_over(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png", 0)
    _picture(tmp_path / "faces/anna/crops/0.png", 1)
    (tmp_path / "faces/anna/faceset.json").write_text("{}")
    assert [f.name for f in list_footage([tmp_path], silent)] == ["a.png"]
    with pytest.raises(InputError, match="is a faceset already"):
        list_footage([tmp_path / "faces/anna"], silent)


def test_the_same_content_counts_once(tmp_path: Path) -> None:
    one, copy = _picture(tmp_path / "a.png", 0), _picture(tmp_path / "b.png", 0)
    notes: list[str] = []
    assert [f.name for f in list_footage([one, copy, one, tmp_path], notes.append)] == ["a.png"]
    assert notes == [f"{copy} has the same content as {one}; skipped"] * 2


def test_names_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [_picture(tmp_path / name, n) for n, name in enumerate(["x/1/a.png", "y/1/a.png", "x/b.png", "z/a.png"])]
    assert [f.name for f in list_footage(paths, silent)] == ["x/1/a.png", "y/1/a.png", "b.png", "z/a.png"]


def test_unreadable_files_of_a_folder_are_named_and_skipped(tmp_path: Path) -> None:
    _picture(tmp_path / "good.png", 0)
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    notes: list[str] = []
    assert [f.name for f in list_footage([tmp_path], notes.append)] == ["good.png"]
    assert len(notes) == 3
    for name, note in zip(("bad.mp4", "bad.png", "gone.png"), notes, strict=True):
        assert name in note
        assert note.endswith("skipped")


def test_what_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.png").write_bytes(b"x")
    for inputs, error, named in [
        ([], InputError, "at least one"),
        ([tmp_path / "none.mp4"], InputError, "none.mp4 does not exist"),
        ([tmp_path / "empty"], InputError, "holds no video or picture"),
        ([tmp_path / "broken"], InputError, "not one readable"),
        ([tmp_path / "broken/a.png"], VideoError, "a.png"),
    ]:
        with pytest.raises(error, match=named):
            list_footage(inputs, silent)


def test_a_fingerprint_changes_with_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    seen = set()
    for data in (b"", b"a", b"a" * 200_000, b"a" * 200_001, b"a" * 199_999 + b"b"):
        path.write_bytes(data)
        assert fingerprint(path) == fingerprint(path)
        seen.add(fingerprint(path))
    assert len(seen) == 5

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms
from video_media import H, W, make_video, still

from bianlian.errors import OutputError
from bianlian.types import Frame
from bianlian.video import FolderWriter, ImageWriter, VideoInfo, VideoWriter, frames, open_writer, probe

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photo(path: Path) -> VideoInfo:
    """A picture with orientation 6, a camera's name and an ICC profile."""
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    Pillow.fromarray(still(0)).save(path, exif=exif, icc_profile=PROFILE)
    return probe(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_a_picture_keeps_exif_and_profile_but_not_its_orientation(tmp_path: Path, suffix: str) -> None:
    like = photo(tmp_path / "in.jpg")
    with open_writer(tmp_path / f"out{suffix}", like) as writer:
        for frame in frames(like.path):
            writer.write(frame)
    with Pillow.open(tmp_path / f"out{suffix}") as written:
        exif = written.getexif()
        assert (written.size, exif.get(0x0112, 1), exif.get(0x010F)) == ((H, W), 1, "Maker")
        assert written.info.get("icc_profile") == PROFILE
    (before,), (after,) = frames(like.path), frames(tmp_path / f"out{suffix}")
    assert np.abs(before.image.astype(int) - after.image).mean() < 1.5


def test_png_is_exact(tmp_path: Path) -> None:
    like = photo(tmp_path / "in.jpg")
    with ImageWriter(tmp_path / "out.png", like) as writer:
        writer.write(Frame(still(3), 0))
    (frame,) = frames(tmp_path / "out.png")
    np.testing.assert_array_equal(frame.image, still(3))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff", ".jpg"])
def test_transparency_is_kept_or_told(tmp_path: Path, suffix: str) -> None:
    alpha = np.zeros((H, W), np.uint8)
    alpha[:, : W // 2] = 255
    alpha[:8] = 100
    Pillow.fromarray(np.dstack([still(0), alpha])).save(tmp_path / "in.png")
    notes: list[str] = []
    with ImageWriter(tmp_path / f"out{suffix}", probe(tmp_path / "in.png"), note=notes.append) as writer:
        writer.write(Frame(still(0), 0))
    with Pillow.open(tmp_path / f"out{suffix}") as written:
        if suffix == ".jpg":
            assert len(notes) == 1
            assert "transparency" in notes[0]
        else:
            assert notes == []
            np.testing.assert_array_equal(np.asarray(written.convert("RGBA"))[..., 3], alpha)


def test_a_thumbnail_of_the_old_picture_is_left_out(tmp_path: Path) -> None:
    small = io.BytesIO()
    Pillow.fromarray(still(0, 16, 12)).save(small, "jpeg")
    thumbnail = small.getvalue()
    # TIFF by hand: one directory with the maker's name, a second one with the thumbnail's offset and length
    first = struct.pack("<HHHL4s", 1, 0x010F, 2, 4, b"Own\0") + struct.pack("<L", 26)
    second = struct.pack("<HHHLLHHLL", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, len(thumbnail)) + struct.pack("<L", 0)
    exif = b"Exif\0\0" + struct.pack("<2sHL", b"II", 42, 8) + first + second + thumbnail
    Pillow.fromarray(still(0)).save(tmp_path / "in.jpg", exif=exif)
    assert thumbnail in (tmp_path / "in.jpg").read_bytes()
    with ImageWriter(tmp_path / "out.jpg", probe(tmp_path / "in.jpg")) as writer:
        writer.write(Frame(still(0), 0))
    data = (tmp_path / "out.jpg").read_bytes()
    assert data.count(b"\xff\xd8\xff") == 1
    with Pillow.open(tmp_path / "out.jpg") as written:
        assert written.getexif().get(0x010F) == "Own"


def test_one_picture_takes_one_frame(tmp_path: Path) -> None:
    like = photo(tmp_path / "in.jpg")
    with pytest.raises(OutputError, match="no frame came"), ImageWriter(tmp_path / "out.png", like):
        pass
    with ImageWriter(tmp_path / "out.png", like) as writer:
        writer.write(Frame(still(0), 0))
        with pytest.raises(OutputError, match="second frame"):
            writer.write(Frame(still(1), 1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jpg", "out.png"]


def test_a_folder_keeps_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, size in (("a 10.jpg", (64, 48)), ("a 9.png", (32, 24)), ("b.webp", (64, 48))):
        Pillow.fromarray(still(0, *size)).save(folder / name)
    (folder / "a 1.png").write_bytes(b"broken")
    (tmp_path / "out").mkdir()
    with open_writer(tmp_path / "out", probe(folder)) as writer:
        for frame in frames(folder):
            writer.write(frame)
    written = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert written == ["a 10.jpg", "a 9.png", "b.webp"]
    with Pillow.open(tmp_path / "out" / "a 9.png") as picture:
        assert picture.size == (32, 24)


def test_a_video_becomes_numbered_pictures(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", range(5))
    with open_writer(tmp_path / "new" / "out", probe(source)) as writer:
        for frame in frames(source, every=2):
            writer.write(frame)
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == ["000000.png", "000002.png", "000004.png"]


@pytest.mark.parametrize("full", [False, True])
def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path, full: bool) -> None:
    like = probe(make_video(tmp_path / "in.mp4"))
    target = tmp_path / "out"
    if full:
        target.mkdir()
        (target / "old.txt").touch()
    expected = OutputError if full else ZeroDivisionError

    def stopped() -> None:
        with FolderWriter(target, like) as writer:
            writer.write(Frame(still(0), 0))
            raise ZeroDivisionError

    with pytest.raises(expected):
        stopped()
    assert sorted(p.name for p in tmp_path.iterdir()) == (["in.mp4", "out"] if full else ["in.mp4"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    like = photo(tmp_path / "in.jpg")

    def full(path: Path) -> Path:
        part = path.with_name(f".part{path.suffix}")
        part.symlink_to("/dev/full")
        return part

    monkeypatch.setattr("bianlian.video.still.new_part", full)
    with pytest.raises(OutputError, match="disk is full"), ImageWriter(tmp_path / "out.png", like) as writer:
        writer.write(Frame(still(0, 640, 480), 0))
    assert [p.name for p in tmp_path.iterdir()] == ["in.jpg"]


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("in.mp4", "out.mkv", VideoWriter),
        ("in.mp4", "out", FolderWriter),
        ("in.jpg", "out.png", ImageWriter),
        ("in.jpg", "out", FolderWriter),
        ("pictures", "out", FolderWriter),
        ("pictures", "out.mp4", VideoWriter),
        ("in.mp4", "out.png", "a video"),
        ("in.mp4", "out.gif", "a video"),
        ("in.jpg", "out.mp4", "a picture"),
        ("in.jpg", "out.txt", "a picture"),
        ("pictures", "out.png", "a folder"),
        ("pictures", "pictures", "input itself"),
    ],
)
def test_open_writer_chooses_by_names(tmp_path: Path, source: str, target: str, expected: type | str) -> None:
    make_video(tmp_path / "in.mp4")
    photo(tmp_path / "in.jpg")
    (tmp_path / "pictures").mkdir()
    photo(tmp_path / "pictures" / "a.jpg")
    like = probe(tmp_path / source)
    if isinstance(expected, str):
        with pytest.raises(OutputError, match=expected):
            open_writer(tmp_path / target, like)
    else:
        assert type(open_writer(tmp_path / target, like, rate=Fraction(25))) is expected

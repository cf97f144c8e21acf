"""Pictures of 16 bits and of linear light, alone and in folders: whole in, whole out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms

from bianlian.errors import VideoError
from bianlian.types import Frame
from bianlian.video import Encoding, frames, open_writer, probe
from bianlian.video.deep import as_uint16, full, to_light
from bianlian.video.exr import exr_header, read_exr, write_exr
from bianlian.video.sixteen import read_sixteen, write_png16, write_tiff16

W, H = 40, 30
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(channels: int = 3, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65536, (H, W, channels), dtype=np.uint16)


def light(seed: int = 0) -> NDArray[np.float32]:
    """R, G, B, A that halves hold, darker than black and brighter than white among them."""
    picture = np.random.default_rng(seed).normal(0.4, 0.6, (H, W, 4)).astype(np.float16)
    picture[..., 3] = np.linspace(0, 1, W)
    return picture.astype(np.float32)


def bgr(picture: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return np.ascontiguousarray(picture[..., [2, 1, 0, 3][: picture.shape[2]]])


def touched(frame: Frame) -> tuple[Frame, NDArray[np.bool_]]:
    """A frame with another face in a corner, and where."""
    image, where = frame.image.copy(), np.zeros((H, W), bool)
    where[5:15, 8:20] = True
    image[where] = 255 - image[where]
    image[where & (image == frame.image).all(2)] ^= 1
    return replace(frame, image=image), where


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_come_back_where_nobody_touched_them(tmp_path: Path, suffix: str, channels: int) -> None:
    picture = noise(channels)
    assert cv2.imwrite(str(tmp_path / f"in{suffix}"), bgr(picture))
    info = probe(tmp_path / f"in{suffix}")
    assert (info.width, info.height, info.bits) == (W, H, 16)
    (frame,) = frames(info.path)
    np.testing.assert_array_equal(frame.image, picture[..., :3] >> 8)
    new, where = touched(frame)
    with open_writer(tmp_path / f"out{suffix}", info) as writer:
        writer.write(new)
    after = cv2.imread(str(tmp_path / f"out{suffix}"), cv2.IMREAD_UNCHANGED)
    assert after is not None
    after = bgr(np.asarray(after, np.uint16))
    np.testing.assert_array_equal(after[~where], picture[~where])
    np.testing.assert_array_equal(after[..., 3:], picture[..., 3:])
    # a new value of v of 8 bits lies in 257 v to 257 v + 256, 16 bits' share of one grey level
    assert np.abs(after[where][:, :3] / 257 - new.image[where]).max() <= 1
    assert len(np.unique(after[where][:, :3] % 257)) > 100  # not 8 bits made longer


@pytest.mark.parametrize("kind", ["half", "float"])
def test_linear_light_comes_back_where_nobody_touched_it(tmp_path: Path, kind: str) -> None:
    picture = light()
    if kind == "float":
        picture[0, 0, 0] = 1.000123
    write_exr(tmp_path / "in.exr", picture, alpha=True)
    np.testing.assert_array_equal(read_exr(tmp_path / "in.exr"), picture)
    assert exr_header(tmp_path / "in.exr").channels == ("A", "B", "G", "R")
    (frame,) = frames(tmp_path / "in.exr")
    new, where = touched(frame)
    with open_writer(tmp_path / "out.exr", probe(tmp_path / "in.exr")) as writer:
        writer.write(new)
    after = read_exr(tmp_path / "out.exr")
    np.testing.assert_array_equal(after[~where], picture[~where])
    np.testing.assert_array_equal(after[..., 3], picture[..., 3])
    seen = where & (picture[..., :3] > 0).all(2) & (picture[..., :3] < 1).all(2)
    wanted = to_light(np.asarray(new.image[seen] / 255, np.float32))
    assert np.abs(after[seen][:, :3] - wanted).max() < 0.012  # a grey level of light near white, and a half's last bit


def test_exr_without_alpha_and_damaged_exr(tmp_path: Path) -> None:
    write_exr(tmp_path / "a.exr", light(), alpha=False)
    assert exr_header(tmp_path / "a.exr").channels == ("B", "G", "R")
    assert (read_exr(tmp_path / "a.exr")[..., 3] == 1).all()
    whole = (tmp_path / "a.exr").read_bytes()
    for name, data in (("none.exr", b"no picture"), ("short.exr", whole[:60]), ("empty.exr", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(VideoError, match=name):
            probe(tmp_path / name)
        with pytest.raises(VideoError, match=name):
            next(frames(tmp_path / name))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".exr"])
def test_a_sequence_keeps_names_kinds_and_depth(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(3):
        path = folder / f"plate.{1001 + k}{suffix}"
        if suffix == ".exr":
            write_exr(path, light(k), alpha=False)
        else:
            cv2.imwrite(str(path), bgr(noise(seed=k)))
    info = probe(folder)
    with open_writer(tmp_path / "out", info) as writer:
        for frame in frames(folder):
            writer.write(frame)
    for path in sorted(folder.iterdir()):
        (before,), (after,) = frames(path), frames(tmp_path / "out" / path.name)
        np.testing.assert_array_equal(full(before), full(after))
    with open_writer(tmp_path / "out.mov", info, Encoding("prores")) as writer:
        for frame in frames(folder):
            writer.write(frame)
    made = probe(tmp_path / "out.mov")
    assert (made.codec, made.bits, made.frames) == ("prores", 10, 3)


@pytest.mark.parametrize("turn", range(1, 9))
def test_sixteen_bits_are_turned_as_their_view_is(tmp_path: Path, turn: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010F] = turn, "Maker"
    write_png16(tmp_path / "in.png", noise(), profile=PROFILE, exif=exif.tobytes())
    (frame,) = frames(tmp_path / "in.png")
    assert frame.deep is not None
    np.testing.assert_array_equal(as_uint16(frame.deep.read()) >> 8, frame.image)
    with open_writer(tmp_path / "out.png", probe(tmp_path / "in.png")) as writer:
        writer.write(frame)
    with Pillow.open(tmp_path / "out.png") as written:
        written.load()
        assert written.getexif().get(0x0112, 1) == 1
        assert written.getexif().get(0x010F) == "Maker"
        assert written.info["icc_profile"] == PROFILE
    np.testing.assert_array_equal(read_sixteen(tmp_path / "out.png"), frame.deep.read())


def test_our_tiff_is_read_by_others(tmp_path: Path) -> None:
    for channels in (3, 4):
        write_tiff16(tmp_path / "a.tif", noise(channels), profile=PROFILE)
        with Pillow.open(tmp_path / "a.tif") as written:
            assert written.size == (W, H)
            assert written.info["icc_profile"] == PROFILE
            np.testing.assert_array_equal(np.asarray(written)[..., :3], noise(channels)[..., :3] >> 8)
        read = cv2.imread(str(tmp_path / "a.tif"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(read, bgr(noise(channels)))


def test_a_packet_of_xmp_is_read_by_others(tmp_path: Path) -> None:
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    write_png16(tmp_path / "a.png", noise(), profile=PROFILE, xmp=packet)
    write_tiff16(tmp_path / "a.tif", noise(), profile=PROFILE, xmp=packet)
    for name in ("a.png", "a.tif"):
        with Pillow.open(tmp_path / name) as picture:
            assert picture.info["xmp"] == packet
            assert picture.info["icc_profile"] == PROFILE
        np.testing.assert_array_equal(read_sixteen(tmp_path / name), noise())


def test_grey_of_sixteen_bits(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), np.ascontiguousarray(noise()[..., 0]))
    (frame,) = frames(tmp_path / "in.png")
    np.testing.assert_array_equal(full(frame)[..., 1], noise()[..., 0])


def test_other_channels_are_told(tmp_path: Path) -> None:
    write_exr(tmp_path / "in.exr", light(), alpha=True)
    data = (tmp_path / "in.exr").read_bytes()
    # the channel list says A, B, G, R; with another name in the place of A it has the same layout
    (tmp_path / "in.exr").write_bytes(data.replace(b"A\0", b"1\0", 1))
    notes: list[str] = []
    with open_writer(tmp_path / "out.exr", probe(tmp_path / "in.exr"), note=notes.append) as writer:
        for frame in frames(tmp_path / "in.exr"):
            writer.write(frame)
    assert any("not 1" in line for line in notes)
    np.testing.assert_array_equal(read_exr(tmp_path / "out.exr")[..., :3], light()[..., :3])


def test_sixteen_bits_become_eight_where_the_format_holds_eight(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), bgr(noise()))
    with open_writer(tmp_path / "out.bmp", probe(tmp_path / "in.png")) as writer:
        writer.write(next(frames(tmp_path / "in.png")))
    (frame,) = frames(tmp_path / "out.bmp")
    np.testing.assert_array_equal(frame.image, noise() >> 8)
    assert frame.deep is None

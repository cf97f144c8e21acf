"""More than 8 bits a colour: what nobody touched comes back with all of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from video_media import copy

from bianlian.types import Frame
from bianlian.video import Encoding, VideoWriter, frames, probe
from bianlian.video.deep import as_light, as_uint16, full, lay, to_light, to_screen, view

W, H = 64, 48
BASE = Fraction(1, 25)


def planes(index: int, pixel_format: str) -> list[NDArray[np.uint16]]:
    """Planes of a soft picture in 10 bits, all values inside the limited range and the gamut."""
    w, h = (W if "444" in pixel_format else W // 2), (H // 2 if "420" in pixel_format else H)
    y, x = np.mgrid[0:H, 0:W]
    v, u = np.mgrid[0:h, 0:w]
    # 3 grey levels of 10 bits a column: 8 bits could not tell neighbours apart
    luma = 400 + 3 * x + y + index
    return [p.astype(np.uint16) for p in (luma, 490 + u * 40 // w + v * 0, 505 + v * 30 // h + u * 0)]


Tags = tuple[int, int, int, int]


def deep_video(path: Path, pixel_format: str = "yuv420p10le", color: Tags = (1, 1, 1, 1), count: int = 3) -> Path:
    """Write a lossless 10-bit video. color: range, primaries, transfer, matrix."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25, width=W, height=H, pix_fmt=pixel_format)
        context = stream.codec_context
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = color
        for index in range(count):
            frame = av.VideoFrame(W, H, pixel_format)
            for plane, values in zip(frame.planes, planes(index, pixel_format), strict=True):
                rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                rows[:, : plane.width] = values
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = index, BASE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def stored(path: Path) -> list[list[NDArray[np.int32]]]:
    """Planes of every frame as they are in the file."""
    with av.open(str(path)) as source:
        return [
            [np.frombuffer(bytes(p), np.uint16).reshape(p.height, -1)[:, : p.width].astype(np.int32) for p in frame.planes]
            for frame in source.decode(video=0)
        ]


@pytest.mark.parametrize(("pixel_format", "chroma"), [("yuv420p10le", 1.0), ("yuv422p10le", 1.0), ("yuv444p10le", 0.0)])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_frames_that_nobody_touched_keep_their_ten_bits(tmp_path: Path, pixel_format: str, chroma: float, matrix: int) -> None:
    source = deep_video(tmp_path / "in.mkv", pixel_format, (1, 1, 1, matrix))
    assert copy(source, tmp_path / "out.mkv", Encoding("ffv1", pixel_format="gbrp16le")) == []
    # back into the source's own kind of YUV
    copy(tmp_path / "out.mkv", tmp_path / "b.mkv", Encoding("ffv1", pixel_format="gbrp16le"))
    for a, b in zip(frames(tmp_path / "out.mkv"), frames(tmp_path / "b.mkv"), strict=True):
        np.testing.assert_array_equal(full(a), full(b))
    like = probe(source)
    with VideoWriter(tmp_path / "yuv.mkv", like, Encoding("ffv1", pixel_format=pixel_format)) as writer:
        for frame in frames(source):
            assert frame.deep is not None
            writer.write(frame)
    for before, after in zip(stored(source), stored(tmp_path / "yuv.mkv"), strict=True):
        assert np.abs(before[0] - after[0]).max() == 0  # luma: every code of 10 bits is the old one
        assert max(np.abs(x - y).max() for x, y in zip(before[1:], after[1:], strict=True)) <= chroma


def test_the_deep_picture_and_its_view_agree(tmp_path: Path) -> None:
    for frame in frames(deep_video(tmp_path / "in.mkv")):
        assert frame.deep is not None
        deep = frame.deep.read()
        assert deep.dtype == np.uint16
        assert np.abs(deep / 257 - frame.image).max() <= 1.5
        assert len(np.unique(deep[..., 1])) > 1.5 * len(np.unique(frame.image[..., 1]))


@pytest.mark.parametrize("full_range", [False, True])
def test_white_and_black_are_white_and_black(tmp_path: Path, full_range: bool) -> None:
    low, high = (0, 1023) if full_range else (64, 940)
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=25, width=W, height=H, pix_fmt="yuv444p10le")
        stream.codec_context.color_range, stream.codec_context.colorspace = (2 if full_range else 1), 1
        frame = av.VideoFrame(W, H, "yuv444p10le")
        for k, plane in enumerate(frame.planes):
            values = np.full((plane.height, plane.line_size // 2), 512, np.uint16)
            if k == 0:
                values[:24], values[24:] = low, high
            plane.update(values.tobytes())
        frame.pts, frame.time_base = 0, BASE
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    (read,) = frames(tmp_path / "in.mkv")
    deep = full(read)
    assert abs(int(deep[0, 0, 1])) <= 32
    assert abs(int(deep[40, 0, 1]) - 65535) <= 32
    copy(tmp_path / "in.mkv", tmp_path / "out.mkv", Encoding("ffv1", pixel_format="yuv444p10le"))
    luma = stored(tmp_path / "out.mkv")[0][0]
    assert (int(luma[0, 0]), int(luma[40, 0])) == (low, high)


def test_only_changed_pixels_change_and_keep_what_eight_bits_cut_off(tmp_path: Path) -> None:
    source = deep_video(tmp_path / "in.mkv", count=1)
    (frame,) = frames(source)
    image = frame.image.copy()
    image[10:20, 10:30] += 20
    before, after = full(frame), full(replace(frame, image=image))
    changed = np.zeros((H, W), bool)
    changed[10:20, 10:30] = True
    np.testing.assert_array_equal(after[~changed], before[~changed])
    # 20 grey levels of 8 bits are 20 * 257 of 16; what the old value had below a grey level stays
    np.testing.assert_allclose(after[changed].astype(int) - before[changed], 20 * 257, atol=1)


@pytest.mark.parametrize(
    ("codec", "suffix", "expected"),
    [
        ("auto", ".mp4", ("hevc", "yuv420p10le")),
        ("prores", ".mov", ("prores", "yuv422p10le")),
        ("av1", ".mkv", ("av1", "yuv420p10le")),
    ],
)
def test_ten_bits_and_hdr_tags_go_out(tmp_path: Path, codec: str, suffix: str, expected: tuple[str, str]) -> None:
    source = deep_video(tmp_path / "in.mkv", color=(1, 9, 16, 9))  # BT.2020, PQ
    assert copy(source, tmp_path / f"out{suffix}", Encoding(codec, crf=4)) == []
    info, old = probe(tmp_path / f"out{suffix}"), probe(source)
    assert (info.codec, info.pixel_format, info.bits) == (*expected, 10)
    assert (info.color.primaries, info.color.transfer, info.color.matrix) == (9, 16, 9)
    assert old.color == info.color
    error = [np.abs(a[0] - b[0]).mean() for a, b in zip(stored(source), stored(tmp_path / f"out{suffix}"), strict=True)]
    assert max(error) < 2  # of 1023; 8 bits alone would leave 1 on average, and the codec takes its share


def test_linear_light_and_its_view() -> None:
    light = np.array([[[0.0, 0.0031308, 0.5], [1.0, 4.0, -0.25], [0.18, 0.9, 0.02]]], np.float32)
    # IEC 61966-2-1 by hand: 0.5 -> 1.055 * 0.5 ** (1 / 2.4) - 0.055 = 0.7354, 0.18 -> 0.4614
    np.testing.assert_allclose(to_screen(light)[0, :, 2], [0.7354, -0.5371, 0.1517], atol=2e-4)
    assert to_screen(light)[0, 2, 0] == pytest.approx(0.4614, abs=1e-4)
    np.testing.assert_allclose(to_light(to_screen(light)), light, rtol=1e-5, atol=1e-7)
    assert view(light).tolist() == [[[0, 10, 188], [255, 255, 0], [118, 243, 39]]]  # 0.0200 -> 38.7
    np.testing.assert_allclose(as_light(as_uint16(np.clip(light, 0, 1))), np.clip(light, 0, 1), atol=3e-5)


def test_light_that_no_screen_shows_stays_with_the_old_face_only() -> None:
    light = np.full((1, 4, 3), 4.0, np.float32)  # a lamp, four times white
    shown = view(light)
    image = shown.copy()
    image[0, 1], image[0, 2], image[0, 3] = 254, 255 - 16, 100
    out = lay(light, shown, image)
    np.testing.assert_array_equal(out[0, 0], light[0, 0])  # untouched
    assert (out[0, 1] > 3).all()  # hardly changed: still a lamp
    assert (out[0, 1] > out[0, 2]).all()
    assert ((out[0, 2] > 1) & (out[0, 2] < 4)).all()
    np.testing.assert_allclose(out[0, 3], to_light(np.array([100 / 255], np.float32))[0], rtol=5e-4)  # another face: its own level


def test_no_number_in_a_picture_stays_where_nobody_touched_it() -> None:
    light = np.zeros((1, 2, 3), np.float32)
    light[0, 0] = np.nan
    shown = view(light)
    image = shown.copy()
    image[0, 1] = 128
    out = lay(light, shown, image)
    assert np.isnan(out[0, 0]).all()
    np.testing.assert_allclose(out[0, 1], to_light(np.array([128 / 255], np.float32))[0], rtol=5e-4)  # a half of 11 bits


def test_eight_bits_have_no_deep_picture() -> None:
    frame = Frame(np.full((4, 4, 3), 7, np.uint8), 0)
    assert full(frame) is frame.image
    assert (as_uint16(frame.image) == 7 * 257).all()

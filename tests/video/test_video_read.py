from __future__ import annotations

import tracemalloc
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow
from video_media import H, W, make_video, marked, still, times

from bianlian.errors import ConfigError, VideoError
from bianlian.video import frames, probe
from bianlian.video.color import FULL, ColorTags, conversion_of

NTSC = Fraction(1, 30000)
MS = Fraction(1, 1000)


@pytest.mark.parametrize(
    ("suffix", "pts", "time_base"),
    [
        (".mp4", [i * 512 for i in range(12)], Fraction(1, 12800)),
        (".mp4", [i * 1001 for i in range(12)], NTSC),
        (".mp4", [500 + i * 1001 for i in range(12)], NTSC),
        (".mp4", [3, 10, 11, 40, 41, 90], MS),
        (".mkv", [33, 66, 100, 133, 167, 250], MS),
    ],
)
def test_frames_have_the_ticks_of_the_file(tmp_path: Path, suffix: str, pts: list[int], time_base: Fraction) -> None:
    read = list(frames(make_video(tmp_path / f"a{suffix}", pts, time_base)))
    assert [f.pts for f in read] == pts
    assert {f.time_base for f in read} == {time_base}
    assert [f.index for f in read] == list(range(len(pts)))


@pytest.mark.parametrize(
    ("every", "start", "stop", "indices"),
    [
        (1, None, None, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (4, None, None, [0, 4, 8]),
        (1, Fraction(3, 25), Fraction(6, 25), [3, 4, 5]),
        (2, Fraction(3, 25), None, [4, 6, 8]),
        (1, Fraction(9), None, []),
    ],
)
def test_index_counts_every_frame_of_the_file(
    tmp_path: Path, every: int, start: Fraction | None, stop: Fraction | None, indices: list[int]
) -> None:
    path = make_video(tmp_path / "a.mp4", range(10))
    assert [f.index for f in frames(path, every=every, start=start, stop=stop)] == indices


def test_every_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="every"):
        frames(tmp_path, every=0)


def test_avi_without_presentation_times(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", range(6), codec="mpeg4")
    assert [f.seconds for f in frames(path)] == [Fraction(i, 25) for i in range(6)]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_convention_frames_are_upright(tmp_path: Path, turn: int, mirror: bool) -> None:
    # The player turns the stored picture counter-clockwise by ``turn`` and mirrors it: store the inverse of that.
    stored = np.ascontiguousarray(np.rot90(marked()[:, ::-1] if mirror else marked(), -turn // 90))
    path = make_video(tmp_path / "a.mp4", [0], images=[stored], turn=turn, mirror=mirror)
    image = next(frames(path)).image
    assert image.shape == (H, W, 3)
    corners = [image[8, 8], image[8, -8], image[-8, 8]]
    assert [int(np.argmax(c)) for c in corners] == [0, 1, 2]


def _yuv(rgb: tuple[int, int, int], kr: float, kb: float, full: bool) -> tuple[int, int, int]:
    r, g, b = (v / 255 for v in rgb)
    y = kr * r + (1 - kr - kb) * g + kb * b
    u, v = (b - y) / 2 / (1 - kb), (r - y) / 2 / (1 - kr)
    scaled = (255 * y, 128 + 255 * u, 128 + 255 * v) if full else (16 + 219 * y, 128 + 224 * u, 128 + 224 * v)
    return tuple(min(255, max(0, round(s))) for s in scaled)  # type: ignore[return-value]


# (Kr, Kb) of ITU-R BT.601, BT.709 and BT.2020
@pytest.mark.parametrize(
    ("pixel_format", "size", "tags", "kr", "kb", "full"),
    [
        ("yuv420p", (W, H), (1, 5), 0.299, 0.114, False),
        ("yuv420p", (W, H), (1, 6), 0.299, 0.114, False),
        ("yuv420p", (W, H), (1, 1), 0.2126, 0.0722, False),
        ("yuv420p", (W, H), (2, 1), 0.2126, 0.0722, True),
        ("yuvj420p", (W, H), (2, 5), 0.299, 0.114, True),
        ("yuv444p", (W, H), (1, 9), 0.2627, 0.0593, False),
        ("yuv420p", (W, H), (0, 2), 0.299, 0.114, False),  # untagged and small: BT.601
        ("yuv420p", (1280, 16), (0, 2), 0.2126, 0.0722, False),  # untagged and HD: BT.709
    ],
)
@pytest.mark.parametrize("rgb", [(200, 30, 60), (10, 200, 90), (255, 255, 255), (0, 0, 0)])
def test_convention_colors(
    tmp_path: Path,
    pixel_format: str,
    size: tuple[int, int],
    tags: tuple[int, int],
    kr: float,
    kb: float,
    full: bool,
    rgb: tuple[int, int, int],
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, width=size[0], height=size[1], pix_fmt=pixel_format, options={"qp": "0"})
        stream.codec_context.color_range, stream.codec_context.colorspace = tags
        picture = av.VideoFrame(*size, pixel_format)
        for plane, value in zip(picture.planes, _yuv(rgb, kr, kb, full), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        out.mux(stream.encode(picture))
        out.mux(stream.encode())
    image = next(frames(path)).image
    # YUV in 8 bits holds a colour to about 2 of 255.
    assert np.abs(image.astype(int) - rgb).max() <= 2
    rough = next(frames(path, rough=True)).image
    assert rough.shape == image.shape
    # And a rough reading is a level or two further off.
    assert np.abs(rough.astype(int) - rgb).max() <= 4


def test_ten_bits_are_read_as_eight(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", [0], images=[np.full((H, W, 3), 100, np.uint8)], pixel_format="yuv420p10le")
    assert np.abs(next(frames(path)).image.astype(int) - 100).max() <= 2


def test_grey_is_full_range_unless_it_says_otherwise() -> None:
    assert conversion_of(ColorTags(), "gray", W, H).range == FULL
    assert conversion_of(ColorTags(range=1), "gray", W, H).range != FULL


def test_a_new_size_midway_is_scaled_and_told_once_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=25, width=W, height=H, pix_fmt="yuvj420p")
        out.start_encoding()
        for index, (w, h) in enumerate([(W, H), (W, H), (32, 24), (32, 24), (W, H)]):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = w, h, "yuvj420p"
            encoder.time_base = Fraction(1, 25)
            for packet in encoder.encode(av.VideoFrame.from_ndarray(still(index, w, h), "rgb24")):
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 25)
                out.mux(packet)
    told: list[str] = []
    read = list(frames(path, damaged=told.append))
    assert {f.image.shape for f in read} == {(H, W, 3)}
    assert [line.split(":")[0] for line in told] == [
        "from frame 2 on the picture is 32 x 24",
        f"from frame 4 on the picture is {W} x {H}",
    ]


def _damage(path: Path, broken: list[int]) -> None:
    """Overwrite the whole contents of some video packets."""
    with av.open(str(path)) as source:
        contents = [bytes(p) for p in source.demux(video=0) if p.size]
    data = path.read_bytes()
    for index in broken:
        assert data.count(contents[index]) == 1
        data = data.replace(contents[index], b"\xff" * len(contents[index]))
    path.write_bytes(data)


def test_damaged_packets_are_skipped_and_told(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mov", range(0, 400, 40), MS, codec="png", pixel_format="rgb24")
    _damage(path, [2, 5])
    told: list[str] = []
    read = list(frames(path, damaged=told.append))
    assert [f.index for f in read] == list(range(8))
    assert [f.pts for f in read] == [0, 40, 120, 160, 240, 280, 320, 360]
    assert len(told) == 2
    assert "after frame 2" in told[0]


def test_a_file_without_one_sound_frame_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mov", [0, 40], MS, codec="png", pixel_format="rgb24")
    _damage(path, [0, 1])
    with pytest.raises(VideoError, match="not one frame"):
        list(frames(path))
    with pytest.raises(VideoError, match="not one frame"):
        probe(path)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_a_cut_file_gives_what_is_there_and_tells(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, H, W, 3), dtype=np.uint8)
    options = {"movflags": "+faststart"} if suffix == ".mp4" else {}
    path = make_video(tmp_path / f"a{suffix}", range(20), images=list(noise), codec="mpeg4", options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    told: list[str] = []
    read = list(frames(path, damaged=told.append))
    assert 3 <= len(read) <= 15
    assert any("the end is missing" in line for line in told)


def test_a_whole_file_tells_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    for suffix in (".mkv", ".mp4", ".avi", ".mov"):
        list(frames(make_video(tmp_path / f"a{suffix}", codec="mpeg4", tones=[("ac3", "eng")]), damaged=told.append))
    assert told == []


def test_reading_does_not_gather_frames(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", range(60), images=[still(0, 320, 240)] * 60)
    tracemalloc.start()
    for _ in frames(path):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 320 * 240 * 3


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_pictures(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Pillow.fromarray(np.full((H, W, 3), (200, 30, 60), np.uint8)).save(path)
    (frame,) = frames(path)
    assert (frame.image.shape, frame.index, frame.pts, frame.time_base) == ((H, W, 3), 0, None, None)
    assert np.abs(frame.image.astype(int) - (200, 30, 60)).max() <= 4


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "I;16", "CMYK", "1"])
def test_picture_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    if mode == "I;16":
        Pillow.fromarray(np.full((H, W), 0xFFFF, np.uint16)).save(path)
    else:
        Pillow.new("RGB", (W, H), (255, 255, 255)).convert(mode).save(path)
    (frame,) = frames(path)
    assert (frame.image >= 254).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_convention_exif_orientation(tmp_path: Path, orientation: int) -> None:
    # EXIF: how to store an upright picture so that the flag turns it back.
    m = marked()
    stored = {1: m, 2: m[:, ::-1], 3: m[::-1, ::-1], 4: m[::-1], 5: m.swapaxes(0, 1)}
    stored |= {6: np.rot90(m), 7: m[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(m, -1)}
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(np.ascontiguousarray(stored[orientation])).save(tmp_path / "a.png", exif=exif)
    (frame,) = frames(tmp_path / "a.png")
    np.testing.assert_array_equal(frame.image, m)


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    # a PNG header that promises 20 000 x 10 000 pixels, 8 bits, RGB
    header = b"IHDR" + (20_000).to_bytes(4, "big") + (10_000).to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    chunk = (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + bytes(4) + b"IDAT" + bytes(4))
    with pytest.raises(VideoError, match="178 million"):
        list(frames(tmp_path / "bomb.png"))


def test_folders_are_read_in_natural_order_past_broken_pictures(tmp_path: Path) -> None:
    for name, grey in (("10.png", 10), ("9.png", 9), ("1.png", 1)):
        Pillow.new("RGB", (W, H), (grey,) * 3).save(tmp_path / name)
    (tmp_path / "2.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "notes.txt").write_text("no picture")
    told: list[str] = []
    read = list(frames(tmp_path, damaged=told.append))
    assert [(f.index, int(f.image[0, 0, 0]), f.pts) for f in read] == [(0, 1, None), (2, 9, None), (3, 10, None)]
    assert len(told) == 1
    assert "2.png" in told[0]


def test_a_folder_of_broken_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(VideoError, match="none of the 1"):
        list(frames(tmp_path))


def test_one_frame_and_its_time(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [7])
    assert [f.seconds for f in frames(path)] == times(path) == [Fraction(7, 25)]

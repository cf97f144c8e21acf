from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from video_media import H, W, copy, make_video, marked, packets, still, times, video_duration

from bianlian.errors import OutputError
from bianlian.types import Frame
from bianlian.video import ColorTags, Encoding, VideoWriter, frames, open_writer, probe

NTSC, MS = Fraction(1, 30000), Fraction(1, 1000)


TIMES: list[tuple[str, Sequence[int], Fraction]] = [
    (".mp4", [i * 512 for i in range(30)], Fraction(1, 12800)),
    (".mp4", [i * 1001 for i in range(30)], NTSC),
    (".mp4", [500 + i * 1001 for i in range(12)], NTSC),
    (".mp4", [90007 + i * 1001 for i in range(12)], NTSC),
    (".mp4", [0, 1, 2, 3], Fraction(1, 25)),
    (".mp4", [3, 10, 11, 40, 41, 90, 91, 300], MS),
    (".mp4", [0], Fraction(1, 25)),
    (".mkv", [33, 66, 100, 133, 167, 250, 1300], MS),
    (".mkv", [0], MS),
    (".mov", [100, 203, 309, 500], Fraction(1, 600)),
]


@pytest.mark.parametrize(("suffix", "pts", "time_base"), TIMES)
def test_times_come_out_as_they_went_in(tmp_path: Path, suffix: str, pts: Sequence[int], time_base: Fraction) -> None:
    source = make_video(tmp_path / f"in{suffix}", pts, time_base)
    notes = copy(source, tmp_path / f"out{suffix}")
    written = list(frames(tmp_path / f"out{suffix}"))
    assert [f.pts for f in written] == list(pts)
    assert {f.time_base for f in written} == {time_base}
    assert times(tmp_path / f"out{suffix}") == [p * time_base for p in pts]
    assert notes == []


@pytest.mark.parametrize(("suffix", "pts", "time_base"), [t for t in TIMES if t[0] != ".mkv"])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_the_last_frame_keeps_its_duration(
    tmp_path: Path, suffix: str, pts: Sequence[int], time_base: Fraction, codec: str
) -> None:
    source = make_video(tmp_path / f"in{suffix}", pts, time_base, codec=codec)
    copy(source, tmp_path / f"out{suffix}")
    begin, last = min(p[1:] for p in packets(source, 0)), max(p[1:] for p in packets(source, 0))
    assert video_duration(tmp_path / f"out{suffix}") == last[0] + last[1] - begin[0]
    if codec == "mpeg4":  # without B-frames the source says its duration rightly itself
        assert video_duration(tmp_path / f"out{suffix}") == video_duration(source)


def test_mkv_takes_the_nearest_millisecond_and_says_so(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", [i * 1001 for i in range(9)], NTSC)
    notes = copy(source, tmp_path / "out.mkv")
    # nearest millisecond of i * 1001 / 30000 s
    assert times(tmp_path / "out.mkv") == [Fraction(round(Fraction(i * 1001, 30)), 1000) for i in range(9)]
    assert len(notes) == 1
    assert "1/1000" in notes[0]


def test_mkv_of_25_frames_a_second_is_exact_and_says_nothing(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", [i * 512 for i in range(9)], Fraction(1, 12800))
    assert copy(source, tmp_path / "out.mkv") == []
    assert times(tmp_path / "out.mkv") == [Fraction(i, 25) for i in range(9)]


@pytest.mark.parametrize(("first", "notes"), [(0, 0), (40, 1)])
def test_avi_starts_at_0(tmp_path: Path, first: int, notes: int) -> None:
    source = make_video(tmp_path / "in.mkv", [first + i * 40 for i in range(9)], MS)
    assert len(copy(source, tmp_path / "out.avi")) == notes
    assert [f.seconds for f in frames(tmp_path / "out.avi")] == [Fraction(i, 25) for i in range(9)]


def test_avi_refuses_what_it_cannot_time(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", [0, 1, 2, 900, 1800, 2700], MS)
    with pytest.raises(OutputError, match="comes sooner"):
        copy(source, tmp_path / "out.avi")


def test_a_start_before_0_is_moved_to_0(tmp_path: Path) -> None:
    like = probe(make_video(tmp_path / "in.mp4", [0, 1, 2, 3]))
    notes: list[str] = []
    with VideoWriter(tmp_path / "out.mp4", like, note=notes.append) as writer:
        for index, pts in enumerate([-2, -1, 1, 2]):
            writer.write(Frame(still(index), index, pts, Fraction(1, 25)))
    assert times(tmp_path / "out.mp4") == [Fraction(t, 25) for t in (0, 1, 3, 4)]
    assert len(notes) == 1


def test_frames_that_do_not_go_forward_are_moved_on(tmp_path: Path) -> None:
    like = probe(make_video(tmp_path / "in.mp4", [0, 1, 2, 3]))
    notes: list[str] = []
    with VideoWriter(tmp_path / "out.mp4", like, note=notes.append) as writer:
        for index, pts in enumerate([0, 1, 1, 0, 9]):
            writer.write(Frame(still(index), index, pts, Fraction(1, 25)))
    assert times(tmp_path / "out.mp4") == [Fraction(t, 25) for t in (0, 1, 2, 3, 9)]
    assert len(notes) == 1


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_upright_frames_are_written_without_a_rotation_flag(tmp_path: Path, turn: int) -> None:
    source = make_video(tmp_path / "in.mp4", [0, 1], images=[np.ascontiguousarray(np.rot90(marked(), -turn // 90))] * 2, turn=turn)
    copy(source, tmp_path / "out.mp4")
    info = probe(tmp_path / "out.mp4")
    assert (info.rotation, info.width, info.height) == (0, W, H)
    image = next(frames(tmp_path / "out.mp4")).image
    assert [int(np.argmax(c)) for c in (image[8, 8], image[8, -8], image[-8, 8])] == [0, 1, 2]


@pytest.mark.parametrize(
    ("pixel_format", "color"),
    [
        ("yuv420p", (1, 1, 1, 1)),
        ("yuv420p", (1, 6, 6, 6)),
        ("yuv420p", (1, 5, 6, 5)),
        ("yuvj420p", (2, 1, 13, 1)),
        ("yuvj420p", (2, 2, 2, 2)),
        ("yuv444p", (1, 9, 14, 9)),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_colors_and_their_tags_go_round(tmp_path: Path, suffix: str, pixel_format: str, color: tuple[int, int, int, int]) -> None:
    source = make_video(tmp_path / f"in{suffix}", color=color, pixel_format=pixel_format)
    target = tmp_path / f"out{suffix}"
    copy(source, target, Encoding(crf=1, pixel_format=pixel_format.replace("j", "")))
    assert probe(target).color == probe(source).color == ColorTags(*color)
    before, after = (np.stack([f.image for f in frames(p)]).astype(int) for p in (source, target))
    assert abs((after - before).mean()) < 0.5
    assert np.abs(after - before).mean() < 1.0


def test_a_generation_does_not_darken(tmp_path: Path) -> None:
    grey = [np.full((H, W, 3), g, np.uint8) for g in (16, 77, 128, 201, 240)]
    source = make_video(tmp_path / "0.mkv", images=grey, codec="ffv1")
    for generation in range(3):
        copy(tmp_path / f"{generation}.mkv", tmp_path / f"{generation + 1}.mkv", Encoding("ffv1", pixel_format="yuv420p"))
    for first, last in zip(frames(source), frames(tmp_path / "3.mkv"), strict=True):
        np.testing.assert_array_equal(first.image, last.image)


def test_ffv1_keeps_every_bit(tmp_path: Path) -> None:
    like = probe(make_video(tmp_path / "in.mkv", [0, 40, 80], MS))
    noise = np.random.default_rng(1).integers(0, 256, (3, H, W, 3), dtype=np.uint8)
    with VideoWriter(tmp_path / "out.mkv", like, Encoding("ffv1")) as writer:
        for index, image in enumerate(noise):
            writer.write(Frame(image, index, index * 40, MS))
    np.testing.assert_array_equal(np.stack([f.image for f in frames(tmp_path / "out.mkv")]), noise)


def test_rgb_sources_become_ordinary_yuv(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mov", images=[marked()] * 5, codec="png", pixel_format="rgb24")
    copy(source, tmp_path / "out.mp4", Encoding(crf=1))
    info = probe(tmp_path / "out.mp4")
    assert (info.pixel_format, info.color.range, info.color.matrix) == ("yuv420p", 1, 5)
    assert np.abs(next(frames(tmp_path / "out.mp4")).image[4:20, 4:28].astype(int) - (220, 30, 30)).mean() < 2


@pytest.mark.parametrize(
    ("codec", "suffix", "size"),
    [
        ("h264", ".mp4", (65, 47)),
        ("h264", ".mkv", (64, 47)),
        ("hevc", ".mp4", (65, 48)),
        ("vp9", ".webm", (65, 47)),
        ("ffv1", ".mkv", (65, 47)),
        ("av1", ".mp4", (64, 64)),
        ("h264", ".mov", (2, 2)),
    ],
)
def test_codecs_containers_and_odd_sizes(tmp_path: Path, codec: str, suffix: str, size: tuple[int, int]) -> None:
    source = make_video(tmp_path / "in.mkv", range(0, 200, 40), MS, images=[still(i, *size) for i in range(5)], codec="ffv1")
    notes = copy(source, tmp_path / f"out{suffix}", Encoding(codec))
    info = probe(tmp_path / f"out{suffix}")
    assert (info.width, info.height, info.codec) == (*size, codec)
    assert times(tmp_path / f"out{suffix}") == [Fraction(i, 25) for i in range(5)]
    odd_for_h264 = codec in ("h264", "hevc") and (size[0] % 2 or size[1] % 2)
    assert len(notes) == int(bool(odd_for_h264))


def test_ten_bits_that_are_lost_are_told(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", pixel_format="yuv420p10le")
    assert any("10 bits" in line for line in copy(source, tmp_path / "out.mp4", Encoding("h264")))


def test_another_size_than_the_input(tmp_path: Path) -> None:
    like = probe(make_video(tmp_path / "in.mp4"))
    with VideoWriter(tmp_path / "out.mp4", like, size=(32, 16)) as writer:
        writer.write(Frame(still(0, 32, 16), 0, 0, Fraction(1, 25)))
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height) == (32, 16)


def test_a_frame_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    like = probe(make_video(tmp_path / "in.mp4"))
    with pytest.raises(OutputError, match="32 x 16, wanted 64 x 48"), VideoWriter(tmp_path / "out.mp4", like) as writer:
        writer.write(Frame(still(0, 32, 16), 0, 0, Fraction(1, 25)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4"]


def test_a_folder_becomes_a_video_at_its_rate(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(4):
        Pillow.fromarray(still(i)).save(folder / f"{i}.png")
    Pillow.fromarray(still(4, 30, 20)).save(folder / "4.png")
    (folder / "3.png").write_bytes(b"broken")
    notes: list[str] = []
    with open_writer(tmp_path / "out.mp4", probe(folder), note=notes.append, rate=Fraction(30000, 1001)) as writer:
        for frame in frames(folder, damaged=notes.append):
            writer.write(frame)
    assert times(tmp_path / "out.mp4") == [i * Fraction(1001, 30000) for i in range(4)]
    assert len(notes) == 2  # the broken picture, the other size

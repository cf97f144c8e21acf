"""Parts of an input: exact to the frame, beginning at 0, with their sound and subtitles."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow
from video_media import heard, make_video, packets, still, times, video_duration

from bianlian.errors import ConfigError
from bianlian.types import Image
from bianlian.video import Encoding, VideoWriter, find_span, frames, probe
from bianlian.video.span import Moment, Span, find_entry, frame_times, read_moment

MS = Fraction(1, 1000)
VFR = [0, 40, 80, 121, 160, 233, 240, 300, 420, 430, 470, 512, 560, 600, 644, 690, 760, 800, 811, 900]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("62.5", Moment(Fraction(125, 2))),
        ("62.5s", Moment(Fraction(125, 2))),
        ("01:02.5", Moment(Fraction(125, 2))),
        ("1:02:03.5", Moment(3600 + 123 + Fraction(1, 2))),
        ("0", Moment(Fraction(0))),
        ("120f", Moment(frame=120)),
    ],
)
def test_moments_are_read(text: str, expected: Moment) -> None:
    assert read_moment(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "0:61", "12x", "f", "1.5f", "1e3", "nan", "1:60.5"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="wanted a time such as"):
        read_moment(text)


def coded(path: Path, pts: list[int], *, keys: int = 6, opened: bool = False) -> Path:
    """Write H.264 with B-frames and a key frame every ``keys`` frames, the groups open or closed."""
    with av.open(str(path), "w") as out:
        params = f"keyint={keys}:min-keyint=1:scenecut=0:bframes=2:b-adapt=0:open-gop={int(opened)}"
        stream = out.add_stream("libx264", rate=25, width=64, height=48, options={"x264-params": params, "crf": "1"})
        stream.codec_context.time_base = stream.time_base = MS
        for k, tick in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(numbered(k), "rgb24")
            frame.pts, frame.time_base = tick, MS
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def numbered(index: int) -> Image:
    """A picture that says its number: a bar of that many steps of grey."""
    image = still(0)
    image[20:30] = 10 + 10 * index
    return image


def number(image: Image) -> int:
    return round((float(np.median(image[22:28])) - 10) / 10)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("opened", [False, True])
def test_a_part_holds_the_same_frames_as_the_whole(tmp_path: Path, suffix: str, opened: bool) -> None:
    path = coded(tmp_path / f"in{suffix}", VFR, opened=opened)
    everything = list(frames(path))
    assert [number(f.image) for f in everything] == list(range(20))
    assert frame_times(path) == [f.seconds for f in everything] == [t * MS for t in VFR]
    for k, (before, first) in enumerate(pairwise(VFR), 1):
        for start in (first * MS, (before + 1) * MS):  # at the frame, and just after the one before it
            part = list(frames(path, start=start, stop=Fraction(600, 1000)))
            assert [f.index for f in part] == list(range(k, 13))
            for frame in part:
                np.testing.assert_array_equal(frame.image, everything[frame.index].image)
                assert frame.pts == everything[frame.index].pts


def test_decoding_begins_at_the_last_key_frame(tmp_path: Path) -> None:
    path = coded(tmp_path / "in.mkv", VFR)
    entry = find_entry(path, 690 * MS)
    assert entry is not None
    assert (entry.pts, entry.frames) == (560, 12)
    assert find_entry(path, 100 * MS) is None  # the first group


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, range(20)),
        ("5f", "8f", [5, 6, 7]),
        ("0.233", "0.300", [5, 6]),
        ("0.234", None, range(6, 20)),
        (None, "3f", [0, 1, 2]),
        ("18f", "500f", [18, 19]),
        ("0:00.8", "0:01", [17, 18, 19]),
    ],
)
def test_spans_by_time_and_by_number(tmp_path: Path, start: str | None, end: str | None, expected: list[int]) -> None:
    late = [t + 500 for t in VFR]  # seconds count from the first frame, whatever the clock says there
    for pts in (VFR, late):
        path = coded(tmp_path / "in.mkv", pts)
        span = find_span(probe(path), start, end)
        assert [number(f.image) for f in frames(path, start=span.start, stop=span.stop)] == list(expected)


def test_spans_that_cannot_be(tmp_path: Path) -> None:
    info = probe(coded(tmp_path / "in.mkv", VFR))
    for start, end in (("20f", None), ("5f", "5f"), ("0.5", "0.4"), ("9", None), (None, "0f")):
        with pytest.raises(ConfigError, match="no frame of"):
            find_span(info, start, end)
    Pillow.fromarray(still(0)).save(tmp_path / "a.png")
    with pytest.raises(ConfigError, match="one picture"):
        find_span(probe(tmp_path / "a.png"), "1f", None)


def test_a_folder_has_frames_but_no_time(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(6):
        Pillow.fromarray(still(k)).save(folder / f"{k}.png")
    span = find_span(probe(folder), "2f", "4f")
    assert span == Span(Fraction(2), Fraction(4))
    assert [f.index for f in frames(folder, start=span.start, stop=span.stop)] == [2, 3]
    with pytest.raises(ConfigError, match="has no time"):
        find_span(probe(folder), "0.5", None)


def cut(source: Path, target: Path, start: str | None, end: str | None) -> list[str]:
    notes: list[str] = []
    span = find_span(probe(source), start, end)
    with VideoWriter(target, probe(source), Encoding(crf=1), note=notes.append, start=span.start, stop=span.stop) as writer:
        for frame in frames(source, start=span.start, stop=span.stop):
            writer.write(frame)
    return notes


@pytest.mark.parametrize(("suffix", "tone"), [(".mp4", "flac"), (".mkv", "flac"), (".mov", "pcm_s16le")])
def test_a_part_begins_at_zero_with_its_own_sound_and_subtitles(tmp_path: Path, suffix: str, tone: str) -> None:
    words = [(0, 900, "before and in"), (1000, 200, "within"), (1400, 900, "in and after"), (2600, 200, "after")]
    pts = list(range(0, 3000, 40))
    source = make_video(
        tmp_path / "in.mkv",
        pts,
        MS,
        images=[numbered(k % 24) for k in range(75)],
        tones=[(tone, "eng"), ("aac", "fra")],
        subtitles=words,
    )
    target = tmp_path / f"out{suffix}"
    notes = cut(source, target, "20f", "40f")  # 0.8 s to 1.6 s
    assert times(target) == [40 * k * MS for k in range(20)]
    assert [number(f.image) for f in frames(target)] == [k % 24 for k in range(20, 40)]
    assert (notes == []) == (suffix == ".mkv")  # the others convert the subtitles
    old, new = heard(source, 1), heard(target, 1)
    with av.open(str(target)) as written:
        sound = next(written.decode(audio=0))
        assert sound.pts is not None
        assert sound.time_base is not None
        first = sound.pts * sound.time_base
    # the sound that is heard at t in the part is the one at t + 0.8 s in the whole, to the step of the container's clock
    begin = round((first + Fraction(8, 10)) * 44100)
    assert -Fraction(1, 5) < first <= MS
    at = next(k for k in range(begin - 60, begin + 60) if np.array_equal(old[k : k + 2000], new[:2000]))
    assert abs(at - begin) <= 45
    # to a packet of compressed sound, to the sample of others
    assert abs(len(new) / 44100 + float(first) - 0.8) <= (0.2 if tone == "flac" else 2 / 44100)
    said = [(time, length) for text, time, length in packets(target, 3) if any(w.encode() in text for _, _, w in words)]
    assert said == [(0, MS * 100), (MS * 200, MS * 200), (MS * 600, MS * 200)]


def test_the_last_frame_of_a_part_keeps_its_duration(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", VFR, MS, codec="mpeg4")
    cut(source, tmp_path / "out.mp4", "3f", "8f")
    assert times(tmp_path / "out.mp4") == [(t - 121) * MS for t in VFR[3:8]]
    assert video_duration(tmp_path / "out.mp4") == (420 - 121) * MS  # frame 8 is at 420


def test_chapters_and_timecode_of_a_part(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", range(0, 3000, 40), MS)
    with av.open(str(source)) as given, av.open(str(tmp_path / "b.mkv"), "w") as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        stream.metadata["timecode"] = "01:00:00:00"
        spans = [(0, 500), (500, 1200), (1200, 3000), (2500, 3000)]
        out.set_chapters([{"id": k, "start": a, "end": b, "time_base": MS, "metadata": {}} for k, (a, b) in enumerate(spans, 1)])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    cut(tmp_path / "b.mkv", tmp_path / "out.mkv", "0.8", "1.6")
    with av.open(str(tmp_path / "out.mkv")) as written:
        found = [(c["start"] * (c["time_base"] or 0), c["end"] * (c["time_base"] or 0)) for c in written.chapters()]
        assert found == [(0, MS * 400), (MS * 400, MS * 800)]
        assert not any(k.lower() == "timecode" for k in written.streams.video[0].metadata)

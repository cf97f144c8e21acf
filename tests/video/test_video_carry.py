from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_media import copy, heard, make_video, packets, times

from bianlian.video import Encoding, probe

MS = Fraction(1, 1000)
LINES = [(0, 300, "one"), (400, 200, "two & <i>three</i>"), (900, 500, "four")]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_copied_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    pts = [i * 512 for i in range(50)]
    source = make_video(tmp_path / f"in{suffix}", pts, Fraction(1, 12800), tones=[("aac", "eng"), ("ac3", "fra")])
    target = tmp_path / f"out{suffix}"
    assert copy(source, target) == []
    for index in (1, 2):
        assert len(packets(source, index)) > 50
        assert packets(target, index) == packets(source, index)
        np.testing.assert_array_equal(heard(target, index), heard(source, index))
    assert [(s.codec, s.language) for s in probe(target).streams] == [("aac", "eng"), ("ac3", "fra")]


def test_sound_before_0_does_not_move_the_picture(tmp_path: Path) -> None:
    # AAC in MP4 begins one packet before 0; Matroska must not shift everything for it.
    source = make_video(tmp_path / "in.mp4", range(0, 800, 40), MS, tones=[("aac", "eng")])
    assert packets(source, 1)[0][1] < 0
    copy(source, tmp_path / "out.mkv")
    assert times(tmp_path / "out.mkv") == times(source)
    there, here = packets(source, 1), packets(tmp_path / "out.mkv", 1)
    assert [p[0] for p in here] == [p[0] for p in there]
    assert max(abs(a[1] - b[1]) for a, b in zip(here, there, strict=True)) <= MS / 2


def test_sound_and_picture_stay_in_step_when_a_start_is_moved(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", range(80, 880, 40), MS, tones=[("ac3", "eng")])
    notes = copy(source, tmp_path / "out.avi")
    assert len(notes) == 1
    # all is moved by 80 ms: the sound of the first 80 ms (2.3 packets of 1536 samples at 44.1 kHz) is left out
    assert [p[0] for p in packets(tmp_path / "out.avi", 1)] == [p[0] for p in packets(source, 1) if p[1] >= 80 * MS]


def test_subtitles_attachments_chapters_and_metadata_are_carried(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mkv", range(0, 1600, 40), MS, tones=[("flac", "eng")], subtitles=LINES, attachment=b"a font, say"
    )
    titled = tmp_path / "titled.mkv"
    with av.open(str(source)) as given, av.open(str(titled), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in given.streams}
        out.metadata["title"] = "a title"
        out.set_chapters([{"id": 1, "start": 0, "end": 500, "time_base": MS, "metadata": {"title": "begin"}}])
        for index, language in ((1, "eng"), (2, "deu")):
            streams[index].metadata["language"] = language
        for packet in given.demux(*[s for s in given.streams if s.type != "attachment"]):
            if packet.size:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    assert copy(titled, tmp_path / "out.mkv") == []
    assert packets(tmp_path / "out.mkv", 1) == packets(titled, 1)
    assert packets(tmp_path / "out.mkv", 2) == packets(titled, 2)
    with av.open(str(tmp_path / "out.mkv")) as written:
        assert written.metadata["title"] == "a title"
        assert [(c["start"] * (c["time_base"] or 0), c["end"] * (c["time_base"] or 0)) for c in written.chapters()] == [
            (0, MS * 500)
        ]
        assert [bytes(s.data) for s in written.streams if s.type == "attachment"] == [b"a font, say"]  # type: ignore[attr-defined]
        assert [s.metadata.get("language") for s in written.streams if s.type in ("audio", "subtitle")] == ["eng", "deu"]


@pytest.mark.parametrize(
    ("suffix", "codec", "encoding", "expected"),
    [
        (".mp4", "mov_text", Encoding(), [b"one", b"two & three", b"four"]),
        (".webm", "webvtt", Encoding("vp9"), [b"one", b"two & <i>three</i>", b"four"]),
    ],
)
def test_subtitles_are_converted_where_they_do_not_fit(
    tmp_path: Path, suffix: str, codec: str, encoding: Encoding, expected: list[bytes]
) -> None:
    source = make_video(tmp_path / "in.mkv", range(0, 1600, 40), MS, subtitles=LINES)
    notes = copy(source, tmp_path / f"out{suffix}", encoding)
    assert len(notes) == 1
    assert f"converted to {codec}" in notes[0]
    assert [(s.codec, s.language) for s in probe(tmp_path / f"out{suffix}").streams] == [(codec, "deu")]
    found = [p for p in packets(tmp_path / f"out{suffix}", 1) if len(p[0]) > 2]  # MP4 fills gaps with empty ones of 2 bytes
    assert [(round(p[1] * 1000), round(p[2] * 1000)) for p in found] == [(start, length) for start, length, _ in LINES]
    texts = [p[0][2:] if codec == "mov_text" else p[0] for p in found]
    assert [t.split(b"\x00")[0] for t in texts] == expected


def test_mp4_subtitles_go_to_mkv_and_avi_has_none(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", range(0, 1600, 40), MS, subtitles=LINES)
    copy(source, tmp_path / "a.mp4")
    copy(tmp_path / "a.mp4", tmp_path / "b.mkv")
    assert [p[0] for p in packets(tmp_path / "b.mkv", 1)] == [text.encode() for _, _, text in LINES]
    notes = copy(source, tmp_path / "c.avi")
    assert len(notes) == 1
    assert "left out" in notes[0]
    assert probe(tmp_path / "c.avi").streams == ()


@pytest.mark.parametrize(
    ("tone", "suffix", "encoding", "codec"),
    [
        ("pcm_s16le", ".webm", Encoding("vp9"), "opus"),
        ("aac", ".avi", Encoding(), "mp3"),
        ("aac", ".webm", Encoding("vp9"), "opus"),
    ],
)
def test_sound_is_encoded_anew_where_it_does_not_fit(
    tmp_path: Path, tone: str, suffix: str, encoding: Encoding, codec: str
) -> None:
    source = make_video(tmp_path / "in.mkv", range(0, 1600, 40), MS, tones=[(tone, "eng")])
    notes = copy(source, tmp_path / f"out{suffix}", encoding)
    assert len(notes) == 1
    assert "encoded anew" in notes[0]
    (stream,) = probe(tmp_path / f"out{suffix}").streams
    assert (stream.kind, stream.codec, stream.channels) == ("audio", codec, 1)
    last = packets(tmp_path / f"out{suffix}", 1)[-1]
    # 1.6 s of sound, to a packet or two (of at most 1152 samples) at either end
    assert abs(last[1] + last[2] - Fraction(16, 10)) < Fraction(4 * 1152, 44100)
    samples = heard(tmp_path / f"out{suffix}", 1)
    assert 0.15 < float(np.sqrt((samples**2).mean())) < 0.25  # a sine of height 0.3: 0.3 / sqrt 2 = 0.21


def test_a_film_without_sound(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4")
    assert copy(source, tmp_path / "out.mkv") == []
    assert probe(tmp_path / "out.mkv").streams == ()


def test_sound_is_interleaved_with_the_picture(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", range(0, 4000, 40), MS, tones=[("aac", "eng")])
    copy(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as written:
        order = [(p.stream_index, float(p.dts * p.time_base)) for p in written.demux() if p.dts is not None]
    ahead = [time - max(t for i, t in order[: n + 1] if i == 0) for n, (index, time) in enumerate(order) if index == 1 and n > 5]
    assert max(abs(a) for a in ahead) < 0.5


def test_other_streams_are_left_out_and_told(tmp_path: Path) -> None:
    source = make_video(tmp_path / "one.mkv", range(0, 400, 40), MS)
    with av.open(str(source)) as given, av.open(str(tmp_path / "two.mkv"), "w") as out:
        stream = given.streams.video[0]
        first, second = (out.add_stream_from_template(stream) for _ in range(2))
        for packet in given.demux(stream):
            if packet.size:
                packet.stream = first
                out.mux(packet)
                packet.stream = second
                out.mux(packet)
    notes = copy(tmp_path / "two.mkv", tmp_path / "out.mkv")
    assert len(notes) == 1
    assert "video stream 1 (h264)" in notes[0]
    assert len(times(tmp_path / "out.mkv")) == 10


def test_chapters_go_through_mp4_without_a_note(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", range(0, 1600, 40), MS, tones=[("aac", "eng")])
    with av.open(str(source)) as given, av.open(str(tmp_path / "a.mp4"), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in given.streams}
        out.set_chapters([{"id": 1, "start": 0, "end": 500, "time_base": MS, "metadata": {"title": "begin"}}])
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    assert copy(tmp_path / "a.mp4", tmp_path / "b.mp4") == []
    with av.open(str(tmp_path / "b.mp4")) as written:
        assert [c["metadata"]["title"] for c in written.chapters()] == ["begin"]

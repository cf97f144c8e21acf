from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow
from video_media import H, W, make_video, still

from bianlian.errors import VideoError
from bianlian.video import ColorTags, probe


def test_probe_says_what_a_video_holds(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "a.mkv", [0, 40, 80, 120, 160], Fraction(1, 1000), color=(1, 1, 1, 1), tones=[("aac", "eng"), ("flac", "fra")]
    )
    info = probe(path)
    assert (info.kind, info.width, info.height, info.codec, info.pixel_format, info.bits) == ("video", W, H, "h264", "yuv420p", 8)
    assert (info.time_base, info.average_rate, info.rotation) == (Fraction(1, 1000), Fraction(25), 0)
    assert info.color == ColorTags(range=1, primaries=1, transfer=1, matrix=1)
    assert [(s.kind, s.codec, s.language, s.rate, s.channels) for s in info.streams] == [
        ("audio", "aac", "eng", 44100, 1),
        ("audio", "flac", "fra", 44100, 1),
    ]


def test_probe_counts_frames_and_duration_of_an_mp4(tmp_path: Path) -> None:
    info = probe(make_video(tmp_path / "a.mp4", range(7)))
    assert (info.frames, info.duration) == (7, Fraction(7, 25))


@pytest.mark.parametrize(
    ("turn", "rotation", "size"),
    [
        (None, 0, (W, H)),
        (0, 0, (W, H)),
        (-90, 90, (H, W)),  # FFmpeg counts counter-clockwise
        (180, 180, (W, H)),
        (90, 270, (H, W)),
    ],
)
def test_probe_gives_the_upright_size(tmp_path: Path, turn: float | None, rotation: int, size: tuple[int, int]) -> None:
    info = probe(make_video(tmp_path / "a.mp4", turn=turn))
    assert (info.rotation, (info.width, info.height)) == (rotation, size)


def test_probe_turns_the_pixel_aspect_with_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, width=W, height=H, pix_fmt="yuv420p")
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(90)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(still(0), "rgb24")))
        out.mux(stream.encode())
    assert probe(path).sample_aspect == Fraction(3, 4)


def test_probe_of_a_picture_and_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "10.png").write_bytes(b"broken")
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(still(0)).save(tmp_path / "9.jpg", exif=exif)
    Pillow.fromarray(still(0)).save(tmp_path / "11.png")
    picture = probe(tmp_path / "9.jpg")
    assert (picture.kind, picture.width, picture.height, picture.codec, picture.frames) == ("image", H, W, "jpeg", 1)
    folder = probe(tmp_path)
    assert (folder.kind, folder.width, folder.height, folder.frames, folder.time_base) == ("folder", H, W, 3, None)


def _no_moov(folder: Path) -> Path:
    path = make_video(folder / "cut.mp4")
    path.write_bytes(path.read_bytes()[:600])
    return path


def _zero(folder: Path) -> Path:
    (folder / "zero.mp4").touch()
    return folder / "zero.mp4"


def _text(folder: Path) -> Path:
    (folder / "text.mp4").write_text("no video at all\n" * 50)
    return folder / "text.mp4"


def _playlist(folder: Path) -> Path:
    made = make_video(folder / "part.mp4")
    (folder / "list.mp4").write_text(f"ffconcat version 1.0\nfile {made.name}\n")
    return folder / "list.mp4"


def _sound_only(folder: Path) -> Path:
    with av.open(str(folder / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4096), np.float32), "fltp", "stereo")
        frame.sample_rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return folder / "sound.mp4"


def _empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def _bad_folder(folder: Path) -> Path:
    (folder / "bad").mkdir()
    (folder / "bad" / "a.png").write_bytes(b"x")
    return folder / "bad"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "none.mp4", "does not exist"),
        (lambda folder: folder / "none.png", "does not exist"),
        (_zero, "is empty"),
        (_text, "none that can be read"),
        (_no_moov, "cut off before its index"),
        (_playlist, "wanted a video"),
        (_sound_only, "no picture stream"),
        (_empty_folder, "has none"),
        (_bad_folder, "none of the 1"),
    ],
)
def test_probe_refuses_with_one_clear_line(tmp_path: Path, make: object, said: str) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    with pytest.raises(VideoError, match=said) as caught:
        probe(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from video_media import H, W, copy, make_video, still, times

from bianlian.errors import OutputError
from bianlian.types import Frame
from bianlian.video import Encoding, VideoWriter, frames, open_writer, probe
from bianlian.video import movie as movie_module

MS = Fraction(1, 1000)


@pytest.mark.parametrize("link", [None, "symlink", "hardlink"])
def test_the_input_is_never_overwritten(tmp_path: Path, link: str | None) -> None:
    source = make_video(tmp_path / "in.mp4")
    target = source
    if link is not None:
        target = tmp_path / "link.mp4"
        if link == "symlink":
            target.symlink_to(source)
        else:
            target.hardlink_to(source)
    before = source.read_bytes()
    with pytest.raises(OutputError, match="input itself"):
        VideoWriter(target, probe(source))
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "encoding", "said"),
    [
        ("out.wmv", Encoding(), ".mp4 .mov .mkv .webm .avi"),
        ("out", Encoding(), "no suffix"),
        ("out.webm", Encoding("h264"), "does not hold h264"),
        ("in.mp4/out.mp4", Encoding(), "a file, not a folder"),
        ("folder.mp4", Encoding(), "a folder has that name"),
        ("x" * 300 + "/a.mp4", Encoding(), "too long"),
    ],
)
def test_outputs_that_cannot_be(tmp_path: Path, name: str, encoding: Encoding, said: str) -> None:
    like = probe(make_video(tmp_path / "in.mp4"))
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match=said), VideoWriter(tmp_path / name, like, encoding):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    like = probe(make_video(tmp_path / "in.mp4"))
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="no permission"), VideoWriter(tmp_path / "shut" / "out.mp4", like):
        pass


def test_missing_folders_are_made_and_old_outputs_replaced(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4")
    target = tmp_path / "new" / "er" / "out.mp4"
    copy(source, target)
    target.write_bytes(b"old")
    copy(source, target)
    assert len(times(target)) == 5
    assert [p.name for p in target.parent.iterdir()] == ["out.mp4"]
    assert target.stat().st_mode & 0o777 == source.stat().st_mode & 0o777


def test_an_exception_leaves_nothing_and_keeps_the_old_output(tmp_path: Path) -> None:
    source, target = make_video(tmp_path / "in.mp4", tones=[("aac", "eng")]), tmp_path / "out.mp4"
    target.write_bytes(b"old")

    def stopped() -> None:
        with VideoWriter(target, probe(source)) as writer:
            writer.write(next(frames(source)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_no_frame_is_an_error(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4")
    with pytest.raises(OutputError, match="no frame came"), VideoWriter(tmp_path / "out.mp4", probe(source)):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4"]


def test_writing_outside_a_with_statement_is_refused(tmp_path: Path) -> None:
    like = probe(make_video(tmp_path / "in.mp4"))
    with pytest.raises(OutputError, match="with statement"):
        VideoWriter(tmp_path / "out.mp4", like).write(Frame(still(0), 0, 0, Fraction(1, 25)))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    source = make_video(tmp_path / "in.mkv", range(0, 1200, 40), MS, codec="ffv1")

    def full(path: Path) -> Path:
        part = path.with_name(f".part{path.suffix}")
        part.symlink_to("/dev/full")
        return part

    monkeypatch.setattr(movie_module, "new_part", full)
    with pytest.raises(OutputError, match="disk is full"):
        copy(source, tmp_path / f"out{suffix}", Encoding(crf=0))
    assert [p.name for p in tmp_path.iterdir()] == ["in.mkv"]


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits are set as on Linux")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_file_that_may_not_grow_is_one_clear_line(tmp_path: Path, suffix: str) -> None:
    noise: list[NDArray[np.uint8]] = list(np.random.default_rng(2).integers(0, 256, (20, H, W, 3), dtype=np.uint8))
    source = make_video(tmp_path / "in.mkv", range(0, 800, 40), MS, images=noise)
    program = f"""
import resource, sys
from pathlib import Path
from bianlian.errors import OutputError
from bianlian.video import VideoWriter, frames, probe
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
source = Path({str(source)!r})
try:
    with VideoWriter(source.with_name("out{suffix}"), probe(source)) as writer:
        for frame in frames(source):
            writer.write(frame)
except OutputError as error:
    sys.exit(str(error))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "larger than allowed" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.mkv"]


def test_mp4_begins_with_its_index(tmp_path: Path) -> None:
    copy(make_video(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_a_part_of_a_video_begins_at_zero_with_only_its_sound(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", range(50), tones=[("aac", "eng")])
    start, stop = Fraction(10, 25), Fraction(20, 25)
    with open_writer(tmp_path / "out.mp4", probe(source), start=start, stop=stop) as writer:
        for frame in frames(source, start=start, stop=stop):
            writer.write(frame)
    assert times(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(10)]
    with av.open(str(tmp_path / "out.mp4")) as written:
        heard = [p.pts * p.time_base for p in written.demux(audio=0) if p.pts is not None]
    packet = Fraction(1024, 44100)
    assert -packet < heard[0] <= 0
    assert stop - start - packet <= heard[-1] < stop - start

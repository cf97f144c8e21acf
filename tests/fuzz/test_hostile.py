"""Files made to do harm, one by one: bombs, endless files, links out, promises of any size."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from time import monotonic

import av
import numpy as np
import pytest
from fuzz_mutate import with_checksums
from fuzz_seeds import SEEDS, picture
from PIL import Image as Pillow

from bianlian.cli import main
from bianlian.errors import BianlianError, FacesetError, OutputError, RunError, TracksError, VideoError, one_line
from bianlian.faceset.curate import cache, ledger
from bianlian.faceset.header import Header
from bianlian.faceset.rewrite import rewrite
from bianlian.faceset.store import Faceset
from bianlian.faceset.writer import FacesetWriter
from bianlian.swap.tracks import read_tracks
from bianlian.train.checkpoint import load_checkpoint, newest, save_checkpoint
from bianlian.train.log import RunLog
from bianlian.train.run import open_run
from bianlian.types import silent
from bianlian.video import frames, probe
from bianlian.video.limits import LONGEST_SIDE, MOST_PIXELS

SMALL = 200 << 20
"""Bytes that refusing something may take."""


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG of 1 bit a pixel that promises any size."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", data or zlib.compress(bytes(20_000))), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + kind + d + b"0000" for kind, d in chunks)
    return with_checksums(b"\x89PNG\r\n\x1a\n" + body)


def wide_png(path: Path) -> None:
    path.with_suffix(".png").write_bytes(png(100_000, 100))


def huge_png(path: Path) -> None:
    path.with_suffix(".png").write_bytes(png(100_000, 100_000, zlib.compress(bytes(10_000_000), 1)))


def tall_tiff(path: Path) -> None:
    out = io.BytesIO()
    Pillow.new("L", (2, 2)).save(out, "TIFF")
    data = bytearray(out.getvalue())
    at = data.index(struct.pack("<HHII", 257, 4, 1, 2))  # ImageLength
    data[at + 8 : at + 12] = struct.pack("<I", 2_000_000_000)
    path.with_suffix(".tif").write_bytes(data)


def text_bomb(path: Path) -> None:
    words = b"Comment\x00\x00" + zlib.compress(bytes(20_000_000), 1)
    body = png(8, 8)
    chunk = struct.pack(">I", len(words)) + b"zTXt" + words + b"0000"
    path.with_suffix(".png").write_bytes(with_checksums(body[:33] + chunk + body[33:]))


def postscript(path: Path) -> None:
    path.with_suffix(".png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")


def big_frames(path: Path) -> None:
    with av.open(str(path.with_suffix(".mov")), "w") as out:
        stream = out.add_stream("png", rate=25, width=64, height=48, pix_fmt="rgb24")
        for k in range(2):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture(k, 64, 48), format="rgb24")))
        out.mux(stream.encode(None))
    file = path.with_suffix(".mov")
    file.write_bytes(file.read_bytes().replace(b"IHDR" + struct.pack(">II", 64, 48), b"IHDR" + struct.pack(">II", 60_000, 60_000)))


def playlist(path: Path) -> None:
    path.with_suffix(".mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")


def pipe(path: Path) -> None:
    os.mkfifo(path.with_suffix(".mp4"))


def picture_pipe(path: Path) -> None:
    os.mkfifo(path.with_suffix(".png"))


def endless(path: Path) -> None:
    path.with_suffix(".png").symlink_to("/dev/zero")


def endless_video(path: Path) -> None:
    path.with_suffix(".avi").symlink_to("/dev/zero")


MEDIA: list[Callable[[Path], None]] = [
    *(wide_png, huge_png, tall_tiff, text_bomb, postscript, big_frames, playlist),
    *(pipe, picture_pipe, endless, endless_video),
]


@pytest.mark.parametrize("make", MEDIA)
def test_media_that_would_harm_are_refused_at_once(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "bad")
    (path,) = tmp_path.iterdir()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, monotonic()
    for read in (probe, lambda p: list(frames(p))):
        with pytest.raises(VideoError, match="wanted a ") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < SMALL
    assert monotonic() - start < 30, "not refused but read"


def test_the_limits_of_a_picture_are_where_they_are_said_to_be(tmp_path: Path) -> None:
    for width, height, good in ((LONGEST_SIDE, 2, True), (LONGEST_SIDE + 1, 2, False), (13_500, 13_500, False)):
        (tmp_path / "p.png").write_bytes(png(width, height))
        assert (width * height <= MOST_PIXELS and max(width, height) <= LONGEST_SIDE) == good
        if good:
            assert (probe(tmp_path / "p.png").width, width) == (width, width)
        else:
            with pytest.raises(VideoError, match="scale it down first"):
                probe(tmp_path / "p.png")


def made(kind: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    SEEDS[kind](folder)
    return folder


def test_a_crop_that_unpacks_to_another_size_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    folder = made("faceset", tmp_path / "f")
    crop = folder / "crops" / "000000.png"
    out = io.BytesIO()
    Pillow.fromarray(picture()).save(out, "JPEG")
    data = bytearray(out.getvalue())
    at = data.index(b"\xff\xc0")  # the frame header: its height and width
    data[at + 5 : at + 9] = struct.pack(">HH", 12_000, 12_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb, size in ((bytes(data), "12000 x 12000"), (png(30_000, 30_000), "damaged"), (png(33, 32), "33 x 32")):
        crop.write_bytes(bomb)
        faceset = Faceset.open(folder)
        with pytest.raises(FacesetError, match=size):
            faceset.load_crop(next(faceset.records()))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < SMALL


def test_descriptions_that_promise_more_than_the_file_holds_are_no_descriptions(tmp_path: Path) -> None:
    folder = made("faceset", tmp_path / "f")
    found = cache.load(folder, silent)
    assert all(seen.who is not None for seen in found.values())
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 900000000000), }"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head + b"\n"
    (folder / "embeddings.npy").write_bytes(data + bytes(100))
    assert all(seen.who is None for seen in cache.load(folder, silent).values())


BIG = ["faceset.json", "faces.jsonl", "curation.json", "o.tracks.jsonl", "run.toml", "state.json", "metrics.jsonl"]


@pytest.mark.parametrize("name", BIG)
@pytest.mark.parametrize("way", ["sparse", "device", "pipe"])
def test_files_of_any_length_are_read_in_bounded_memory(name: str, way: str, tmp_path: Path) -> None:
    kind = {"o.tracks.jsonl": "tracks", "run.toml": "run", "state.json": "run", "metrics.jsonl": "run"}.get(name, "faceset")
    folder = made(kind, tmp_path / "f")
    (path,) = folder.rglob(name)
    path.unlink()
    if way == "sparse":
        with path.open("wb") as file:
            file.truncate(1 << 27 if name == "metrics.jsonl" else 1 << 33)
    elif way == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BianlianError) if (name, way) != ("metrics.jsonl", "sparse") else nullcontext():
        if kind == "faceset":
            cache.load(folder, silent)
            ledger.load(folder)
            Faceset.open(folder)
        elif kind == "tracks":
            read_tracks(path)
        elif name == "metrics.jsonl":
            RunLog(folder, 1).close()
        else:
            open_run(folder)
            load_checkpoint(newest(folder))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < SMALL


@pytest.mark.parametrize("rate", ["1e999999999", "9" * 400, "1/0", "25.0"])
def test_a_rate_of_a_billion_digits(rate: str, tmp_path: Path) -> None:
    path = made("tracks", tmp_path / "t") / "o.tracks.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(lines[0]), "rate": rate}), *lines[1:]]))
    with pytest.raises(TracksError, match="line 1: rate must be"):
        read_tracks(path)


def test_a_run_of_very_many_people_is_refused_before_their_networks_are_made(tmp_path: Path) -> None:
    folder = made("run", tmp_path / "r")
    text = (folder / "run.toml").read_text()
    more = "".join(f'\n[[people]]\nname = "p{k}"\nfaceset = "f"\n' for k in range(500))
    (folder / "run.toml").write_text(text + more)
    with pytest.raises(RunError, match="at most 64 people, got 502"):
        open_run(folder)


@pytest.mark.parametrize("name", ["../escape", "/etc", "a/b", ".hidden", "a\\b", "a\x1b[2J"])
def test_a_person_of_a_run_is_no_path(name: str, tmp_path: Path) -> None:
    folder = made("run", tmp_path / "r")
    text = (folder / "run.toml").read_text()
    (folder / "run.toml").write_text(text.replace('name = "ana"', f"name = {json.dumps(name)}"))
    with pytest.raises(RunError, match="a person's name must be"):
        open_run(folder)


@pytest.mark.parametrize("link", ["faces.jsonl", "inputs.jsonl"])
def test_a_faceset_does_not_write_through_a_link(link: str, tmp_path: Path) -> None:
    folder = made("faceset", tmp_path / "f")
    secret = tmp_path / "secret.txt"
    secret.write_bytes((folder / link).read_bytes())
    before = secret.read_bytes()
    (folder / link).unlink()
    (folder / link).symlink_to(secret)
    with pytest.raises(OutputError, match="it is a link"), FacesetWriter(folder, Header("ana", 32, format="png")):
        pass
    if link == "faces.jsonl":
        with pytest.raises(OutputError, match="it is a link"):
            rewrite(folder, {0: "by hand"})
    assert secret.read_bytes() == before


def test_a_run_neither_writes_nor_prunes_through_a_link(tmp_path: Path) -> None:
    folder = made("run", tmp_path / "r")
    photos = tmp_path / "photos"
    for year in ("2019", "2020", "2021"):
        (photos / year).mkdir(parents=True)
        (photos / year / "a.jpg").write_bytes(b"photo")
    saved = load_checkpoint(newest(folder))
    (folder / "checkpoints").rename(folder / "old")
    (folder / "checkpoints").symlink_to(photos)
    with pytest.raises(OutputError, match="it is a link"):
        save_checkpoint(folder, saved)
    for name in ("metrics.jsonl", "log"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(photos / "2019" / "new")
        with pytest.raises(OutputError, match="it is a link"):
            RunLog(folder, 1)
        (folder / name).unlink()
    assert sorted(p.name for p in photos.rglob("*")) == ["2019", "2020", "2021", "a.jpg", "a.jpg", "a.jpg"]


def test_what_a_file_says_cannot_command_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert one_line("a\nb\x1b[2J\u202ec\ud800") == "a\\nb\\x1b[2J\\u202ec\\ud800"
    folder = made("faceset", tmp_path / "f\x1b]0;owned\x07")
    header = json.loads((folder / "faceset.json").read_text())
    (folder / "faceset.json").write_text(json.dumps({**header, "person": "x\n\x1b[2J"}))
    assert main(["train", str(folder), "-o", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert "\x1b" not in said
    assert len(said.splitlines()) == 1
    assert main(["train", "f" * 5000, "-o", str(tmp_path / "run")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_weights_of_another_network_and_weights_that_are_no_numbers(tmp_path: Path) -> None:
    import torch

    from bianlian.train.checkpoint import fill

    network = torch.nn.Linear(2, 2)
    good = {k: v.clone() for k, v in network.state_dict().items()}
    for bad in ({}, {**good, "more": good["bias"]}, {**good, "bias": torch.zeros(3)}, {**good, "bias": torch.tensor([np.nan, 0])}):
        with pytest.raises(RunError, match="of another network or no numbers"):
            fill(network, bad, tmp_path)
    fill(network, good, tmp_path)

"""Whole swaps of what film brings: every kind of timing and track, deep colour, stills, and footage with something wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from film_scene import MS, Film, packets, shoot
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms
from swap_scene import HEIGHT, WIDTH, Same, Tint, movie, picture
from swap_scene import _red_world as _red_world

from bianlian.swap.pipeline import swap, tracks_path
from bianlian.swap.settings import SwapSettings
from bianlian.types import Image
from bianlian.video import Encoding, frames, probe
from bianlian.video.deep import full, to_light
from bianlian.video.exr import read_exr, write_exr
from bianlian.video.sixteen import read_sixteen, write_png16

pytestmark = pytest.mark.usefixtures("red_world")

PLAIN = SwapSettings(color="none", mask="hull", refine=0, shade=0, sharpen=0, grain=0, encoding=Encoding(crf=4))
NTSC = Fraction(1, 30000)
WORDS = ((0, 100, "one"), (120, 150, "two"))

FILMS = {
    "29.97": Film(".mp4", [1001 * k for k in range(8)], NTSC, tones=("eng",)),
    "vfr": Film(".mkv", [0, 40, 80, 121, 160, 233, 240, 300], tones=("eng",)),
    "vfr in mp4": Film(".mp4", [3, 10, 11, 40, 41, 90, 91, 300]),
    "rotated": Film(".mp4", range(0, 320, 40), turn=90, tones=("eng",)),
    "upside down": Film(".mov", range(0, 320, 40), turn=180),
    "10 bits": Film(".mkv", range(0, 320, 40), pixel_format="yuv420p10le", tones=("eng",)),
    "prores": Film(".mov", range(0, 320, 40), pixel_format="yuv422p10le", codec="prores_ks"),
    "two sounds": Film(".mp4", range(0, 320, 40), tones=("eng", "fra")),
    "subtitles": Film(".mkv", range(0, 320, 40), tones=("eng",), words=WORDS),
    "odd size": Film(".mkv", range(0, 320, 40), pixel_format="yuv444p"),
    "4 frames": Film(".mp4", range(0, 160, 40), tones=("eng",)),
    "1 frame": Film(".mp4", [0]),
    "1 frame in mkv": Film(".mkv", [80]),
    "no sound": Film(".mov", range(0, 320, 40)),
}


def seen(count: int, odd: bool = False) -> list[Image]:
    images = [picture((50 + 4 * k, 60), seed=k) for k in range(count)]
    return [np.ascontiguousarray(i[:-1, :-1]) for i in images] if odd else images


@pytest.mark.parametrize("name", FILMS)
def test_timing_and_tracks_of_every_kind_stay(tmp_path: Path, name: str) -> None:
    film = FILMS[name]
    target = shoot(tmp_path / f"in{film.suffix}", film, seen(len(film.pts), name == "odd size"))
    report = swap(target, Tint(), tmp_path / f"out{film.suffix}", PLAIN)
    assert (report.frames, report.swapped, report.skipped) == (len(film.pts), len(film.pts), ())
    old, new = list(frames(target)), list(frames(tmp_path / f"out{film.suffix}"))
    assert [f.seconds for f in new] == [f.seconds for f in old] == [p * film.base for p in film.pts]
    before, after = probe(target), probe(tmp_path / f"out{film.suffix}")
    assert (after.width, after.height, after.bits) == (before.width, before.height, before.bits)
    assert [(s.kind, s.codec, s.language) for s in after.streams] == [(s.kind, s.codec, s.language) for s in before.streams]
    for stream in after.streams:
        assert packets(tmp_path / f"out{film.suffix}", stream.index) == packets(target, stream.index)
    for a, b in zip(old, new, strict=True):
        away = np.abs(a.image[:, -30:].astype(int) - b.image[:, -30:])  # the face never comes there
        assert away.mean() < 2
        assert np.abs(a.image.astype(int) - b.image).max() > 90
    assert after.codec == {"10 bits": "hevc", "prores": "prores"}.get(name, "h264")


def test_ten_bits_that_nobody_touched_stay(tmp_path: Path) -> None:
    target = shoot(tmp_path / "in.mkv", FILMS["10 bits"], seen(8))
    swap(target, Tint(), tmp_path / "out.mkv", replace(PLAIN, encoding=Encoding("ffv1")))
    for a, b in zip(frames(target), frames(tmp_path / "out.mkv"), strict=True):
        assert b.deep is not None
        same = np.abs(full(a).astype(int) - full(b)).max(axis=2) == 0
        assert same[:, -30:].all()
        assert 0.5 < same.mean() < 0.95


def face(image: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the face of ``picture((80, 60))`` is: a disc in a box whose corners the jaw may reach, 24 * sqrt 2 away."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    return np.asarray((x - 80) ** 2 + (y - 60) ** 2 < 36**2)


@pytest.mark.parametrize("turn", [1, 6])
def test_a_deep_photo_with_orientation_profile_and_alpha(tmp_path: Path, turn: int) -> None:
    rng = np.random.default_rng(0)
    upright = picture((80, 60)).astype(np.uint16) * 257
    upright ^= rng.integers(0, 256, upright.shape, dtype=np.uint16)  # noise below 8 bits
    alpha = np.full((HEIGHT, WIDTH, 1), 65535, np.uint16)
    alpha[:, :10] = 1000
    stored = np.dstack([upright, alpha])
    stored = np.ascontiguousarray(np.rot90(stored)) if turn == 6 else stored
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Pillow.Exif()
    exif[0x0112], exif[0x010F] = turn, "Maker"
    write_png16(tmp_path / "in.png", stored, profile=profile, exif=exif.tobytes())
    report = swap(tmp_path / "in.png", Tint(), tmp_path / "out.png", PLAIN)
    assert report.swapped == 1
    new = read_sixteen(tmp_path / "out.png")
    away = ~face(upright)
    np.testing.assert_array_equal(new[away], np.dstack([upright, alpha])[away])
    np.testing.assert_array_equal(new[..., 3:], alpha)
    assert np.abs(new[60, 80, :3].astype(int) - upright[60, 80]).max() > 20000
    with Pillow.open(tmp_path / "out.png") as written:
        written.load()
        assert written.info["icc_profile"] == profile
        assert (written.getexif().get(0x0112, 1), written.getexif().get(0x010F)) == (1, "Maker")


def test_a_sequence_of_linear_light(tmp_path: Path) -> None:
    folder = tmp_path / "plates"
    folder.mkdir()
    lights = []
    for k in range(3):
        light = np.ones((HEIGHT, WIDTH, 4), np.float32)
        light[..., :3] = to_light(np.asarray(picture((80, 60), seed=k) / 255, np.float32))
        light[:20, :20, :3] = 7.5  # a lamp
        light[100:, :20, :3] = -0.02
        lights.append(light.astype(np.float16).astype(np.float32))
        write_exr(folder / f"p.{1001 + k}.exr", lights[-1], alpha=True)
    assert swap(folder, Tint(), tmp_path / "out", PLAIN).swapped == 3
    for k, old in enumerate(lights):
        new = read_exr(tmp_path / "out" / f"p.{1001 + k}.exr")
        away = ~face(old)
        np.testing.assert_array_equal(new[away], old[away])
        # the disc is (210, 60, 40); the model mirrors it to (45, 195, 215)
        np.testing.assert_allclose(new[60, 80, :3], to_light(np.array([45 / 255, 195 / 255, 215 / 255], np.float32)), rtol=0.06)


def test_a_model_that_changes_nothing_keeps_a_deep_face_deep(tmp_path: Path) -> None:
    image = np.minimum(picture((80, 60)), 250).astype(np.uint16) * 257
    image += np.random.default_rng(0).integers(0, 200, image.shape, dtype=np.uint16)  # less than a grey level of 8 bits
    write_png16(tmp_path / "in.png", image)
    swap(tmp_path / "in.png", Same(), tmp_path / "out.png", PLAIN)
    new = read_sixteen(tmp_path / "out.png")
    same = (new == image).all(axis=2)
    assert same[~face(image)].all()
    assert len(np.unique(new[face(image)][:, 0] % 257)) > 64  # finer than 8 bits in the face too


def test_a_target_that_changes_its_size_midway_goes_on(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        stream = out.add_stream("mjpeg", rate=25, width=WIDTH, height=HEIGHT, pix_fmt="yuvj444p")
        out.start_encoding()
        for k, image in enumerate(seen(6)):
            small = image if k < 3 else np.asarray(cv2.resize(image, (80, 60), interpolation=cv2.INTER_AREA), np.uint8)
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.height, encoder.width = small.shape[:2]
            encoder.pix_fmt, encoder.time_base = "yuvj444p", Fraction(1, 25)
            for packet in encoder.encode(av.VideoFrame.from_ndarray(small, "rgb24")):
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, k, k, Fraction(1, 25)
                out.mux(packet)
    for _ in range(2):  # the second time the tracks are there already
        report = swap(tmp_path / "in.mkv", Tint(), tmp_path / "out.mkv", PLAIN)
        assert (report.frames, report.swapped) == (6, 6)
        assert [n for n in report.notes if "80 x 60" in n] == [
            "from frame 3 on the picture is 80 x 60: scaled to the first frame's 160 x 120"
        ]


def test_damaged_packets_are_left_out_and_counted(tmp_path: Path) -> None:
    target = shoot(tmp_path / "in.mov", Film(".mov", range(0, 800, 40), codec="png", pixel_format="rgb24"), seen(20))
    data = target.read_bytes()
    for content, _ in packets(target, 0)[4:12]:
        at = data.index(content)
        data = data[:at] + b"\xff" * len(content) + data[at + len(content) :]
    target.write_bytes(data)
    report = swap(target, Tint(), tmp_path / "out.mov", PLAIN)
    assert (report.frames, report.swapped) == (12, 12)
    assert [f.pts for f in frames(tmp_path / "out.mov")] == [*range(0, 160, 40), *range(480, 800, 40)]
    damage = [n for n in report.notes if "cannot be decoded" in n or "could not be decoded" in n]
    assert len(damage) == 2  # the same place is named once
    assert "in all 8 packets could not be decoded" in damage[-1]


@pytest.mark.parametrize(("factor", "reason"), [(1.8, None), (6.0, "face much larger than the picture")])
def test_a_face_larger_than_the_frame(tmp_path: Path, factor: float, reason: str | None) -> None:
    target, out = movie(tmp_path / "in.mkv", [picture((80, 60), radius=56, seed=k) for k in range(4)]), tmp_path / "out.mkv"
    swap(target, Tint(), out, PLAIN)
    lines = tracks_path(out).read_text(encoding="utf-8").splitlines()
    for k in (2, 3):  # the face comes nearer: larger and larger than what is seen of it
        point = json.loads(lines[k + 1])
        marks = np.array(point["landmarks"])
        point["landmarks"] = ((marks - (80, 60)) * factor + (80, 60)).tolist()
        lines[k + 1] = json.dumps(point)
    tracks_path(out).write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = swap(target, Tint(), out, replace(PLAIN, smooth=0))
    assert report.frames == 4
    if reason is None:
        assert report.swapped == 4
    else:
        assert [(s.reason, s.frames, s.ranges) for s in report.skipped] == [(reason, 2, ((2, 3),))]
    assert [f.seconds for f in frames(out)] == [k * 40 * MS for k in range(4)]

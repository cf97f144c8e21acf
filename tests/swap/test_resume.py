"""A swap that is killed in the middle, and the same swap once more: what comes out is what one unbroken run makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from film_scene import Film, shoot
from swap_scene import RED, RedDetector, Tint, enter_red_world, movie, picture
from swap_scene import _red_world as _red_world

import bianlian
from bianlian import plugins
from bianlian.errors import OutputError
from bianlian.swap.pipeline import swap, tracks_path
from bianlian.swap.report import report_path
from bianlian.swap.settings import SwapSettings
from bianlian.swap.work import open_work, work_folder
from bianlian.types import Image, silent
from bianlian.video import Encoding, frames, probe

pytestmark = pytest.mark.usefixtures("red_world")

SETTINGS = SwapSettings(segment=16, batch=5)
"""Everything at its default, in short segments; 5 does not divide 16."""
PLAIN = replace(SETTINGS, mask="hull", refine=0, shade=0, sharpen=0, grain=0)
FRAMES = 56
CHILD = """
import sys, time
from pathlib import Path
import pytest
from swap_scene import Tint, enter_red_world
from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings

target, out, stage, frame = sys.argv[1:]
patch = pytest.MonkeyPatch()
enter_red_world(patch)

def watch(now, done, total):
    if now == stage and done >= int(frame):
        print("there", flush=True)
        time.sleep(60)

swap(Path(target), Tint(), Path(out), SwapSettings(segment=16, batch=5), progress=watch)
"""


def pulsing(count: int = FRAMES) -> list[Image]:
    """Faces that move, one of them for a while, in light that comes and goes, so that colour is led all the time."""
    light = 1 - 0.3 * np.sin(np.arange(count) / 5) ** 2
    images = []
    for k in range(count):
        image = picture((40 + k, 60), radius=30, seed=k)
        images.append((image * light[k]).astype(np.uint8))
        if 10 < k < 40:
            cv2.circle(images[-1], (130, 30), 14, RED, -1)
    return images


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    times = [40 * k + (7 if k % 5 == 2 else 0) for k in range(FRAMES)]  # unevenly spaced
    return movie(tmp_path_factory.mktemp("target") / "in.mkv", pulsing(), times, sound=True)


@pytest.fixture(scope="module")
def unbroken(target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "out.mp4"
    with pytest.MonkeyPatch.context() as patch:
        enter_red_world(patch)
        swap(target, Tint(), out, SETTINGS)
    return out


def kill_at(target: Path, out: Path, stage: str, frame: int) -> None:
    """Run the swap in a process of its own, and kill that when a stage comes to a frame."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(bianlian.__file__).parents[1])])
    command = [sys.executable, "-c", CHILD, str(target), str(out), stage, str(frame)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        child.kill()


def packets(path: Path) -> list[tuple[int, int | None, int | None, bytes]]:
    with av.open(str(path)) as file:
        return [(p.stream_index, p.pts, p.dts, bytes(p)) for p in file.demux() if p.size]


@pytest.mark.parametrize(("stage", "frame", "kept"), [("swap", 37, 32), ("analyse", 24, 0)])
def test_a_killed_swap_goes_on_and_ends_with_the_same_file(
    target: Path, unbroken: Path, tmp_path: Path, stage: str, frame: int, kept: int
) -> None:
    out, searched = tmp_path / "out.mp4", list[int]()
    kill_at(target, out, stage, frame)
    assert not out.exists()
    assert work_folder(out).is_dir()

    class Counting(RedDetector):
        def _faces(self, image: Image) -> list[object]:  # type: ignore[override]
            searched.append(1)
            return super()._faces(image)  # type: ignore[return-value]

    real = plugins.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "load", lambda kind, name: Counting if kind == "detector" else real(kind, name))
        report = swap(target, Tint(), out, SETTINGS)
    assert packets(out) == packets(unbroken)  # the signature is made with fresh random numbers
    assert tracks_path(out).read_bytes() == tracks_path(unbroken).read_bytes()
    assert (report.frames, report.resumed) == (FRAMES, kept)
    assert len(searched) <= (0 if stage == "swap" else FRAMES - frame)
    assert bool(searched) == (stage == "analyse")
    told, wanted = (json.loads(report_path(path).read_text(encoding="utf-8")) for path in (out, unbroken))
    assert all(told[key] == wanted[key] for key in ("frames", "swapped", "filled", "skipped", "settings"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.json", "out.mp4", "out.tracks.jsonl"]


def test_a_segment_begins_with_a_key_frame_and_the_sound_is_all_there(target: Path, unbroken: Path) -> None:
    with av.open(str(unbroken)) as file:
        keys = sorted(p.pts * p.time_base for p in file.demux(video=0) if p.size and p.is_keyframe and p.pts is not None)
    with av.open(str(unbroken)) as file:
        times = [f.pts * f.time_base for f in file.decode(video=0) if f.pts is not None and f.time_base is not None]
    assert len(times) == FRAMES
    assert set(times[::16]) <= set(keys)
    with av.open(str(target)) as file:
        assert times == [f.pts * f.time_base for f in file.decode(video=0) if f.pts is not None and f.time_base is not None]


class Stop(Exception):
    """Stands for Ctrl-C."""


def stopped(target: Path, out: Path, settings: SwapSettings, frame: int, model: Tint | None = None) -> None:
    def watch(stage: str, done: int, total: int | None) -> None:
        if stage == "swap" and done == frame:
            raise Stop

    with pytest.raises(Stop):
        swap(target, model or Tint(), out, settings, progress=watch)


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("h264", "a.mkv"),
        ("hevc", "a.mp4"),
        ("vp9", "a.webm"),
        ("ffv1", "a.mkv"),
        ("h264", "a.avi"),
        ("prores", "a.mov"),
        ("av1", "a.mp4"),
    ],
)
def test_every_codec_is_joined_to_what_an_unbroken_run_writes(tmp_path: Path, codec: str, name: str) -> None:
    settings = replace(PLAIN, segment=7, encoding=Encoding(codec=codec, preset="ultrafast"))
    target = movie(tmp_path / "in.mkv", pulsing(24), sound=True)
    for folder, frame in (("once", None), ("twice", 17)):
        (tmp_path / folder).mkdir()
        if frame is not None:
            stopped(target, tmp_path / folder / name, settings, frame)
        report = swap(target, Tint(), tmp_path / folder / name, settings)
        assert report.resumed == (14 if frame else 0)
    once, twice = (packets(tmp_path / folder / name) for folder in ("once", "twice"))
    assert once == twice
    with av.open(str(tmp_path / "twice" / name)) as file:
        assert len(list(file.decode(video=0))) == 24


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_a_part_of_a_target_goes_on_and_begins_at_0(tmp_path: Path, name: str) -> None:
    spaced = [40 * k + (7 if k % 5 == 2 and name != "a.avi" else 0) for k in range(24)]
    target = movie(tmp_path / "in.mkv", pulsing(24), spaced, sound=True)
    settings = replace(PLAIN, segment=7, start="3f", end="21f")
    (tmp_path / "twice").mkdir()
    swap(target, Tint(), tmp_path / name, settings)
    stopped(target, tmp_path / "twice" / name, settings, 13)
    # the part is 3 to 20, its segments end at 6, 13 and 20
    assert swap(target, Tint(), tmp_path / "twice" / name, settings).resumed == 11
    assert packets(tmp_path / name) == packets(tmp_path / "twice" / name)
    shown = [frame.seconds for frame in frames(tmp_path / "twice" / name)]
    assert shown == [Fraction(tick - spaced[3], 1000) for tick in spaced[3:21]]


def test_a_target_of_10_bits_goes_on_with_all_of_them(tmp_path: Path) -> None:
    target = shoot(tmp_path / "in.mkv", Film(".mkv", range(0, 800, 40), pixel_format="yuv420p10le", codec="ffv1"), pulsing(20))
    settings = replace(PLAIN, segment=7, encoding=Encoding(preset="ultrafast"))
    swap(target, Tint(), tmp_path / "once.mp4", settings)
    stopped(target, tmp_path / "twice.mp4", settings, 17)
    assert swap(target, Tint(), tmp_path / "twice.mp4", settings).resumed == 14
    assert packets(tmp_path / "once.mp4") == packets(tmp_path / "twice.mp4")
    assert (probe(tmp_path / "twice.mp4").codec, probe(tmp_path / "twice.mp4").bits) == ("hevc", 10)


def test_layers_and_matte_begin_anew_and_hold_every_frame(tmp_path: Path) -> None:
    target, out = movie(tmp_path / "in.mkv", pulsing(12)), tmp_path / "out.mp4"
    settings = replace(PLAIN, segment=4)
    stopped(target, out, settings, 10)
    assert swap(target, Tint(), out, settings, layers=tmp_path / "layers", matte=tmp_path / "matte").resumed == 0
    lines = (tmp_path / "layers" / "layers.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["frame"] for line in lines} == set(range(12))
    assert len(list((tmp_path / "matte").iterdir())) == 12
    assert not work_folder(out).exists()


def test_a_folder_of_pictures_goes_on_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for k, image in enumerate(pulsing(12)):
        cv2.imwrite(str(tmp_path / "in" / f"{k:02}.png"), image[..., ::-1])
    settings = replace(PLAIN, segment=4)
    swap(tmp_path / "in", Tint(), tmp_path / "once", settings)
    stopped(tmp_path / "in", tmp_path / "twice", settings, 10)
    assert not (tmp_path / "twice").exists()
    assert swap(tmp_path / "in", Tint(), tmp_path / "twice", settings).resumed == 8
    for k in range(12):
        assert (tmp_path / "once" / f"{k:02}.png").read_bytes() == (tmp_path / "twice" / f"{k:02}.png").read_bytes()


class Other(Tint):
    """Another model of the same person."""

    def swap(self, crops):  # type: ignore[no-untyped-def]
        faces, weights = super().swap(crops)
        return faces // 2, weights


@pytest.mark.parametrize("change", ["settings", "model", "tracks"])
def test_work_of_another_swap_is_not_used(tmp_path: Path, change: str) -> None:
    target, out = movie(tmp_path / "in.mkv", pulsing(20)), tmp_path / "out.mp4"
    settings, model = replace(PLAIN, segment=5), Tint()
    stopped(target, out, settings, 17)
    if change == "settings":
        settings = replace(settings, feather=20.0)
    elif change == "model":
        model = Other()
    else:
        lines = tracks_path(out).read_text(encoding="utf-8").splitlines()
        left = [line for line in lines if '"frame": 9,' not in line]
        tracks_path(out).write_text("\n".join(left) + "\n", encoding="utf-8")
    report = swap(target, model, out, settings)
    assert report.resumed == 0
    assert not work_folder(out).exists()
    fresh = tmp_path / "fresh.mp4"
    swap(target, model, fresh, settings, tracks=tracks_path(out))
    assert packets(out) == packets(fresh)


def test_a_damaged_record_costs_its_segment(tmp_path: Path) -> None:
    target, out = movie(tmp_path / "in.mkv", pulsing(20)), tmp_path / "out.mp4"
    settings = replace(PLAIN, segment=5)
    stopped(target, out, settings, 17)
    record = work_folder(out) / "000001.json"
    record.write_text(record.read_text(encoding="utf-8")[:40], encoding="utf-8")
    assert swap(target, Tint(), out, settings).resumed == 5


def test_two_runs_cannot_write_one_output(tmp_path: Path) -> None:
    target, out = movie(tmp_path / "in.mkv", pulsing(2)), tmp_path / "out.mp4"
    with open_work(out, silent), pytest.raises(OutputError, match="another run is writing it"):
        swap(target, Tint(), out, PLAIN)

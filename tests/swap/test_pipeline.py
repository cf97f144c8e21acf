"""The whole swap on made-up footage: what comes out, what is left alone, what is written beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from swap_scene import RED, Same, Tint, decoded, movie, picture, sound_of
from swap_scene import _red_world as _red_world

from bianlian.errors import NoFaceError, OutputError, TracksError, VideoError
from bianlian.swap.pipeline import swap, tracks_path
from bianlian.swap.report import report_path
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import read_tracks
from bianlian.types import Image
from bianlian.video import Encoding

pytestmark = pytest.mark.usefixtures("red_world")

LOSSLESS = SwapSettings(encoding=Encoding(codec="ffv1"), color="none", mask="hull", refine=0, shade=0, sharpen=0, grain=0)


def walk(count: int = 8) -> list[Image]:
    return [picture((50 + 4 * k, 60), seed=k) for k in range(count)]


def red(image: Image) -> int:
    return int(((image[..., 0] > 170) & (image[..., 2] < 100)).sum())


def beside(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_only_the_face_changes_and_time_and_sound_stay(tmp_path: Path) -> None:
    times = [0, 40, 80, 121, 160, 233, 240, 300]  # milliseconds, not evenly spaced
    target, out = movie(tmp_path / "in.mkv", walk(), times, sound=True), tmp_path / "out.mkv"
    model = Tint()
    report = swap(target, model, out, LOSSLESS)
    (old, old_times), (new, new_times) = decoded(target), decoded(out)
    assert new_times == old_times == [Fraction(t, 1000) for t in times]
    np.testing.assert_array_equal(sound_of(out), sound_of(target))
    assert (report.frames, report.swapped, report.filled, report.skipped, report.person) == (8, 8, 0, (), "anna")
    for k, (a, b) in enumerate(zip(old, new, strict=True)):
        assert red(b) < 0.4 * red(a)
        box = np.s_[60 - 32 : 60 + 32, 50 + 4 * k - 32 : 50 + 4 * k + 32]
        outside = np.ones(a.shape[:2], bool)
        outside[box] = False
        np.testing.assert_array_equal(a[outside], b[outside])
    assert model.batches == [1, 8]  # noise, to know the model by; the faces


def test_a_model_that_gives_back_the_face_changes_next_to_nothing(tmp_path: Path) -> None:
    target, out = movie(tmp_path / "in.mkv", walk(3)), tmp_path / "out.mkv"
    swap(target, Same(), out, LOSSLESS)
    for a, b in zip(decoded(target)[0], decoded(out)[0], strict=True):
        assert np.abs(a.astype(int) - b).mean() < 1


def test_frames_without_a_face_go_through_untouched_and_are_counted(tmp_path: Path) -> None:
    images = [picture((80, 60), seed=k) for k in range(3)] + [picture(None, seed=k) for k in range(20)]
    images += [picture((80, 60), radius=7, seed=k) for k in range(2)]  # too small: 7 px radius, face size about 11 px
    target, out = movie(tmp_path / "in.mkv", images), tmp_path / "out.mkv"
    report = swap(target, Tint(), out, LOSSLESS)
    for a, b in zip(decoded(target)[0][3:], decoded(out)[0][3:], strict=True):
        np.testing.assert_array_equal(a, b)
    assert report.swapped == 3
    assert [(s.frames, s.ranges) for s in report.skipped] == [(20, ((3, 22),)), (2, ((23, 24),))]
    assert report.skipped[0].reason == "no face found"


def test_a_short_gap_is_bridged(tmp_path: Path) -> None:
    images = [picture(None if k in (4, 5) else (80, 60), seed=k) for k in range(9)]
    report = swap(movie(tmp_path / "in.mkv", images), Tint(), tmp_path / "out.mkv", LOSSLESS)
    assert (report.swapped, report.filled) == (9, 2)  # 0.3 s at 25 a second: up to 8 frames


def test_main_face_or_all(tmp_path: Path) -> None:
    def two(seed: int) -> Image:
        image = picture((45, 60), radius=26, seed=seed)
        cv2.circle(image, (120, 60), 18, RED, -1)
        return image

    target = movie(tmp_path / "in.mkv", [two(k) for k in range(3)])
    swap(target, Tint(), tmp_path / "main.mkv", LOSSLESS)
    swap(target, Tint(), tmp_path / "all.mkv", replace(LOSSLESS, faces="all"))
    before, main, everyone = (red(decoded(p)[0][1][:, 90:]) for p in (target, tmp_path / "main.mkv", tmp_path / "all.mkv"))
    assert main == before
    assert everyone < 0.5 * before


def test_no_face_at_all_writes_nothing(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", [picture(None, seed=k) for k in range(3)])
    with pytest.raises(NoFaceError, match="no face was found in the 3 frames"):
        swap(target, Tint(), tmp_path / "out.mkv", LOSSLESS)
    assert beside(tmp_path) == ["in.mkv"]
    target = movie(tmp_path / "in.mkv", [picture((80, 60), radius=7)])
    with pytest.raises(NoFaceError, match="smaller than 16 px"):
        swap(target, Tint(), tmp_path / "out.mkv", LOSSLESS)
    assert not (tmp_path / "out.mkv").exists()


def test_the_report_is_written_beside_the_output(tmp_path: Path) -> None:
    target, out = movie(tmp_path / "in.mkv", walk(4)), tmp_path / "deep" / "out.mkv"
    report = swap(target, Tint(), out, LOSSLESS, model="runs/1", consent="signed")
    values = json.loads(report_path(out).read_text(encoding="utf-8"))
    assert (values["frames"], values["swapped"], values["model"], values["consent"]) == (4, 4, "runs/1", "signed")
    assert values["settings"]["encoding"]["codec"] == "ffv1"
    assert {"decode", "detect", "landmark", "cut", "network", "paste", "encode"} <= set(values["seconds"])
    assert values["fps"] == pytest.approx(report.fps, abs=0.01)
    assert "numpy" in values["versions"]
    assert beside(out.parent) == ["out.c2pa", "out.json", "out.mkv", "out.tracks.jsonl"]


def test_consent_is_said_to_be_missing(tmp_path: Path) -> None:
    assert swap(movie(tmp_path / "in.mkv", walk(2)), Tint(), tmp_path / "o.mkv", LOSSLESS).consent == "no consent record"


def test_tracks_are_used_again_and_can_be_edited(tmp_path: Path) -> None:
    target, out = movie(tmp_path / "in.mkv", walk(4)), tmp_path / "out.mkv"
    swap(target, Tint(), out, LOSSLESS)
    path = tracks_path(out)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:3]) + "\n", encoding="utf-8")  # the header and the first two frames
    notes: list[str] = []
    assert swap(target, Tint(), out, LOSSLESS, note=notes.append).swapped == 2
    assert any("tracks.jsonl" in n for n in notes)
    movie(target, walk(5))  # another film of the same name
    assert swap(target, Tint(), out, LOSSLESS).swapped == 5


def test_a_tracks_file_by_name(tmp_path: Path) -> None:
    target, tracks = movie(tmp_path / "in.mkv", walk(3)), tmp_path / "who.jsonl"
    swap(target, Tint(), tmp_path / "a.mkv", LOSSLESS, tracks=tracks)
    assert len(read_tracks(tracks).tracks) == 1
    assert not tracks_path(tmp_path / "a.mkv").exists()
    other = movie(tmp_path / "other.mkv", walk(2))
    with pytest.raises(TracksError, match=r"was made for in\.mkv"):
        swap(other, Tint(), tmp_path / "b.mkv", LOSSLESS, tracks=tracks)
    tracks.write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(TracksError, match="line 1"):
        swap(target, Tint(), tmp_path / "b.mkv", LOSSLESS, tracks=tracks)


@pytest.mark.parametrize("link", [False, True])
def test_the_output_may_not_be_the_input(tmp_path: Path, link: bool) -> None:
    target = movie(tmp_path / "in.mkv", walk(2))
    before = target.read_bytes()
    out = tmp_path / "link.mkv" if link else target
    if link:
        out.symlink_to(target)
    with pytest.raises(OutputError, match="the input itself"):
        swap(target, Tint(), out, LOSSLESS)
    assert target.read_bytes() == before


@pytest.mark.parametrize("out", ["out.txt", "out.mp4"])
def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path: Path, out: str) -> None:
    target = movie(tmp_path / "in.mkv", walk(2))
    with pytest.raises(OutputError):  # ffv1 does not go into mp4
        swap(target, Tint(), tmp_path / out, LOSSLESS)
    assert beside(tmp_path) == ["in.mkv"]


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.mkv").write_bytes(b"no video")
    with pytest.raises(VideoError):
        swap(tmp_path / "in.mkv", Tint(), tmp_path / "out.mkv", LOSSLESS)
    with pytest.raises(VideoError):
        swap(tmp_path / "none.mkv", Tint(), tmp_path / "out.mkv", LOSSLESS)


def test_a_truncated_target_is_swapped_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = movie(tmp_path / "whole.mkv", walk(12)).read_bytes()
    target = tmp_path / "in.mkv"
    target.write_bytes(whole[: len(whole) * 2 // 3])
    notes: list[str] = []
    report = swap(target, Tint(), tmp_path / "out.mkv", LOSSLESS, note=notes.append)
    assert 3 <= report.swapped <= report.frames < 12
    assert len(decoded(tmp_path / "out.mkv")[0]) == report.frames


def test_a_picture_and_a_folder_of_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(3):
        cv2.imwrite(str(folder / f"{k}.png"), picture((60 + 9 * k, 60), seed=k)[..., ::-1])
    report = swap(folder / "1.png", Tint(), tmp_path / "one.png", LOSSLESS)
    assert (report.frames, report.swapped) == (1, 1)
    one = cv2.imread(str(tmp_path / "one.png"))
    assert one is not None
    assert red(np.ascontiguousarray(one[..., ::-1])) < 500
    assert swap(folder, Tint(), tmp_path / "swapped", LOSSLESS).swapped == 3
    assert beside(tmp_path / "swapped") == ["0.png", "1.png", "2.png"]


class Points68(Tint):
    """Asks where the parts of each face are."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, Any]] = []

    def swap_at(self, crops: Any, points: Any, under: Any) -> Any:
        self.seen += zip(crops, points, strict=True)
        faces = self.swap(under)[0]
        return faces, np.ones(faces.shape[:3], np.float32)


def test_a_model_that_asks_for_it_is_told_where_the_parts_are(tmp_path: Path) -> None:
    model = Points68()
    swap(movie(tmp_path / "in.mkv", walk(6)), model, tmp_path / "out.mkv", LOSSLESS)
    assert len(model.seen) == 6
    for crop, points in model.seen:
        assert points.shape == (68, 2)
        found = np.argwhere((crop[..., 0] > 170) & (crop[..., 2] < 100))[:, ::-1]
        disc = np.concatenate([found.min(0), found.max(0)])
        # the landmarker stretches the mean face over the disc, and tracks are smoothed over a few frames of its walk
        np.testing.assert_allclose(np.concatenate([points.min(0), points.max(0)]), disc, atol=0.05 * len(crop))


class Breaks(Tint):
    """Fails on its second batch."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def swap(self, crops: Any) -> Any:
        if self.batches:
            raise self._error
        return super().swap(crops)


@pytest.mark.parametrize("error", [ValueError("broken net"), MemoryError(), KeyboardInterrupt()])
def test_an_exception_in_a_stage_stops_the_run_with_that_error(tmp_path: Path, error: BaseException) -> None:
    target = movie(tmp_path / "in.mkv", walk(40))
    with pytest.raises(type(error)):
        swap(target, Breaks(error), tmp_path / "out.mkv", SwapSettings(batch=2, encoding=Encoding(codec="ffv1")))
    assert beside(tmp_path) == ["in.mkv", "out.tracks.jsonl"]


def test_ctrl_c_while_encoding_leaves_nothing_half_written(tmp_path: Path) -> None:
    target = movie(tmp_path / "in.mkv", walk(40))

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "swap" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swap(target, Tint(), tmp_path / "out.mkv", LOSSLESS, progress=stop)
    assert beside(tmp_path) == ["in.mkv", "out.tracks.jsonl"]


def test_a_model_of_the_wrong_shape_is_named(tmp_path: Path) -> None:
    class Small(Tint):
        def swap(self, crops: Any) -> Any:
            return crops[:, ::2, ::2], np.ones(crops.shape[:3], np.float32)

    with pytest.raises(Exception, match="the model must give"):
        swap(movie(tmp_path / "in.mkv", walk(2)), Small(), tmp_path / "out.mkv", LOSSLESS)


def test_progress_counts_frames_of_both_passes(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    swap(movie(tmp_path / "in.mkv", walk(5)), Tint(), tmp_path / "o.mkv", LOSSLESS, progress=lambda *a: seen.append(a))
    assert {s for s, _, _ in seen} == {"analyse", "swap"}
    rendered = [d for s, d, _ in seen if s == "swap"]
    assert all(a <= b for a, b in pairwise(rendered))
    assert seen[-1] == ("swap", 5, 5)

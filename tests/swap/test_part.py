"""A swap of a part of a target."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from swap_scene import Tint, decoded, movie, picture, sound_of
from swap_scene import _red_world as _red_world

from bianlian.errors import ConfigError, TracksError
from bianlian.swap.pipeline import swap, tracks_path
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import read_tracks
from bianlian.video import Encoding

pytestmark = pytest.mark.usefixtures("red_world")

PLAIN = SwapSettings(encoding=Encoding(codec="ffv1"), color="none", mask="hull", refine=0, shade=0, sharpen=0, grain=0, smooth=0)
TIMES = [0, 40, 80, 121, 160, 233, 240, 300, 340, 400, 410, 480]


def target_at(path: Path) -> Path:
    return movie(path, [picture((50 + 4 * k, 60), seed=k) for k in range(12)], TIMES, sound=True)


@pytest.mark.parametrize(("start", "end"), [("3f", "8f"), ("0.121", "0.340"), ("0.1", "8f")])
def test_a_part_is_the_same_as_that_part_of_the_whole(tmp_path: Path, start: str, end: str) -> None:
    target = target_at(tmp_path / "in.mkv")
    swap(target, Tint(), tmp_path / "whole.mkv", PLAIN)
    report = swap(target, Tint(), tmp_path / "part.mkv", replace(PLAIN, start=start, end=end))
    whole, (part, times) = decoded(tmp_path / "whole.mkv")[0], decoded(tmp_path / "part.mkv")
    assert (report.frames, report.swapped) == (5, 5)
    assert times == [Fraction(t - 121, 1000) for t in TIMES[3:8]]
    for a, b in zip(whole[3:8], part, strict=True):
        np.testing.assert_array_equal(a, b)
    # 8000 samples a second of uncompressed sound: what lies from 0.121 s to the end, to the sample or two
    stop = 0.340
    np.testing.assert_array_equal(sound_of(tmp_path / "part.mkv")[:1700], sound_of(target)[968 : 968 + 1700])
    assert abs(len(sound_of(tmp_path / "part.mkv")) - 8000 * (stop - 0.121)) <= 2


def test_tracks_of_the_whole_serve_a_part_and_not_the_other_way(tmp_path: Path) -> None:
    target, out = target_at(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    swap(target, Tint(), out, replace(PLAIN, start="3f", end="8f"))
    first = read_tracks(tracks_path(out))
    assert first.span.start == Fraction(121, 1000)
    assert [p.frame for p in first.tracks[0].points] == [3, 4, 5, 6, 7]
    notes: list[str] = []
    assert swap(target, Tint(), out, PLAIN, note=notes.append).swapped == 12
    assert not any("faces taken from" in n for n in notes)
    swap(target, Tint(), out, replace(PLAIN, start="5f"), note=notes.append)
    assert any("faces taken from" in n for n in notes)
    part = tmp_path / "part.jsonl"
    swap(target, Tint(), tmp_path / "b.mkv", replace(PLAIN, start="3f", end="8f"), tracks=part)
    with pytest.raises(TracksError, match="another part"):
        swap(target, Tint(), tmp_path / "b.mkv", PLAIN, tracks=part)


def test_a_part_of_a_sequence_keeps_its_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "plates"
    folder.mkdir()
    for k in range(6):
        cv2.imwrite(str(folder / f"p.{1001 + k}.png"), picture((60 + 9 * k, 60), seed=k)[..., ::-1])
    report = swap(folder, Tint(), tmp_path / "out", replace(PLAIN, start="2f", end="5f"))
    assert (report.frames, report.swapped) == (3, 3)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["p.1003.png", "p.1004.png", "p.1005.png"]


def test_a_part_that_cannot_be_is_refused_before_the_work(tmp_path: Path) -> None:
    target = target_at(tmp_path / "in.mkv")
    with pytest.raises(ConfigError, match="wanted a time"):
        replace(PLAIN, start="soon")
    with pytest.raises(ConfigError, match=r"no frame of in\.mkv"):
        swap(target, Tint(), tmp_path / "out.mkv", replace(PLAIN, start="9"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mkv"]

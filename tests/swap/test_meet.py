"""Swappers that ask for it see the faces they will replace, as their network will get them, and what they give is what draws."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from swap_scene import Same, Tint, decoded, movie, picture
from swap_scene import _red_world as _red_world

from bianlian.geometry import box_of
from bianlian.model import Swapper
from bianlian.swap import meet
from bianlian.swap.meet import Met
from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings
from bianlian.types import Note, Progress

pytestmark = pytest.mark.usefixtures("red_world")
PLAIN = SwapSettings(color="none", blend="mask", mask="hull", refine=0.0, shade=0.0, sharpen=0.0, smooth=0.0)


class Curious(Same):
    """Draws nothing new until it has seen faces; then it mirrors colours."""

    def __init__(self) -> None:
        super().__init__()
        self.met: list[Met] = []
        self.drawn: list[NDArray[np.uint8]] = []

    def meet(self, faces: Sequence[Met], settings: SwapSettings, *, progress: Progress, note: Note) -> Swapper:
        del settings
        self.met += faces
        progress("likeness", 1, 1)
        note("met")
        outer = self

        class Known(Tint):
            def swap(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
                outer.drawn += list(crops)
                return super().swap(crops)

        return Known()


def clip(path: Path, count: int, first: int = 0) -> Path:
    """A disc that moves to the right, from frame ``first`` on."""
    centres = [None if k < first else (50.0 + 2 * (k - first), 60.0) for k in range(count)]
    return movie(path, [picture(c, seed=k) for k, c in enumerate(centres)])


def test_it_sees_the_crops_of_the_swap_and_what_it_gives_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meet, "FACES", 4)
    target, curious = clip(tmp_path / "in.mkv", 12, first=3), Curious()
    report = swap(target, curious, tmp_path / "out.mkv", PLAIN)
    assert report.swapped == 9
    assert "met" in report.notes
    assert report.fitted
    assert len(curious.met) == 4
    faces = [crop for crop in curious.drawn if crop.std() < 70][-9:]  # less the noise by which a swap knows its model
    for seen, index in zip(curious.met, (0, 3, 5, 8), strict=True):  # spread evenly over the nine frames
        np.testing.assert_array_equal(seen.crop, faces[index])
        x1, y1, x2, y2 = box_of(seen.points)
        red = (seen.crop[..., 0] > 150) & (seen.crop[..., 2] < 120)
        rows, columns = np.nonzero(red)
        np.testing.assert_allclose([x1, y1, x2, y2], [columns.min(), rows.min(), columns.max(), rows.max()], atol=3)
    before, after = decoded(target)[0], decoded(tmp_path / "out.mkv")[0]
    x = 50 + 2 * (6 - 3)
    here = np.s_[62:70, x - 4 : x + 4]
    drawn, plain = after[6][here].mean((0, 1)), before[6][here].mean((0, 1))
    assert np.abs(drawn - (255 - plain)).max() < np.abs(drawn - plain).min() / 2  # what the second one draws


def test_faces_come_from_the_first_minute_in_which_the_part_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meet, "SPREAD", 6)
    target, curious = clip(tmp_path / "in.mkv", 40, first=20), Curious()
    swap(target, curious, tmp_path / "out.mkv", PLAIN)
    assert len(curious.met) == 6
    faces = [crop for crop in curious.drawn if crop.std() < 70][-20:]
    for seen, drawn in zip(curious.met, faces, strict=False):
        np.testing.assert_array_equal(seen.crop, drawn)


def test_who_does_not_ask_is_left_alone(tmp_path: Path) -> None:
    target, plain = clip(tmp_path / "in.mkv", 3), Same()
    report = swap(target, plain, tmp_path / "out.mkv", PLAIN)
    assert report.swapped == 3
    assert "met" not in report.notes
    assert not report.fitted

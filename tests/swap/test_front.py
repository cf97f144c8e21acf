"""What is in front of a face stays in front: the stage by itself, and in a whole swap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from swap_scene import Tint, decoded, movie

from bianlian import align, plugins
from bianlian.errors import ConfigError
from bianlian.geometry import apply, invert
from bianlian.mask.hull import hull_mask, outline
from bianlian.mask.learned import LearnedMask
from bianlian.mask.regions import face_outline
from bianlian.swap.front import Front, Seen, calmed
from bianlian.swap.pipeline import swap
from bianlian.swap.settings import SwapSettings
from bianlian.types import Face, Frame, Image, Landmarks, Mask
from bianlian.video import Encoding

PLAIN = SwapSettings(encoding=Encoding(codec="ffv1"), color="none", refine=0, shade=0, sharpen=0, grain=0)
_AT = np.array([[2.950, 0.546, 90.816], [-0.546, 2.950, 130.671]])  # the first demo frame's face, from a 100-px crop


class DemoFace:
    """Finds and marks the face of the first demo frame, whatever is in front of it."""

    same = 0.6
    marks = Landmarks(align.template("ibug68", 100) @ _AT[:, :2].T + _AT[:, 2], "ibug68")

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        return [[self._face()] for _ in images]

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        return [self._face() for _ in faces]

    def describe(self, image: Image, faces: Sequence[Face]) -> np.ndarray:
        return np.zeros((len(faces), 2))

    def _face(self) -> Face:
        low, high = self.marks.points.min(0), self.marks.points.max(0)
        return Face(np.concatenate([low, high]), 0.9, self.marks)


def stick(image: Image) -> tuple[Image, np.ndarray]:
    """Hold a dark, patterned stick before the mouth of the first demo frame -> picture, where the stick is."""
    x, y = DemoFace.marks.points[57].astype(int)
    cover = np.zeros(image.shape[:2], bool)
    cover[y - 8 : y + 200, x - 14 : x + 14] = True
    thing = np.full_like(image, 40)
    thing[::3] = 85
    return np.where(cover[..., None], thing, image), cover


def test_a_stick_is_seen_in_front_and_the_cheeks_are_not(demo_frames: list[Frame]) -> None:
    image, cover = stick(demo_frames[0].image)
    crop = align.cut(image, align.crop_from_frame(DemoFace.marks, 160), 160)
    front = Front(align.COVERAGE)
    over = front.over(front.look(image, {7: crop})[7], crop)
    there = align.cut(np.repeat(255 * cover[..., None].astype(np.uint8), 3, 2), crop.crop_from_frame, 160).image[..., 0] > 250
    assert over.shape == (160, 160)
    assert over[there].mean() < 0.35  # of 1; the edge of the stick is softer than its truth
    cheeks = np.zeros_like(there)
    cheeks[60:90, 40:120] = True
    assert over[cheeks].mean() > 0.9


def test_no_face_is_no_work(demo_frames: list[Frame]) -> None:
    assert Front(align.COVERAGE).look(demo_frames[0].image, {}) == {}


def test_masks_are_calmed_by_their_own_neighbours_alone() -> None:
    def mask(value: float) -> Mask:
        return np.full((2, 2), value, np.float32)

    looks: list[tuple[str, int, Seen]] = [
        ("a", 0, {1: mask(0.0)}),
        ("b", 1, {1: mask(1.0), 2: mask(0.4)}),
        ("c", 2, {1: mask(0.0)}),
        ("d", 5, {1: mask(1.0)}),
    ]
    out = list(calmed(iter(looks)))
    assert [item for item, _ in out] == ["a", "b", "c", "d"]
    values = [{track: float(m[0, 0]) for track, m in seen.items()} for _, seen in out]
    assert values[0][1] == pytest.approx(0.25 / 0.75)
    assert values[1] == {1: pytest.approx(0.5), 2: pytest.approx(0.4)}
    assert values[2][1] == pytest.approx(0.25 / 0.75)  # the frame three later is not its neighbour
    assert values[3][1] == pytest.approx(1.0)
    assert list(calmed(iter([]))) == []


def test_a_swap_keeps_the_stick_in_front(demo_frames: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that turns every colour round: what it changed of the stick tells how much of the stick it painted over."""
    real = plugins.load

    def load(kind: str, name: str) -> Any:
        return DemoFace if kind in ("detector", "landmarker", "describer") else real(kind, name)

    monkeypatch.setattr(plugins, "load", load)
    image, cover = stick(demo_frames[0].image)
    target = movie(tmp_path / "in.mkv", [image] * 3)
    free = LearnedMask().mask([demo_frames[0].image], [DemoFace.marks])[0] > 0.5
    crop = invert(align.crop_from_frame(DemoFace.marks, Tint.size))
    corners = apply(crop, np.array([[0, 0], [63, 0], [63, 63], [0, 63]]))
    size = {"erode": PLAIN.erode, "feather": PLAIN.feather}
    hull, face = (hull_mask(edge(DemoFace.marks), (512, 512), limit=corners, **size) for edge in (outline, face_outline))
    forehead = (face > 0.5) & (hull == 0) & ~cover  # what the model's crop shows of it
    assert forehead.any()
    changed = {}
    for name in ("hull", "face", "learned"):
        out = tmp_path / f"{name}.mkv"
        report = swap(target, Tint(), out, SwapSettings(**{**vars(PLAIN), "mask": name}))
        assert report.swapped == 3
        assert ("mask" in report.seconds) == (name == "learned")
        pictures, _ = decoded(out)
        differs = np.abs(pictures[1].astype(int) - image).max(2) > 12
        changed[name] = [float(differs[where].mean()) for where in (cover, free & ~cover, forehead)]
    assert changed["learned"][0] < 0.5 * changed["hull"][0]
    assert changed["learned"][1] > 0.95 * changed["hull"][1]
    assert changed["hull"][2] == changed["learned"][2] == 0
    assert changed["face"][2] > 0.9


def test_a_mask_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="hull, face, learned"):
        SwapSettings(mask="nose")

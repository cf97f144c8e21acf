"""The search of footage in which nobody is seen for a while: quick, and nobody who comes in is missed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from swap_scene import HueDescriber, RedDetector, RedLandmarker, movie, picture

from bianlian import plugins
from bianlian.detect import Detector, Glancing
from bianlian.swap.analyse import BATCH, analyse
from bianlian.types import Face, Image
from bianlian.video import probe


class Thorough(RedDetector):
    """Counts the pictures that it searches."""

    def __init__(self) -> None:
        self.searched = 0

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        self.searched += len(images)
        return super().detect(images)


class Quick(Thorough):
    """Sees nothing small in passing."""

    def __init__(self) -> None:
        super().__init__()
        self.glanced = 0

    def glance(self, images: Sequence[Image]) -> list[list[Face]]:
        self.glanced += len(images)
        return [[f for f in faces if f.box[2] - f.box[0] > 30] for faces in RedDetector.detect(self, images)]


def clip(path: Path, seen: Sequence[float]) -> Path:
    """Make a clip with a disc of this radius in each frame, 0 for none."""
    return movie(path, [picture((80, 60) if r else None, r or 24.0, seed=k) for k, r in enumerate(seen)])


def frames_of(target: Path, detector: Detector) -> list[int]:
    found = analyse(target, probe(target), detector, RedLandmarker(), HueDescriber(), names=("", "", ""), gap=0)
    return sorted({p.frame for t in found.tracks for p in t.points})


@pytest.mark.parametrize("radius", [24.0, 9.0])
def test_whoever_comes_in_is_found_from_the_first_frame(tmp_path: Path, radius: float) -> None:
    """A large face is seen in passing, a small one by the thorough look at a batch's last frame; both from where they begin."""
    seen = [24.0] * 3 + [0.0] * (6 * BATCH) + [radius] * (BATCH + 2)
    target, quick, thorough = clip(tmp_path / "in.mkv", seen), Quick(), Thorough()
    wanted = [k for k, r in enumerate(seen) if r]
    assert frames_of(target, quick) == frames_of(target, thorough) == wanted
    # Without a quick look every empty frame is searched, and of those with a face in both neighbours some.
    assert len(seen) - BATCH <= thorough.searched <= len(seen)
    assert quick.searched < 0.6 * len(seen)


def test_a_cut_ends_the_quick_search(tmp_path: Path) -> None:
    """A small face in a shot of a few frames, between others without anybody."""
    bright = [np.full_like(picture(None), 250) for _ in range(3)]
    for image in bright:
        image[50:60, 70:80] = (210, 60, 40)
    empty = [picture(None, seed=k) for k in range(3 * BATCH)]
    target = movie(tmp_path / "in.mkv", [*empty, *bright, *empty])
    assert frames_of(target, Quick()) == [24, 25, 26]


def test_pictures_of_a_folder_are_all_searched(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(3 * BATCH):
        cv2.imwrite(str(folder / f"{k:02}.png"), picture((80, 60) if k == 20 else None, 9.0)[..., ::-1])
    quick = Quick()
    assert frames_of(folder, quick) == [20]
    assert (quick.searched, quick.glanced) == (3 * BATCH, 0)


def test_frames_between_two_with_surely_the_same_faces_are_not_searched(tmp_path: Path) -> None:
    images = [picture((40 + 1.5 * k, 60), seed=k) for k in range(5 * BATCH)]
    target, detector = movie(tmp_path / "in.mkv", images), Thorough()
    found = analyse(target, probe(target), detector, RedLandmarker(), HueDescriber(), names=("", "", ""), gap=0)
    (track,) = found.tracks
    assert [(p.frame, p.filled) for p in track.points] == [(k, False) for k in range(len(images))]
    places = np.array([p.face.box[[0, 2]].mean() for p in track.points])
    np.testing.assert_allclose(places, 40 + 1.5 * np.arange(len(images)), atol=1.5)  # discs lie on whole pixels
    assert detector.searched == 5 * 3  # the first, the fifth and the last of each eight


@pytest.mark.parametrize("gone", [1, 4, 6])
def test_a_face_that_is_away_for_some_frames_of_a_batch_is_searched_for(tmp_path: Path, gone: int) -> None:
    seen = [24.0] * BATCH + [0.0 if gone <= k < gone + 4 else 24.0 for k in range(2 * BATCH)]
    assert frames_of(clip(tmp_path / "in.mkv", seen), Thorough()) == [k for k, r in enumerate(seen) if r]


@pytest.mark.weights
@pytest.mark.parametrize("name", ["duo", "blazeface"])
def test_detectors_that_glance_see_a_large_face_and_nothing_in_noise(name: str, face_image: Image) -> None:
    detector: Detector = plugins.load("detector", name)()
    (found,) = detector.detect([face_image])[0]
    assert isinstance(detector, Glancing)
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    (face,), none = detector.glance([face_image, noise])
    assert none == []
    np.testing.assert_allclose(face.box, found.box, atol=1)

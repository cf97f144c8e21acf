"""A small made-up world for the swap's tests: a red disc is a face, and anyone can find it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.align import COVERAGE, template
from bianlian.geometry import box_of
from bianlian.types import Face, Image, Landmarks, Matrix, Points

WIDTH, HEIGHT = 160, 120
RED = (210, 60, 40)


def picture(centre: tuple[float, float] | None, radius: float = 24.0, seed: int = 0) -> Image:
    """Draw a noisy backdrop and, where ``centre`` says, a red disc with a few features."""
    noise = np.random.default_rng(seed).integers(0, 40, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    image = np.ascontiguousarray(noise + np.uint8(60))
    if centre is not None:
        x, y = round(centre[0]), round(centre[1])
        cv2.circle(image, (x, y), round(radius), RED, -1)
        for dx in (-8, 8) if radius > 12 else ():
            cv2.circle(image, (x + dx, y - 6), 3, (255, 40, 20), -1)
    return image


def landmarks_at(box: NDArray[np.float64]) -> Landmarks:
    """Stretch the mean face over a box."""
    unit = template("ibug68", 100)
    edges = box_of(unit)
    points: Points = box[:2] + (unit - edges[:2]) / (edges[2:] - edges[:2]) * (box[2:] - box[:2])
    return Landmarks(points, "ibug68")


class RedDetector:
    """Finds the red disc."""

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        return [self._faces(i) for i in images]

    def _faces(self, image: Image) -> list[Face]:
        red = ((image[..., 0] > 170) & (image[..., 2] < 100)).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(red)
        boxes = [stats[k, :4].astype(np.float64) for k in range(1, count) if stats[k, 4] > 30]
        return [Face(np.array([x, y, x + w, y + h]), 0.9) for x, y, w, h in boxes]


class RedLandmarker:
    """Puts the mean face on each box."""

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        return [Face(f.box, f.score, landmarks_at(f.box)) for f in faces]


class HueDescriber:
    """Tells discs apart by the blue in them."""

    same = 0.6

    def describe(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
        rows = [np.zeros((0, 2))]
        for face in faces:
            x, y = (face.box[:2] + face.box[2:]) / 2
            rows.append(np.array([[image[int(y), int(x), 2] / 50, 0.0]]))
        return np.concatenate(rows)


class Tint:
    """A fake model: mirrors colours, so that a swapped face is plain to see."""

    size, coverage, person = 64, COVERAGE, "anna"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def swap(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        self.batches.append(len(crops))
        return 255 - crops, np.ones(crops.shape[:3], np.float32)


class Same(Tint):
    """A fake model that gives back what it gets."""

    def swap(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        self.batches.append(len(crops))
        return crops, np.ones(crops.shape[:3], np.float32)


@pytest.fixture(name="red_world")
def _red_world(monkeypatch: pytest.MonkeyPatch) -> None:
    enter_red_world(monkeypatch)


def enter_red_world(patch: pytest.MonkeyPatch) -> None:
    """Let the fakes take the place of all detectors, landmarkers and describers."""
    real = plugins.load

    def load(kind: str, name: str) -> Any:
        fakes: dict[str, Any] = {"detector": RedDetector, "landmarker": RedLandmarker, "describer": HueDescriber}
        return fakes[kind] if kind in fakes else real(kind, name)

    patch.setattr(plugins, "load", load)


def movie(
    path: Path, images: Iterable[Image], pts: Sequence[int] | None = None, base: Fraction = Fraction(1, 1000), sound: bool = False
) -> Path:
    """Write a lossless video (ffv1 in RGB), with given times and, if wanted, a tone."""
    pictures = list(images)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25, width=pictures[0].shape[1], height=pictures[0].shape[0], pix_fmt="bgr0")
        stream.time_base = stream.codec_context.time_base = base
        tone = out.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        for k, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = (pts[k] if pts else 40 * k), base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if tone is not None:
            wave = (8000 * np.sin(np.arange(320 * len(pictures)) / 3)).astype(np.int16)[None]
            samples = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            samples.rate, samples.pts = 8000, 0
            out.mux(tone.encode(samples))
            out.mux(tone.encode(None))
    return path


def decoded(path: Path) -> tuple[list[Image], list[Fraction]]:
    """Read a video's frames and their times in seconds."""
    images: list[Image] = []
    times: list[Fraction] = []
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            images.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            times.append(frame.pts * frame.time_base)
    return images, times


def sound_of(path: Path) -> NDArray[np.int16]:
    """Read a video's sound."""
    with av.open(str(path)) as file:
        return np.concatenate([f.to_ndarray().ravel() for f in file.decode(audio=0)])


def crop_map(centre: tuple[float, float], side: float, size: int) -> Matrix:
    """Cut a square of ``side`` frame pixels around a centre into ``size`` pixels."""
    f = size / side
    return np.array([[f, 0.0, (size - 1) / 2 - f * centre[0]], [0.0, f, (size - 1) / 2 - f * centre[1]]])

"""Defects made by code in the face of a clip, each at a strength, and what the metrics say of them.

A defect at strength 0 changes nothing. Faces are joined with a soft edge unless the defect is the edge itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.detect import Detector
from bianlian.geometry import umeyama
from bianlian.identity import Describer
from bianlian.landmark import Landmarker
from bianlian.landmark.schemes import INNER, convert
from bianlian.mask.hull import hull_mask, outline
from bianlian.score.follow import Follower
from bianlian.score.measure import Eyes, Rows, measure
from bianlian.score.metric import Metric
from bianlian.score.score import PLAIN, TRUE
from bianlian.types import Face, Frame, Image, Landmarks, Points, silent

Clip = list[Image]
Moments = list[tuple[Frame, Frame, Frame | None]]


class Clips:
    """A clip with the landmarks of its faces and soft masks over them."""

    def __init__(self, images: Sequence[Image]) -> None:
        self.images = list(images)
        finder, marker = detector(), landmarker()
        self.faces: list[Face] = []
        for image in self.images:
            face = marker.mark(image, finder.detect([image])[0][:1])[0]
            assert face is not None
            self.faces.append(face)
        self.marks: list[Landmarks] = [f.landmarks for f in self.faces if f.landmarks is not None]
        self.soft = [hull_mask(outline(m), i.shape[:2], erode=2, feather=12) for m, i in zip(self.marks, images, strict=True)]
        self.hard = [np.asarray(m > 0.02, np.float32) for m in self.soft]

    def points(self, k: int) -> Points:
        """The inner 51 points of a frame."""
        return convert(self.marks[k], "ibug68").points[INNER]


class Remembering:
    """A landmarker that does not mark the same face of the same picture twice: targets come again with every defect."""

    def __init__(self, inner: Landmarker) -> None:
        self._inner = inner
        self._known: dict[bytes, Face | None] = {}

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Mark faces, or remember."""
        picture = hashlib.blake2b(image.tobytes()).digest()
        return [self._one(image, picture, face) for face in faces]

    def _one(self, image: Image, picture: bytes, face: Face) -> Face | None:
        points = b"" if face.landmarks is None else face.landmarks.points.tobytes()
        key = picture + face.box.tobytes() + points
        if key not in self._known:
            self._known[key] = self._inner.mark(image, [face])[0]
        return self._known[key]


@cache
def detector() -> Detector:
    """The detector, loaded once."""
    found: Detector = plugins.load("detector", "blazeface")()
    return found


@cache
def landmarker() -> Landmarker:
    """The landmarker, loaded once."""
    return Remembering(plugins.load("landmarker", "facemesh")())


@cache
def describer() -> Describer:
    """The describer, loaded once."""
    found: Describer = plugins.load("describer", "dlib")()
    return found


def laid(face: NDArray[Any], image: Image, mask: NDArray[Any]) -> Image:
    """Lay a face over an image with a mask."""
    mixed = mask[..., None] * face + (1 - mask[..., None]) * image
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def blur(clip: Clips, strength: float) -> Clip:
    """Blur the face by a Gaussian of so many pixels."""
    return [
        laid(cv2.GaussianBlur(i, (0, 0), strength).astype(float), i, m) if strength else i
        for i, m in zip(clip.images, clip.soft, strict=True)
    ]


def shift(clip: Clips, strength: float) -> Clip:
    """Move the face to the right by so many pixels."""
    return [laid(_moved(i, strength, 0), i, m) for i, m in zip(clip.images, clip.soft, strict=True)]


def cast(clip: Clips, strength: float) -> Clip:
    """Give the face a colour of its own: so many grey levels more red and less blue."""
    change = np.array([strength, 0.0, -strength])
    return [laid(i + change, i, m) for i, m in zip(clip.images, clip.soft, strict=True)]


def edge(clip: Clips, strength: float) -> Clip:
    """Make the face brighter by so many grey levels, with a hard edge."""
    return [laid(i + float(strength), i, m) for i, m in zip(clip.images, clip.hard, strict=True)]


def jitter(clip: Clips, strength: float) -> Clip:
    """Shake the face by so many pixels, another way each frame."""
    ways = np.random.default_rng(0).normal(size=(len(clip.images), 2))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return [laid(_moved(i, *(strength * w)), i, m) for i, m, w in zip(clip.images, clip.soft, ways, strict=True)]


def flicker(clip: Clips, strength: float) -> Clip:
    """Make the face brighter and darker by so many grey levels, by turns."""
    return [
        laid(i + (float(strength) if k % 2 else -float(strength)), i, m)
        for k, (i, m) in enumerate(zip(clip.images, clip.soft, strict=True))
    ]


def turn(clip: Clips, strength: float) -> Clip:
    """Turn the face in the picture by so many degrees."""
    out = []
    for k, (image, mask) in enumerate(zip(clip.images, clip.soft, strict=True)):
        middle = clip.points(k).mean(0)
        matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), strength, 1.0)
        out.append(laid(_warped(image, matrix, image.shape), image, mask))
    return out


def frozen(clip: Clips, strength: float) -> Clip:
    """Hold the expression over the last share of the clip; at a strength of 1 it is the first frame's all along."""
    out, start = [], round((1 - strength) * (len(clip.images) - 1))
    for k, (image, mask) in enumerate(zip(clip.images, clip.soft, strict=True)):
        shown = min(k, start)
        matrix = umeyama(clip.points(shown)[:31], clip.points(k)[:31])  # brows, nose and eyes, not the mouth
        out.append(laid(_warped(clip.images[shown], matrix, image.shape), image, mask) if shown != k else image)
    return out


def dropped(clip: Clips, strength: float) -> Clip:
    """Repeat the frame before in so many places."""
    out = list(clip.images)
    for k in np.linspace(2, len(out) - 1, round(strength)).astype(int) if strength else ():
        out[k] = out[k - 1]
    return out


def covered(clip: Clips, strength: float) -> Clip:
    """Paint the face over in so many frames."""
    out = list(clip.images)
    for k in np.linspace(1, len(out) - 1, round(strength)).astype(int) if strength else ():
        grey = np.full(out[k].shape, 127.0)
        out[k] = laid(grey, out[k], cv2.dilate(clip.hard[k], np.ones((61, 61), np.uint8)))
    return out


def other(clip: Clips, donor: Clips, strength: float) -> Clip:
    """Mix another person's face in, fitted by its landmarks; at a strength of 1 it is that person's."""
    out = []
    for k, (image, mask) in enumerate(zip(clip.images, clip.soft, strict=True)):
        matrix = umeyama(donor.points(k), clip.points(k))
        out.append(laid(_warped(donor.images[k], matrix, image.shape), image, np.asarray(strength * mask, np.float32)))
    return out


def measured(out: Clip, target: Clip, truth: Clip | None = None, metrics: Sequence[Metric] | None = None) -> dict[str, float]:
    """Measure a clip in memory -> value by metric."""
    chosen = list(metrics if metrics is not None else (*PLAIN, *TRUE))
    rows = Rows(chosen)
    eyes = Eyes(landmarker(), describer(), describe_every=4 if metrics is not None else 1 << 30)
    moments: Moments = [
        (Frame(target[k], k), Frame(out[k], k), None if truth is None else Frame(truth[k], k)) for k in range(len(target))
    ]
    measure(moments, Follower(detector(), landmarker()), eyes, rows, silent)
    found = {}
    for metric in chosen:
        table = rows.of(metric)
        found[metric.card.name] = metric.value(metric.series(table, rows.steps), table, rows.steps)
    return found


def _moved(image: Image, dx: float, dy: float) -> NDArray[np.float64]:
    return _warped(image, np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]]), image.shape)


def _warped(image: Image, matrix: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    size = (shape[1], shape[0])
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.float64)

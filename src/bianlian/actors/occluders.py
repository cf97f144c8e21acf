"""Things before a rendered face that move with it: a hand, a pair of glasses, a microphone; each with the pixels that it hides.

They are others than those that training puts before faces (``train.occluders``): a mask is not measured on what it was taught by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, final, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.errors import ConfigError
from bianlian.landmark.schemes import LEFT_EYE, RIGHT_EYE
from bianlian.types import Image, Points

Occluder = Literal["hand", "glasses", "microphone"]
OCCLUDERS: tuple[Occluder, ...] = get_args(Occluder)
_FINER = 16
"""Steps of a pixel in which lines are placed."""


def occlude(kind: str, image: Image, landmarks: Points, seed: int, seconds: float = 0.0) -> tuple[Image, NDArray[np.uint8]]:
    """Put something before a face.

    image (H, W, 3); landmarks (68, 2): of its face; seed: fixes what it looks like; seconds: into the clip, a hand moves -> a new
    picture, and what is hidden (H, W), 0 to 255. Raises ConfigError for an unknown kind.
    """
    if kind not in OCCLUDERS:
        raise ConfigError(f"something before a face must be one of {', '.join(OCCLUDERS)}, got {kind!r}")
    eye = float(np.linalg.norm(landmarks[RIGHT_EYE].mean(0) - landmarks[LEFT_EYE].mean(0)))
    eye = max(eye, 0.62 * float(np.linalg.norm(landmarks[27] - landmarks[8])), 1e-3)  # it keeps its size in profile
    canvas = _Canvas(image.shape[0], image.shape[1])
    _DRAW[kind](canvas, landmarks, eye, np.random.default_rng(seed), seconds)
    alpha = cv2.GaussianBlur(canvas.mask, (0, 0), 0.7).astype(np.float32)[..., None] / 255
    blur = eye * 0.03 if kind == "hand" else 0.7
    weight = cv2.GaussianBlur(canvas.mask.astype(np.float32) / 255, (0, 0), blur)[..., None]
    paint = cv2.GaussianBlur(canvas.layer, (0, 0), blur) / np.maximum(weight, 0.05)
    out = image * (1 - alpha) + np.clip(paint, 0, 255) * alpha
    return np.asarray(np.clip(out, 0, 255), np.uint8), np.asarray(alpha[..., 0] * 255, np.uint8)


@final
class _Canvas:
    """What is drawn: layer (H, W, 3) float32, mask (H, W)."""

    def __init__(self, height: int, width: int) -> None:
        self.layer, self.mask = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.uint8)

    def bar(self, a: NDArray[np.floating], b: NDArray[np.floating], thickness: float, colour: Iterable[float]) -> None:
        """Draw a line with round ends."""
        p, q = ((round(float(v[0]) * _FINER), round(float(v[1]) * _FINER)) for v in (a, b))
        for plane, value in ((self.layer, [float(c) for c in colour]), (self.mask, [255.0])):
            cv2.line(plane, p, q, value, max(1, round(thickness)), cv2.LINE_AA, 4)


def _glasses(canvas: _Canvas, landmarks: Points, eye: float, rng: np.random.Generator, _: float) -> None:
    tone, thick = rng.uniform(5, 70, 3), eye * rng.uniform(0.025, 0.06)
    rings, power = [], rng.uniform(0.55, 1.0)  # 1: round rims, less: squarer
    angles = np.linspace(0, 2 * np.pi, 33)
    for rows in (RIGHT_EYE, LEFT_EYE):
        p = landmarks[rows]
        across = p[3] - p[0]
        down = np.array([-across[1], across[0]]) / (np.linalg.norm(across) + 1e-6) * eye * 0.27
        x, y = (np.sign(v) * np.abs(v) ** power for v in (np.cos(angles), np.sin(angles)))
        ring = p.mean(0) + x[:, None] * across * 0.86 + y[:, None] * down + down * 0.12
        rings.append(ring)
        for a, b in pairwise(ring):
            canvas.bar(a, b, thick, tone)
    right, left = rings
    canvas.bar(right[0], left[16], thick, tone)
    canvas.bar(right[16], landmarks[0] * 0.9 + right[16] * 0.1, thick, tone)
    canvas.bar(left[0], landmarks[16] * 0.9 + left[0] * 0.1, thick, tone)


def _microphone(canvas: _Canvas, landmarks: Points, eye: float, rng: np.random.Generator, _: float) -> None:
    height, width = canvas.mask.shape
    tip = landmarks[57] + np.array([rng.uniform(-0.5, 0.5), rng.uniform(0.15, 0.5)]) * eye
    foot = np.array([tip[0] + rng.uniform(-1.2, 1.2) * eye, height + eye])
    canvas.bar(tip, foot, eye * 0.30, (40.0, 38.0, 38.0))
    radius = eye * rng.uniform(0.30, 0.42)
    y, x = np.mgrid[:height, :width]
    ball = (x - tip[0]) ** 2 + (y - tip[1]) ** 2 < radius**2
    light = np.clip(1 - np.hypot(x - tip[0] + radius * 0.4, y - tip[1] + radius * 0.4) / (1.6 * radius), 0, 1)
    mesh = 0.75 + 0.25 * np.cos(x * 6.0 / radius * 2) * np.cos(y * 6.0 / radius * 2)
    canvas.layer[ball] = ((50 + 120 * light) * mesh)[ball][:, None]
    canvas.mask[ball] = 255


def _hand(canvas: _Canvas, landmarks: Points, eye: float, rng: np.random.Generator, seconds: float) -> None:
    skin = rng.uniform(0.35, 1.0) * np.array([220.0, 170.0, 140.0])
    side = float(rng.choice([-1, 1]))
    swing = np.sin(2 * np.pi * (rng.uniform(0.2, 0.5) * seconds + rng.random()))
    at = landmarks[rng.integers(48, 60)]
    palm = at + np.array([side * (1.0 + 0.5 * swing), rng.uniform(0.3, 0.9) - 0.2 * swing]) * eye
    up = np.array([-side * rng.uniform(0.3, 0.8), -1.0])
    up /= np.linalg.norm(up)
    across = np.array([-up[1], up[0]])
    canvas.bar(palm - up * 0.1 * eye, palm - up * 4 * eye + across * side * eye, 0.62 * eye, skin * 0.88)
    for k in range(12):  # the palm is a fan of strokes
        near, far = across * (k - 5.5) * 0.06 - up * 0.35, across * (k - 5.5) * 0.07 + up * 0.3
        canvas.bar(palm + near * eye, palm + far * eye, 0.2 * eye, skin * (0.90 + 0.012 * k))
    for k, length in enumerate((0.75, 0.95, 1.0, 0.8)):
        root = palm + across * (k - 1.5) * 0.23 * eye + up * 0.25 * eye
        bend = up + across * (k - 1.5) * 0.12
        for thick, level in ((0.24, 0.78), (0.19, 1.0)):
            canvas.bar(root, root + bend * length * eye, thick * eye, np.minimum(skin * level * (0.94 + 0.03 * k), 255))
    thumb = palm - across * side * 0.45 * eye
    canvas.bar(thumb - up * 0.2 * eye, thumb - across * side * 0.35 * eye + up * 0.45 * eye, 0.25 * eye, skin * 0.95)


_DRAW: Mapping[str, Callable[[_Canvas, Points, float, np.random.Generator, float], None]] = MappingProxyType(
    {"hand": _hand, "glasses": _glasses, "microphone": _microphone}
)

"""Things in front of faces, drawn at random: hands, arms, sticks, cups, hair, glasses and shapes of any texture.

Each is a picture of its own with a coverage, soft at its edges; ``put_before`` joins it with the face, throws its shadow and blurs
its motion. Many are skin-coloured, some are cut out of another person's picture: a network that looks for skin alone must fail.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.types import Image, Mask, Points

Floats = NDArray[np.float32]
_SHIFT = 4  # fraction bits of OpenCV's drawing coordinates


def put_before(image: Image, eyes: Points, other: Image, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Put a random thing before a face.

    image (S, S, 3): the face. eyes (2, 2): their centres in it, image left first. other (S, S, 3): of someone else, a texture.
    -> the picture, and how much of each pixel is hidden, (S, S) float32 in [0, 1].
    """
    side = len(image)
    draw = _KINDS[int(rng.choice(len(_KINDS), p=_SHARES))]
    cover, depth = draw(eyes, side, rng)
    paint = _paint(image, eyes, other, cover, depth, draw in (_hand, _arm), draw is _hair, rng)
    if rng.random() < 0.3:
        kernel = _streak(side * rng.uniform(0.02, 0.1), rng.uniform(0, np.pi))
        paint, cover = _floats(cv2.filter2D(paint * cover[..., None], -1, kernel)), _floats(cv2.filter2D(cover, -1, kernel))
        paint = _floats(paint / np.maximum(cover, 1e-3)[..., None])
    under = image.astype(np.float32)
    if rng.random() < 0.5:
        shift = np.array([[1, 0, rng.normal(0, 0.03 * side)], [0, 1, abs(rng.normal(0, 0.04 * side))]])
        shadow = cv2.GaussianBlur(cv2.warpAffine(cover, shift, (side, side)), (0, 0), side * rng.uniform(0.01, 0.05))
        under *= 1 - np.float32(rng.uniform(0.1, 0.6)) * shadow[..., None]
    seen = under + (np.clip(paint, 0, 255) - under) * cover[..., None]
    return np.asarray(np.clip(seen + 0.5, 0, 255), np.uint8), np.asarray(np.clip(cover, 0, 1), np.float32)


def streaked(image: Image, rng: np.random.Generator) -> Image:
    """Blur a picture by a motion in a random direction, up to a fifteenth of its side."""
    return np.asarray(cv2.filter2D(image, -1, _streak(len(image) * rng.uniform(0.01, 0.07), rng.uniform(0, np.pi))), np.uint8)


def texture(side: int, rng: np.random.Generator) -> Floats:
    """Draw a pattern of two colours: clouds, stripes, checks or grain -> (S, S, 3) float32 in 0..255."""
    first, second = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    if rng.random() < 0.5:
        second = np.clip(first + rng.normal(0, 30, 3), 0, 255)
    kind, y, x = rng.random(), *np.mgrid[:side, :side].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), side * rng.uniform(0.02, 0.25)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    if kind < 0.4:
        share = sum(_noise(side, cells, rng) / k for k, cells in enumerate((3, 7, 17), 1)) * 0.4 + 0.5
    elif kind < 0.6:
        share = np.clip(wave * rng.uniform(0.5, 4) + 0.5, 0, 1)
    elif kind < 0.75:
        share = (wave * np.sin((y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period) > 0).astype(np.float32)
    else:
        share = 0.5 + 0.2 * rng.normal(size=(side, side))
    return _floats(first + np.clip(share, 0, 1)[..., None] * (second - first))


def _paint(
    image: Image, eyes: Points, other: Image, cover: Floats, depth: Floats, skin: bool, hair: bool, rng: np.random.Generator
) -> Floats:
    """Colour a thing. depth (S, S) in [0, 1]: how far from its edges; 0 also marks its inner lines."""
    side, kind = len(image), rng.random()
    if hair:
        return _floats(np.array(_HAIR[int(rng.integers(len(_HAIR)))]) * rng.uniform(0.6, 1.3) * (0.55 + 0.9 * depth[..., None]))
    if skin or kind < 0.3:
        grain = 1 + 0.06 * _noise(side, 9, rng) + 0.03 * _noise(side, 40, rng)
        slope = _noise(side, 2, rng) * rng.uniform(0, 0.2)
        light = (rng.uniform(0.6, 0.9) + 0.35 * np.sqrt(depth) + slope) * grain
        paint = _floats(_skin(image, eyes, rng) * light[..., None])
    elif kind < 0.5:
        turned = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(0, 360), rng.uniform(1, 2.5))
        paint = _floats(cv2.warpAffine(other, turned, (side, side), borderMode=cv2.BORDER_REFLECT))
    elif kind < 0.8:
        paint = texture(side, rng)
    else:
        paint = _floats(np.broadcast_to(rng.uniform(0, 255, 3), image.shape))
    if rng.random() < 0.5:
        paint = _floats(paint * (rng.uniform(0.5, 1) + 0.5 * depth[..., None]))
    return paint


def _skin(image: Image, eyes: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a skin colour: mostly about that of this face (below an eye), else of anyone."""
    if rng.random() < 0.65:
        x, y = np.clip(eyes[0] + (eyes[1] - eyes[0]) * rng.uniform(0, 1) + _down(eyes) * 0.45, 2, len(image) - 3).astype(int)
        tone = image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(0) * rng.normal(1.1, 0.15)
    else:
        light, dark = np.array([245.0, 205, 180]), np.array([75.0, 45, 35])
        tone = (dark + (light - dark) * rng.uniform() ** 0.7) * rng.uniform(0.6, 1.1)
    return np.asarray(np.clip(tone + rng.normal(0, 6, 3), 5, 255), np.float64)


def _hand(eyes: Points, side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A palm, an arm and bent fingers, spread or closed; or only a finger or two that point."""
    unit = float(np.hypot(*(eyes[1] - eyes[0]))) * rng.uniform(0.7, 1.25)
    fingers = np.zeros((side, side), np.uint8)
    lines = np.zeros_like(fingers)
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else rng.normal(-np.pi / 2, 0.6)  # mostly raised from below
    up = np.array([np.cos(turn), np.sin(turn)])
    across = np.array([-up[1], up[0]])
    tip = _spot(eyes, side, rng)
    palm = tip - up * unit * rng.uniform(0.3, 1.3)
    wide = unit * rng.uniform(0.75, 0.95)
    shown = range(4) if rng.random() < 0.8 else sorted(rng.choice(4, int(rng.integers(1, 3)), replace=False))
    spread, curl = rng.uniform(0, 0.16), rng.uniform(0.35, 1.0)
    ring = [palm + across * wide * a * 0.5 + up * wide * b for a, b in ((-0.9, -0.5), (-1, 0.35), (1, 0.35), (0.9, -0.5))]
    _fill(fingers, np.array(ring))
    _bar(fingers, palm - up * 0.3 * wide, palm - up * 2 * side + across * side * rng.normal(0, 0.5), wide * rng.uniform(0.6, 0.85))
    for k in shown:
        offset = (k - 1.5) * 0.25
        root = palm + across * wide * offset + up * wide * 0.3
        heading = up + across * (k - 1.5) * 2 * spread + rng.normal(0, 0.05, 2)
        length, thick = unit * curl * (0.85, 1.0, 0.95, 0.72)[k] * rng.uniform(0.85, 1.1), wide * 0.235
        for part in range(3):
            end = root + heading * length / 3
            width = thick * (1 - 0.1 * part)
            _bar(lines, root + across * width / 2, end + across * width / 2, max(1.0, 0.09 * width))
            _bar(lines, root - across * width / 2, end - across * width / 2, max(1.0, 0.09 * width))
            _bar(fingers, root, end, width)
            if rng.random() < 0.5:
                _bar(lines, end - across * width * 0.3, end + across * width * 0.3, max(1.0, 0.07 * width))
            root, heading = end, heading + rng.normal(0, 0.12, 2)
    if rng.random() < 0.8:
        hand = rng.choice([-1, 1])
        root = palm + across * hand * wide * 0.42 - up * wide * 0.2
        _bar(fingers, root, root + (across * hand * rng.uniform(0.1, 0.9) + up * 0.6) * unit * 0.6, wide * 0.26)
    return _softened(fingers, unit, _floats(lines) / np.float32(255))


def _arm(eyes: Points, side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    unit, canvas = float(np.hypot(*(eyes[1] - eyes[0]))), np.zeros((side, side), np.uint8)
    through, angle = _spot(eyes, side, rng), rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)]) * 2 * side
    start = through - along if rng.random() < 0.5 else through
    _bar(canvas, start, through + along, unit * rng.uniform(0.5, 1.3))
    return _softened(canvas, unit, None)


def _stick(eyes: Points, side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A stick, with a ball at its end more often than not: a microphone, a pen, a spoon, a straw."""
    unit, canvas = float(np.hypot(*(eyes[1] - eyes[0]))), np.zeros((side, side), np.uint8)
    tip, angle = _spot(eyes, side, rng), rng.uniform(0, 2 * np.pi)
    _bar(canvas, tip, tip + np.array([np.cos(angle), np.sin(angle)]) * 2 * side, unit * rng.uniform(0.04, 0.35))
    if rng.random() < 0.6:
        axes = unit * rng.uniform(0.15, 0.45) * np.array([1, rng.uniform(0.6, 1)])
        _fill(canvas, _ellipse(tip, axes, angle))
    return _softened(canvas, unit, None)


def _blob(eyes: Points, side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A closed shape, round or with corners: a cup, a phone, a mask, a leaf, somebody's shoulder."""
    unit, canvas = float(np.hypot(*(eyes[1] - eyes[0]))), np.zeros((side, side), np.uint8)
    count = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count)) if rng.random() < 0.5 else np.linspace(0, 2 * np.pi, count, endpoint=False)
    reach = unit * rng.uniform(0.2, 1.1) * rng.uniform(0.5, 1.2, count)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None] * [1, rng.uniform(0.4, 1.6)]
    turn = rng.uniform(0, np.pi)
    ring = ring @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if rng.random() < 0.5:  # corners rounded
        thrice = np.tile(np.repeat(ring, 8, axis=0), (3, 1))
        ring = np.asarray(cv2.blur(thrice, (1, 13)), np.float64)[8 * count : 16 * count]
    _fill(canvas, ring + _spot(eyes, side, rng), convex=False)
    return _softened(canvas, unit, None)


def _hair(eyes: Points, side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Strands that fall from above the forehead, as a fringe, over one side, or a few of them anywhere."""
    unit = float(np.hypot(*(eyes[1] - eyes[0])))
    cover, shade = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)
    down, right = _down(eyes), eyes[1] - eyes[0]
    middle, kind = eyes.mean(0), rng.random()
    left, wide = (-1.3, 2.6) if kind < 0.5 else (rng.choice([-1.35, 0.55]), 0.8) if kind < 0.8 else (rng.uniform(-1.2, 1), 0.3)
    reach = rng.uniform(0.3, 0.9) if kind < 0.5 else rng.uniform(0.8, 3.0)
    slant, thick = rng.normal(0, 0.25), rng.uniform(0.02, 0.07) * unit
    for _ in range(int(rng.integers(40, 130) * (wide / 2.6 + 0.15))):
        across = left + wide * rng.uniform()
        top = middle - down * rng.uniform(1.2, 1.7) + right * (across * rng.uniform(0.7, 1))
        end = top + down * (reach + rng.normal(0, 0.15) + 0.4) + right * (slant + rng.normal(0, 0.06))
        bend = right * rng.normal(0, 0.12) + right * 0.25 * np.sign(across) * (kind >= 0.5)
        steps = np.linspace(0, 1, 7)[:, None]
        curve = top * (1 - steps) ** 2 + 2 * ((top + end) / 2 + bend) * steps * (1 - steps) + end * steps**2
        points = [np.round(curve * 2**_SHIFT).astype(np.int32)]
        width = max(1, round(thick * rng.uniform(0.5, 1.3)))
        cv2.polylines(cover, points, False, 255, width, cv2.LINE_AA, _SHIFT)
        cv2.polylines(shade, points, False, int(rng.integers(40, 230)), width, cv2.LINE_AA, _SHIFT)
    return _floats(cover) / np.float32(255), _floats(shade) / np.float32(255)


def _glasses(eyes: Points, side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Two rims, a bridge and temples; sometimes the lenses are dark and hide the eyes."""
    canvas, right, down = np.zeros((side, side), np.uint8), eyes[1] - eyes[0], _down(eyes)
    unit = float(np.hypot(*right))
    thick, dark = max(1.0, unit * rng.uniform(0.02, 0.09)), rng.random() < 0.25
    half = np.array([rng.uniform(0.33, 0.45), rng.uniform(0.22, 0.4)])
    power, lower = rng.uniform(0.4, 1.0), rng.uniform(0, 0.12)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    cos, sin = (np.sign(v) * np.abs(v) ** power for v in (np.cos(angles), np.sin(angles)))
    for eye, out in zip(eyes, (-1, 1), strict=True):
        middle = eye + down * lower + right * out * 0.04
        ring = middle + cos[:, None] * half[0] * right + sin[:, None] * half[1] * down
        if dark:
            _fill(canvas, ring)
        for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            _bar(canvas, a, b, thick)
        edge = middle + right * out * half[0]
        _bar(canvas, edge, edge + right * out * rng.uniform(0.2, 0.5) + down * rng.normal(-0.03, 0.05), thick)
        _bar(canvas, middle - right * out * half[0], eyes.mean(0) + down * lower * 0.7, thick)
    return _softened(canvas, unit, None)


_KINDS: tuple[Callable[[Points, int, np.random.Generator], tuple[Floats, Floats]], ...] = (
    _hand, _arm, _stick, _blob, _hair, _glasses,
)  # fmt: skip
_SHARES = (0.36, 0.08, 0.12, 0.14, 0.16, 0.14)
_HAIR = ((20.0, 15, 12), (45.0, 30, 20), (90.0, 60, 40), (150.0, 110, 70), (200.0, 170, 120), (120.0, 50, 25), (150.0, 150, 150))


def _spot(eyes: Points, side: int, rng: np.random.Generator) -> Points:
    """A place on or near the face."""
    right, down = eyes[1] - eyes[0], _down(eyes)
    spot = eyes.mean(0) + right * rng.normal(0, 0.75) + down * rng.normal(0.6, 0.75)
    return np.asarray(np.clip(spot, -0.1 * side, 1.1 * side), np.float64)


def _down(eyes: Points) -> Points:
    right = eyes[1] - eyes[0]
    return np.array([-right[1], right[0]])


def _ellipse(middle: Points, axes: Points, angle: float) -> Points:
    around = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    flat = np.stack([np.cos(around) * axes[0], np.sin(around) * axes[1]], 1)
    return np.asarray(middle + flat @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]), np.float64)


def _bar(canvas: NDArray[np.uint8], start: Points, end: Points, thick: float) -> None:
    a, b = (tuple(np.round(p * 2**_SHIFT).astype(int).tolist()) for p in (start, end))
    cv2.line(canvas, a, b, 255, max(1, round(thick)), cv2.LINE_AA, _SHIFT)


def _fill(canvas: NDArray[np.uint8], ring: Points, *, convex: bool = True) -> None:
    points = np.round(ring * 2**_SHIFT).astype(np.int32)
    if convex:
        cv2.fillConvexPoly(canvas, points, 255, cv2.LINE_AA, _SHIFT)
    else:
        cv2.fillPoly(canvas, [points], 255, cv2.LINE_AA, _SHIFT)


def _softened(canvas: NDArray[np.uint8], unit: float, lines: Floats | None) -> tuple[Floats, Floats]:
    """Coverage, and depth from the edges: 1 from a fifth of the eyes' distance on; dark along lines."""
    far = cv2.distanceTransform((canvas > 127).astype(np.uint8), cv2.DIST_L2, 3) / max(0.2 * unit, 1.0)
    depth = np.clip(far, 0, 1)
    if lines is not None:
        depth *= 1 - 0.8 * cv2.GaussianBlur(lines, (0, 0), 0.6)
    return _floats(canvas) / np.float32(255), _floats(depth)


def _floats(array: NDArray[np.generic]) -> Floats:
    return np.asarray(array, np.float32)


def _noise(side: int, cells: int, rng: np.random.Generator) -> Floats:
    coarse = rng.normal(size=(cells, cells)).astype(np.float32)
    return _floats(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def _streak(length: float, angle: float) -> Floats:
    """A kernel that smears over a length in pixels."""
    half = max(1, int(np.ceil(length / 2)))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    _bar(kernel, half - reach, half + reach, 1)
    return _floats(kernel) / np.float32(max(int(kernel.sum(dtype=np.int64)), 1))

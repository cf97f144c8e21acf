"""The visible label: "AI-generated" or "AI合成" in a corner of the picture, as GB 45438-2025 wants it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from bianlian.provenance.glyphs import GLYPHS, WEIGHT, curve
from bianlian.types import Frame, Image

Span = Literal["none", "start", "all"]
Language = Literal["zh", "en"]
SPANS: tuple[Span, ...] = ("none", "start", "all")
TEXTS: Mapping[Language, str] = MappingProxyType({"zh": "AI合成", "en": "AI-generated"})
HEIGHT = 0.055
"""Height of a letter over the picture's short side; the standard asks for 0.05."""
SECONDS = Fraction(3)
"""How long ``start`` shows it; the standard asks for 2."""
_MARGIN, _ROOM, _SHADE, _FINER = 0.6, 0.45, 0.55, 4
_LEAST = 8


@final
class Label:
    """Draws the label on frames of one size. A clip has it at its start or all the time, pictures without time always."""

    def __init__(self, width: int, height: int, span: Span, language: Language, first: Fraction | None = None) -> None:
        """width, height: pixels of the frames; first: time of the clip's first frame, that of the first one asked for when None."""
        self._span, self._first = span, first
        size = max(_LEAST, round(HEIGHT * min(width, height) + 0.499))
        text = _text(TEXTS[language], size)
        room, margin = round(_ROOM * size), round(_MARGIN * size)
        fits = min(1.0, (width - 2) / (text.shape[1] + 2 * room))
        if fits < 1:
            flat = Pillow.fromarray((255 * text).astype(np.uint8))
            text = _shade(flat.resize((max(1, int(text.shape[1] * fits)), text.shape[0])))
            room = max(1, int(room * fits))
        text = np.pad(text, room)
        top, left = min(margin, max(0, height - text.shape[0])), min(margin, max(0, width - text.shape[1]))
        text = text[: height - top, : width - left]
        self._at = np.s_[top : top + text.shape[0], left : left + text.shape[1]]
        self._text = text[..., None]

    def shows(self, frame: Frame) -> bool:
        """Tell whether a frame has the label; frames come in the order of time."""
        if self._span != "start" or frame.seconds is None:
            return self._span != "none"
        if self._first is None:
            self._first = frame.seconds
        return frame.seconds - self._first < SECONDS

    def draw(self, image: Image) -> Image:
        """Draw the label -> a new picture."""
        out = image.copy()
        under = out[self._at].astype(np.float32) * (1 - _SHADE)
        out[self._at] = np.round(under + (255 - under) * self._text).astype(np.uint8)
        return out


def _text(text: str, size: int) -> NDArray[np.float32]:
    """Draw a line of text -> (h, w) float32 in [0, 1]; its capitals and characters are ``size`` pixels high, or a little more."""
    parts = [_glyph(c, size) if c in GLYPHS else None for c in text]
    latin = "".join(c for c, part in zip(text, parts, strict=True) if part is None)
    gap = np.zeros((size, max(1, size // 6)), np.float32)
    rows = [_latin(latin, size)]
    for part in parts:
        if part is not None:
            rows += [gap, part]
    high = max(row.shape[0] for row in rows)
    return np.concatenate([np.pad(row, ((0, high - row.shape[0]), (0, 0))) for row in rows], axis=1)


def _latin(text: str, size: int) -> NDArray[np.float32]:
    """Draw letters with Pillow's own font, the capitals ``size`` pixels high; what hangs below them hangs below."""
    points = size
    for _ in range(4):
        font = ImageFont.load_default(points)
        top, bottom = font.getbbox("A")[1::2]
        points = max(1, round(points * size / (bottom - top)))
    font = ImageFont.load_default(points)
    left, _, right, below = font.getbbox(text)
    top = font.getbbox("A")[1]
    canvas = Pillow.new("L", (int(np.ceil(right - left)) + 1, int(np.ceil(below - top)) + 1))
    ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=font, stroke_width=max(0, size // 40), stroke_fill=255)
    return _shade(canvas)


def _glyph(character: str, size: int) -> NDArray[np.float32]:
    """Draw one of the characters, ``size`` pixels wide and high."""
    scale = size * _FINER / 100
    canvas = Pillow.new("L", (size * _FINER, size * _FINER))
    draw, half = ImageDraw.Draw(canvas), WEIGHT * scale / 2
    for stroke in GLYPHS[character]:
        points = [(x * scale, y * scale) for x, y in curve(stroke)]
        draw.line(points, fill=255, width=round(2 * half), joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - half, y - half, x + half, y + half), fill=255)
    return _shade(canvas.resize((size, size), Pillow.Resampling.BOX))


def _shade(canvas: Pillow.Image) -> NDArray[np.float32]:
    return np.asarray(np.asarray(canvas, np.float32) / np.float32(255), np.float32)

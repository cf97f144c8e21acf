"""Small pictures of frames for the report, in bounded memory: when there are too many, every other one goes."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import final

import cv2
import numpy as np

from bianlian.score.pair import Pair, shrunk
from bianlian.types import Image

MOST = 512
"""Frames that are kept at most."""
SIDE = 176
"""Side of a picture in pixels."""
_EDGE = (255, 214, 0)


@dataclass(frozen=True)
class Thumb:
    """JPEG data of target, output, and the output less the target (grey: no change) with the measured face outlined."""

    target: bytes
    out: bytes
    change: bytes
    truth: bytes | None


@final
class Thumbs:
    """Keeps pictures of evenly spread frames."""

    def __init__(self) -> None:
        self.kept: dict[int, Thumb] = {}
        self._stride, self._seen = 1, 0

    def add(self, pair: Pair) -> None:
        """Take the next frame."""
        if self._seen % self._stride == 0:
            self.kept[pair.frame] = _thumb(pair)
        self._seen += 1
        if len(self.kept) >= MOST:
            self.kept = dict(list(self.kept.items())[::2])
            self._stride *= 2


def address(data: bytes) -> str:
    """Put a JPEG into a data address."""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"


def _thumb(pair: Pair) -> Thumb:
    target, out = _square(pair, pair.target.image), _square(pair, pair.out.image)
    change = np.clip(128 + 2 * (out.astype(np.int16) - target), 0, 255).astype(np.uint8)
    inside = np.zeros((SIDE, SIDE), np.uint8)
    small = cv2.resize(pair.region.depth, _fitted(pair), interpolation=cv2.INTER_LINEAR)
    inside[: small.shape[0], : small.shape[1]] = small > 0
    edges, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(change, edges, -1, _EDGE, 1)
    truth = None if pair.truth is None else _jpeg(_square(pair, pair.truth.image))
    return Thumb(_jpeg(target), _jpeg(out), _jpeg(change), truth)


def _fitted(pair: Pair) -> tuple[int, int]:
    x1, y1, x2, y2 = pair.region.box
    factor = SIDE / max(x2 - x1, y2 - y1)
    return max(1, round(factor * (x2 - x1))), max(1, round(factor * (y2 - y1)))


def _square(pair: Pair, image: Image) -> Image:
    size = _fitted(pair)
    small = shrunk(pair.region.cut(image), size)
    square = np.full((SIDE, SIDE, 3), 128, np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    return square


def _jpeg(image: Image) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return data.tobytes()

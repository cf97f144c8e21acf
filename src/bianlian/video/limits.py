"""How large a picture may be: a file from anywhere may promise any size, and memory is taken before its pixels are read."""

from __future__ import annotations

from pathlib import Path

from bianlian.errors import VideoError

MOST_PIXELS = 178_956_970
"""Pixels of one picture or frame, 537 MB as RGB: what Pillow takes for the border of an attack; five times 8K."""
LONGEST_SIDE = 32_766
"""Pixels of a side: OpenCV's warps count them in 16 bits."""
MOST_DEEP_PIXELS = 40_000_000
"""Pixels of a picture that is worked on with more than 8 bits a colour: 8K, and a little more."""


def check_size(path: Path, width: int, height: int, most: int = MOST_PIXELS) -> None:
    """Raise VideoError unless a picture of this size can be handled. most: pixels in all."""
    if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE and width * height <= most):
        wanted = f"at most {LONGEST_SIDE} pixels a side and {most // 1_000_000} million in all"
        raise VideoError(f"wanted a picture of {wanted}, {path} has {width} x {height}: scale it down first")

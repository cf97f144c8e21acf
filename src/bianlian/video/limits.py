"""How large a picture may be: a file from anywhere may promise any size, and memory is taken before its pixels are read."""

from __future__ import annotations

from pathlib import Path

from bianlian.errors import VideoError

MOST_PIXELS = 178_956_970
"""Pixels of one picture or frame, 537 MB as RGB: what Pillow takes for the border of an attack; five times 8K."""
LONGEST_SIDE = 32_766
"""Pixels of a side: OpenCV's warps count them in 16 bits."""


def check_size(path: Path, width: int, height: int) -> None:
    """Raise VideoError unless a picture of this size can be handled."""
    if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE and width * height <= MOST_PIXELS):
        wanted = f"at most {LONGEST_SIDE} pixels a side and {MOST_PIXELS // 1_000_000} million in all"
        raise VideoError(f"wanted a picture of {wanted}, {path} has {width} x {height}: scale it down first")

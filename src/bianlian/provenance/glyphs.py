"""The two Chinese characters of the visible label, drawn for it stroke by stroke: no font that ships here has any.

Each stroke is a line through points (x, y) of a square of 100 x 100, y down; a curve where it has three points or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Strokes = tuple[tuple[tuple[float, float], ...], ...]

GLYPHS: Mapping[str, Strokes] = MappingProxyType(
    {
        "合": (
            ((50, 5), (38, 21), (24, 33), (6, 43)),
            ((50, 5), (62, 21), (76, 33), (94, 43)),
            ((31, 47), (69, 47)),
            ((24, 61), (24, 95)),
            ((24, 62), (76, 62)),
            ((76, 61), (76, 95)),
            ((24, 90), (76, 90)),
        ),
        "成": (
            ((16, 22), (93, 22)),
            ((17, 22), (17, 45), (14, 72), (5, 94)),
            ((17, 45), (44, 45)),
            ((44, 44), (43, 60), (41, 74), (37, 79), (29, 78)),
            ((54, 5), (55, 28), (60, 54), (70, 78), (82, 92), (90, 91), (94, 74)),
            ((84, 37), (76, 56), (64, 74), (48, 91)),
            ((68, 6), (75, 10), (82, 16)),
        ),
    }
)
WEIGHT = 9.0
"""Width of a stroke."""


def curve(points: tuple[tuple[float, float], ...], steps: int = 12) -> list[tuple[float, float]]:
    """Draw a smooth line through points (Catmull and Rom 1974) -> more points."""
    if len(points) < 3:
        return list(points)
    padded = (points[0], *points, points[-1])
    out = []
    for k in range(len(points) - 1):
        a, b, c, d = padded[k : k + 4]
        for step in range(steps):
            t = step / steps
            x, y = (
                b[i] + t / 2 * (c[i] - a[i] + t * (2 * a[i] - 5 * b[i] + 4 * c[i] - d[i] + t * (3 * (b[i] - c[i]) + d[i] - a[i])))
                for i in (0, 1)
            )
            out.append((x, y))
    return [*out, points[-1]]

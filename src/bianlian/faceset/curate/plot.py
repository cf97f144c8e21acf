"""The coverage of poses as a drawing: yaw across, pitch up and down, one square for five degrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP, YAW, PITCH = 5, 90, 45
_CELL, _LEFT, _TOP = 16, 54, 14


def coverage_plot(pose: NDArray[np.float64], kept: NDArray[np.bool_]) -> str:
    """Draw which poses (N, 3) there are -> SVG. Filled: kept faces, darker for more; outlined: only dropped ones."""
    across, down = 2 * YAW // STEP, 2 * PITCH // STEP
    counts = {flag: _count(pose[kept == flag], across, down) for flag in (True, False)}
    most = max(1, int(counts[True].max()))
    width, height = _LEFT + across * _CELL + 12, _TOP + down * _CELL + 52
    parts = [
        f'<svg class="poses" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="Kept faces by yaw and pitch">',
        f'<rect class="field" x="{_LEFT}" y="{_TOP}" width="{across * _CELL}" height="{down * _CELL}"/>',
    ]
    for row in range(down):
        for column in range(across):
            inside, outside = int(counts[True][row, column]), int(counts[False][row, column])
            if inside or outside:
                parts.append(_cell(row, column, inside, outside, most))
    return "\n".join([*parts, *_axes(across, down), "</svg>"])


def _count(pose: NDArray[np.float64], across: int, down: int) -> NDArray[np.float64]:
    """Count faces a square; those beyond the field count at its border."""
    pitch = np.clip(pose[:, 1], -PITCH, PITCH - 1e-9)
    yaw = np.clip(pose[:, 0], -YAW, YAW - 1e-9)
    return np.histogram2d(pitch, yaw, bins=(down, across), range=((-PITCH, PITCH), (-YAW, YAW)))[0]


def _cell(row: int, column: int, inside: int, outside: int, most: int) -> str:
    x, y = _LEFT + column * _CELL, _TOP + row * _CELL
    yaw, pitch = -YAW + STEP * column, -PITCH + STEP * row
    title = f"<title>yaw {yaw} to {yaw + STEP}, pitch {pitch} to {pitch + STEP}: {inside} kept, {outside} dropped</title>"
    place = f'x="{x + 1}" y="{y + 1}" width="{_CELL - 2}" height="{_CELL - 2}"'
    if not inside:
        return f'<rect class="dropped" {place}>{title}</rect>'
    strength = 0.25 + 0.75 * np.log1p(inside) / np.log1p(most)
    return f'<rect class="kept" fill-opacity="{strength:.2f}" {place}>{title}</rect>'


def _axes(across: int, down: int) -> list[str]:
    out = []
    bottom = _TOP + down * _CELL
    for yaw in range(-YAW, YAW + 1, 30):
        x = _LEFT + (yaw + YAW) // STEP * _CELL
        out.append(f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}"/>')
        out.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{yaw}°</text>')
    for pitch in range(-PITCH, PITCH + 1, 15):
        y = _TOP + (pitch + PITCH) // STEP * _CELL
        out.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_LEFT + across * _CELL}" y2="{y}"/>')
        out.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{pitch}°</text>')
    middle = _LEFT + across * _CELL // 2
    out.append(f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">← turned to the left · yaw · to the right →</text>')
    turned = _TOP + down * _CELL // 2
    out.append(f'<text transform="translate(14 {turned}) rotate(-90)" text-anchor="middle">← down · pitch · up →</text>')
    return out

"""What a faceset lacks, in words: poses, expressions and light that no kept face shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bianlian.faceset.curate.expression import LEFT_EYE, MOUTH, RIGHT_EYE
from bianlian.faceset.curate.table import Table

FEW = 3
"""Fewer faces than this are none: a model does not learn from one."""
_YAW, _PITCH = (60, 45, 30, 15), (30, 20, 10)
_WIDE_YAW, _WIDE_PITCH = 45, 20  # beyond it most footage has nothing, and nobody misses it
_CLOSED, _OPEN_MOUTH, _SIDE = 0.02, 0.06, 20.0
ENOUGH = 300


def gaps(table: Table, kept: NDArray[np.bool_]) -> list[str]:
    """Say what the kept faces lack, one line each; empty when nothing is. Left and right are the picture's."""
    if not kept.any():
        return ["no face is kept"]
    yaw, pitch = table.pose[kept, 0], table.pose[kept, 1]
    found = [
        _beyond(yaw, _YAW, _WIDE_YAW, "to the right"),
        _beyond(-yaw, _YAW, _WIDE_YAW, "to the left"),
        _beyond(-pitch, _PITCH, _WIDE_PITCH, "upward"),
        _beyond(pitch, _PITCH, _WIDE_PITCH, "downward"),
    ]
    if (np.abs(yaw) < 10).sum() < FEW:
        found.append("no faces that look straight into the camera")
    if table.expression[kept].any():
        eyes = table.expression[kept][:, [RIGHT_EYE, LEFT_EYE]].max(axis=1)
        found.append("" if (eyes < _CLOSED).sum() >= FEW else "no faces with closed eyes")
        found.append("" if (table.expression[kept, MOUTH] > _OPEN_MOUTH).sum() >= FEW else "no faces with a wide open mouth")
    for side, where in ((table.side[kept], "right"), (-table.side[kept], "left")):
        found.append("" if (side > _SIDE).sum() >= FEW else f"no faces lit from the {where}")
    count = int(kept.sum())
    if count < ENOUGH:
        found.append(f"only {count} faces are kept; {ENOUGH} and more teach a model better")
    return [line for line in found if line]


def _beyond(angle: NDArray[np.float64], steps: tuple[int, ...], wide: int, where: str) -> str:
    """Name the least of the steps that hardly any face is turned beyond; empty when faces go as far as ``wide``."""
    lacking = [step for step in steps if step <= wide and (angle > step).sum() < FEW]
    return f"no faces beyond {min(lacking)} degrees {where}" if lacking else ""

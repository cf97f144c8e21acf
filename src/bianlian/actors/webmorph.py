"""Marks from the 189 points of webmorph templates, set by hand, as the Face Research Lab London Set has them.

A more exact fit than a landmarker's points give, for photos that come with a ``.tem`` file or a table of points.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian.actors.layout import Side
from bianlian.actors.marks import JAW_POINTS, EyeMarks, Marks, resample
from bianlian.errors import InputError
from bianlian.types import Points

_WIDTH = 1350
"""Width in pixels of the photos that ``.tem`` files count in."""
_JAW = (109, 185, 110, 186, 111, 125, 126, 127, 128, 129, 130, 131, 132, 133, 114, 188, 113, 187, 112)
_TABLE = "_points189.csv"


def find_points(photo: Path) -> Path | None:
    """Find the points that lie beside a photo: NAME.tem or NAME_points189.csv; None where there are none."""
    beside = (photo.with_suffix(".tem"), photo.with_name(photo.stem + _TABLE))
    return next((path for path in beside if path.is_file()), None)


def read_points(path: Path, width: int) -> Points:
    """Read 189 points (189, 2), pixels of the photo. width: of the photo. Raises InputError."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".tem":
            lines = text.splitlines()
            rows = [[float(v) for v in line.split()] for line in lines[1 : int(lines[0]) + 1]]
            points = np.array(rows) * width / _WIDTH
        else:
            points = np.array([[float(row["x"]), float(row["y"])] for row in csv.DictReader(text.splitlines())])
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"{path} holds no points ({error}); wanted a webmorph template, or a table with x and y") from error
    if points.shape != (189, 2) or not np.isfinite(points).all():
        raise InputError(f"{path} should hold 189 points, got an array of {points.shape}")
    return points


def marks_of_189(p: Points, landmarks: NDArray[np.int64]) -> Marks:
    """Take marks from the 189 points (189, 2). landmarks (68,): the head's."""
    rows, weights = np.arange(17, 68), np.ones(68)
    weights[27:31] = 0.3
    eyes: dict[Side, EyeMarks] = {
        "image_left": _eye(p, 0, (18, 19, 20, 21, 22), (30, 29, 28), range(2, 10)),
        "image_right": _eye(p, 1, (23, 24, 25, 26, 27), (33, 32, 31), range(10, 18)),
    }
    return Marks(landmarks[rows], landmarks_of(p)[rows], weights[rows], resample(p[list(_JAW)], JAW_POINTS), p[71:83], eyes)


def landmarks_of(p: Points) -> Points:
    """Give the iBUG points (68, 2) but for the jaw's, which are left at 0."""
    out = np.zeros((68, 2))
    out[17:22], out[22:27] = resample(p[71:77], 5), resample(p[77:83], 5)
    top = (p[50] + p[56] + p[51] + p[57]) / 4
    out[27:31] = resample(np.array([top, (p[52] + p[58]) / 2, (p[53] + p[59]) / 2, (p[54] + p[60]) / 2]), 4)
    out[31:36] = (p[63] + p[64]) / 2, (p[64] + p[180]) / 2, p[55], (p[181] + p[69]) / 2, (p[68] + p[69]) / 2
    out[36:40], out[40:42] = resample(p[18:23], 4), resample(p[[22, 30, 29, 28, 18]], 4)[1:3]
    out[42:46], out[46:48] = resample(p[23:28], 4), resample(p[[27, 33, 32, 31, 23]], 4)[1:3]
    out[48:55], out[55:60] = p[87:94], p[[108, 107, 106, 105, 104]]
    out[60:65] = (p[87] + p[94]) / 2, p[95], p[96], p[97], (p[93] + p[98]) / 2
    out[65:68] = p[[102, 101, 100]]
    return out


def _eye(p: Points, pupil: int, upper: tuple[int, ...], lower: tuple[int, ...], iris: range) -> EyeMarks:
    opening = np.concatenate([resample(p[list(upper)], 20), p[list(lower)]])
    return EyeMarks(p[pupil], float(np.linalg.norm(p[list(iris)] - p[pupil], axis=1).mean()), opening)

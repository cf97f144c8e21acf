"""Choose a diverse few of many: leave out near-duplicates, then take the faces that differ most from those taken.

Source: T. F. Gonzalez, "Clustering to minimize the maximum intercluster distance", Theor. Comput. Sci. 38, 1985 (farthest-first
traversal). What differs: distances are weighed by sharpness, so that of two faces that add as much the sharper goes first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bianlian.faceset.curate.table import Table

_POSE = np.array([15.0, 15.0, 30.0])
_EXPRESSION = np.array([0.025, 0.025, 0.05, 0.05, 0.04, 0.06])
_LIGHT = 60.0
"""What makes one step of difference: degrees of yaw, pitch and roll (a crop is level already); shares of the face's width
(closed eyes are 0.04 from open ones); grey levels."""
SAME = 0.12
"""Difference in steps up to which two faces teach the same, if their pictures look alike too: 2 degrees, or an eighth of a blink.
Of clips of one speaking person, looked at every 0.24 seconds, it leaves out a tenth; of a still person a third."""
_BLOCK = 1024


def features(table: Table) -> NDArray[np.float64]:
    """Place each face by pose, expression and light -> (N, 12), one step of difference a unit."""
    light = np.stack([table.level, table.side, table.top], axis=1)
    return np.concatenate([table.pose / _POSE, table.expression / _EXPRESSION, light / _LIGHT], axis=1)


def duplicates(places: NDArray[np.float64], hashes: NDArray[np.uint64], bits: int, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Find the faces that repeat another -> (N,) row of the face each repeats, -1 where it repeats none.

    places (N, F); hashes (N,) uint64, alike when at most ``bits`` differ; order: rows, the best first, which are kept over others.
    """
    signs = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1).astype(np.float32) * 2 - 1
    found = np.full(len(places), -1, np.intp)
    kept = np.zeros(0, np.intp)
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        found[block] = _first_alike(places, signs, block, kept, bits)
        left = block[found[block] < 0]
        new: list[np.intp] = []
        within = _alike(places, signs, left, left, bits)
        for k, row in enumerate(left):
            before = np.flatnonzero(within[k, :k])
            first = next((int(j) for j in before if found[left[j]] < 0), None)
            if first is None:
                new.append(row)
            else:
                found[row] = left[first]
        kept = np.concatenate([kept, np.array(new, np.intp)])
    return found


def farthest_first(places: NDArray[np.float64], worth: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Choose ``count`` rows of places (N, F) that cover them, the first nearest the median -> their indices as chosen.

    worth: (N,) in [0, 1]; the worthiest counts as a third farther than the least.
    """
    if count >= len(places):
        return np.arange(len(places))
    far = np.full(len(places), np.inf)
    weight = 0.75 + 0.25 * worth
    row = int(np.linalg.norm(places - np.median(places, axis=0), axis=1).argmin())
    chosen = np.empty(count, np.intp)
    for k in range(count):
        chosen[k] = row
        np.minimum(far, np.linalg.norm(places - places[row], axis=1), out=far)
        far[row] = -1.0
        row = int((far * weight).argmax())
    return chosen


def _first_alike(
    places: NDArray[np.float64], signs: NDArray[np.float32], block: NDArray[np.intp], kept: NDArray[np.intp], bits: int
) -> NDArray[np.intp]:
    """Find, for each row of a block, a kept row that it repeats; -1 where there is none."""
    found = np.full(len(block), -1, np.intp)
    for start in range(0, len(kept), 8 * _BLOCK):
        some = kept[start : start + 8 * _BLOCK]
        alike = _alike(places, signs, block, some, bits)
        hit = alike.any(axis=1) & (found < 0)
        found[hit] = some[alike[hit].argmax(axis=1)]
    return found


def _alike(
    places: NDArray[np.float64], signs: NDArray[np.float32], a: NDArray[np.intp], b: NDArray[np.intp], bits: int
) -> NDArray[np.bool_]:
    """Tell which rows of a and b are near-duplicates -> (len(a), len(b))."""
    alike = signs[a] @ signs[b].T >= signs.shape[1] - 2 * bits
    rows, columns = np.nonzero(alike)
    for start in range(0, len(rows), 1 << 18):
        part = slice(start, start + (1 << 18))
        apart = np.linalg.norm(places[a[rows[part]]] - places[b[columns[part]]], axis=1)
        alike[rows[part], columns[part]] = apart <= SAME
    return np.asarray(alike, np.bool_)

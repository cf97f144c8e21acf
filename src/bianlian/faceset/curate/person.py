"""Whose faceset it is: the largest group of like descriptions, and which faces belong to it.

The person is the densest place among the descriptions. A face belongs when it lies near the mean of that place, or near several
faces that belong: a head that turns drifts away from its mean step by step, another person is far from all of it. Measured with
``dlib`` on clips: a person's faces lie up to 0.6 from their mean, but within 0.36 of their fifth neighbour; two virtual people
who look alike lie 0.50 from each other's mean and 0.51 from each other's faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bianlian.identity.people import distances

FEWEST = 5
"""Fewer described faces than this cannot tell who the person is; all belong then."""
_SAMPLE, _NEIGHBOURS, _BLOCK = 2000, 3, 4096


@dataclass(frozen=True, eq=False)
class Belonging:
    """How far each face lies from the person. distance: (N,), the lesser of that to the mean and that to the faces which belong;
    NaN where it was not described. share: of the described faces that belong."""

    distance: NDArray[np.float64]
    share: float


def belong(descriptions: NDArray[np.float32], reach: float) -> Belonging:
    """Find the main person among descriptions (N, D), rows of NaN where a face was not described.

    reach: a face belongs when its distance is at most this.
    """
    distance = np.full(len(descriptions), np.nan)
    rows = np.flatnonzero(np.isfinite(descriptions).all(axis=1))
    if len(rows) < FEWEST:
        distance[rows] = 0.0
        return Belonging(distance, 1.0)
    described = np.asarray(descriptions[rows], np.float64)
    found = distances(described, _mean(described, reach)[None])[:, 0]
    new = _spread(described, found <= reach)
    while len(new):
        outside = np.flatnonzero(found > reach)
        if not len(outside):
            break
        link = _nearest(described[outside], described[_members(found <= reach, new)])
        found[outside] = np.minimum(found[outside], link)
        new = _spread(described, np.isin(np.arange(len(found)), outside) & (found <= reach))
    distance[rows] = found
    return Belonging(distance, float((found <= reach).mean()))


def _mean(described: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Find the mean of the densest place (D,): begin at the face with the most near ones, then move with those that are near."""
    sample = described[_spread(described, np.ones(len(described), np.bool_))]
    near = distances(sample, sample) <= reach
    mean = sample[near[int(near.sum(1).argmax())]].mean(0)
    for _ in range(5):
        inside = distances(sample, mean[None])[:, 0] <= reach
        if not inside.any():
            break
        mean = sample[inside].mean(0)
    return np.asarray(mean)


def _spread(described: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Choose up to _SAMPLE of the rows that a mask marks, evenly."""
    rows = np.flatnonzero(mask)
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int))] if len(rows) else rows


def _members(inside: NDArray[np.bool_], new: NDArray[np.intp]) -> NDArray[np.intp]:
    """Choose the faces that links are sought to: the new ones, and others that belong when these are too few to judge by."""
    if len(new) >= 10 * _NEIGHBOURS:
        return new
    others = np.setdiff1d(np.flatnonzero(inside), new)
    return np.concatenate([new, others[np.linspace(0, len(others) - 1, min(_SAMPLE, len(others))).astype(int)]])


def _nearest(faces: NDArray[np.float64], members: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the distance of each face to its third nearest member."""
    k = min(_NEIGHBOURS, len(members)) - 1
    found = np.empty(len(faces))
    for start in range(0, len(faces), _BLOCK):
        block = distances(faces[start : start + _BLOCK], members)
        found[start : start + _BLOCK] = np.partition(block, k, axis=1)[:, k]
    return found

"""Which faces of a person training never sees: whole stretches of footage, by a rule that depends on nothing but their number."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

STRETCH = 40
"""Faces of one stretch: its last ones are held out together, since neighbours in footage are nearly the same picture."""
FEWEST, MOST = 20, 48
"""With fewer faces none is held out: each one counts. No more than so many are."""


def held_out(count: int, share: float) -> NDArray[np.bool_]:
    """Choose held-out faces. count: faces of a person, in the order of their footage; share: [0, 0.5] -> (count,), true for held.

    The same faces are chosen for the same two numbers, whatever the seed; a resumed run and a later evaluation see the same.
    """
    held = np.zeros(count, bool)
    if count < FEWEST or share <= 0:
        return held
    share = min(share, MOST / count)
    edges = np.linspace(0, count, max(1, min(count // STRETCH, int(MOST / 2))) + 1).astype(int)
    for first, end in pairwise(edges):
        held[end - max(1, int(share * (end - first) + 1e-9)) : end] = True
    return held

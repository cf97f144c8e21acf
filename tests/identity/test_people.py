"""Distances and centres of descriptions."""

from __future__ import annotations

import numpy as np
import pytest

from bianlian.errors import InputError
from bianlian.identity.people import centre, distances


def test_distances_are_euclidean() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 7)), rng.normal(size=(3, 7))
    expected = [[np.linalg.norm(x - y) for y in b] for x in a]
    np.testing.assert_allclose(distances(a, b), expected, atol=1e-9)
    np.testing.assert_allclose(np.diag(distances(a, a)), 0, atol=1e-6)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="descriptions"):
        distances(np.zeros((2, 3)), np.zeros((2, 4)))


def test_one_stranger_does_not_move_a_person() -> None:
    rng = np.random.default_rng(1)
    own = rng.normal(0, 0.01, (19, 8))
    moved = centre(np.concatenate([own, np.full((1, 8), 50.0)]))
    np.testing.assert_allclose(moved, own.mean(0), atol=0.02)
    np.testing.assert_allclose(centre(own[:1]), own[0])
    with pytest.raises(InputError, match="one described face"):
        centre(np.zeros((0, 8)))

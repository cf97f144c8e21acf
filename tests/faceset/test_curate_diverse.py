"""Near-duplicates are found at any number of faces, and the chosen few cover what there is."""

from __future__ import annotations

import numpy as np
import pytest

from bianlian.faceset.curate.diverse import SAME, duplicates, farthest_first

RNG = np.random.default_rng(0)


def test_copies_repeat_the_best_of_their_kind() -> None:
    """Three kinds, each of other hashes; within a kind one bit differs. The best of each, first in ``order``, is kept."""
    kinds = np.array([5, 3, 3, 5, 9, 3])
    base = {5: 0x0F0F0F0F0F0F0F0F, 3: 0xFF00FF00FF00FF00, 9: 0x123456789ABCDEF0}
    hashes = np.array([base[k] ^ (1 << i) for i, k in enumerate(kinds.tolist())], np.uint64)
    found = duplicates(np.zeros((6, 2)), hashes, 2, np.array([3, 2, 0, 1, 4, 5]))
    assert found.tolist() == [3, 2, -1, -1, -1, 2]


def test_alike_pictures_of_other_poses_are_no_duplicates() -> None:
    places = np.array([[0.0], [0.9 * SAME], [2.0 * SAME]])
    found = duplicates(places, np.zeros(3, np.uint64), 0, np.arange(3))
    assert found.tolist() == [-1, 0, -1]


@pytest.mark.parametrize("bits", [0, 2, 4])
def test_bits_are_a_limit(bits: int) -> None:
    hashes = np.array([0xFFFF0000FFFF0000, 0xFFFF0000FFFF0000 ^ 0b1011], np.uint64)
    assert (duplicates(np.zeros((2, 1)), hashes, bits, np.arange(2))[1] == 0) == (bits >= 3)


def test_thousands_in_blocks_as_one_by_one() -> None:
    """2500 faces of 40 kinds, more than two blocks: as many stay as there are kinds, and each repeats one of its own."""
    kinds = RNG.integers(0, 40, 2500)
    bases = RNG.integers(0, 2**63, 40, np.uint64)
    found = duplicates(np.zeros((2500, 1)), bases[kinds], 2, np.arange(2500))
    assert (found < 0).sum() == 40
    repeats = np.flatnonzero(found >= 0)
    assert (kinds[found[repeats]] == kinds[repeats]).all()


def test_farthest_first_covers_a_line() -> None:
    """101 faces on a line, most of them crowded at one end: 5 of them lie within a quarter of the line of every face."""
    places = np.concatenate([np.linspace(0, 1, 90), np.linspace(1, 100, 11)])[:, None]
    chosen = farthest_first(places, np.zeros(101), 5)
    assert len(set(chosen.tolist())) == 5
    assert np.abs(places - places[chosen].T).min(axis=1).max() <= 25


def test_of_two_that_add_as_much_the_sharper_is_chosen() -> None:
    places = np.array([[0.0], [0.0], [10.0], [10.0]])
    worth = np.array([0.0, 0.1, 0.2, 0.9])
    assert 3 in farthest_first(places, worth, 2).tolist()


def test_all_when_fewer_than_wanted() -> None:
    assert farthest_first(np.zeros((3, 2)), np.zeros(3), 9).tolist() == [0, 1, 2]

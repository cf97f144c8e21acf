"""The person of a faceset is its largest group; who drifts away step by step still belongs, who is far does not."""

from __future__ import annotations

import numpy as np

from bianlian.faceset.curate.person import belong


def cloud(rng: np.random.Generator, middle: np.ndarray, count: int, spread: float = 0.03) -> np.ndarray:
    """Descriptions whose distance from ``middle`` is about spread * sqrt(64)."""
    return (middle + rng.normal(0, spread, (count, len(middle)))).astype(np.float32)


def axis(number: int, length: float) -> np.ndarray:
    out = np.zeros(64)
    out[number] = length
    return out


def test_the_largest_group_is_the_person_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    faces = np.concatenate([cloud(rng, axis(0, 0), 60), cloud(rng, axis(1, 0.7), 25), cloud(rng, axis(2, 0.8), 2)])
    found = belong(faces, 0.45)
    assert ((found.distance <= 0.45) == (np.arange(87) < 60)).all()
    assert found.share == 60 / 87


def test_a_head_that_turns_drifts_but_belongs() -> None:
    """Each face is 0.04 farther than the one before: the last is 1.0 from the first, far beyond the reach from any mean."""
    rng = np.random.default_rng(1)
    path = np.stack([axis(0, 0.02 * k) for k in range(51)])
    drift = (path + rng.normal(0, 0.01, path.shape)).astype(np.float32)
    stranger = cloud(rng, axis(1, 0.9), 6, 0.01)
    found = belong(np.concatenate([cloud(rng, axis(0, 0), 40, 0.01), drift, stranger]), 0.3)
    assert (found.distance[:91] <= 0.3).all()
    assert (found.distance[91:] > 0.3).all()


def test_faces_that_were_not_described_are_not_judged() -> None:
    rng = np.random.default_rng(2)
    faces = cloud(rng, axis(0, 0), 20)
    faces[3] = np.nan
    found = belong(faces, 0.45)
    assert np.isnan(found.distance[3])
    assert (np.delete(found.distance, 3) <= 0.45).all()
    nobody = belong(np.full((9, 1), np.nan, np.float32), 0.45)
    assert np.isnan(nobody.distance).all()


def test_a_few_faces_cannot_tell_who_it_is() -> None:
    faces = np.stack([axis(k, 1.0) for k in range(4)]).astype(np.float32)
    assert (belong(faces, 0.45).distance == 0).all()

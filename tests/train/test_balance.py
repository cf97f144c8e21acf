"""Held-out faces, who is drawn worse, and how batches are shared out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bianlian.model.deepfake import Deepfake, DeepfakeConfig
from bianlian.model.protocol import Trainable
from bianlian.train.augment import AugmentConfig
from bianlian.train.balance import counts, fair_shares, shares_by, undrawn_share
from bianlian.train.batches import BatchMaker, Draw, Feed, People
from bianlian.train.held_out import held_out
from bianlian.types import Image, Points
from known_models import Towards
from made_faces import make_faceset


def test_held_out_faces_are_the_last_of_each_stretch() -> None:
    # 80 faces: two stretches of 40, a tenth of each: 36 to 39 and 76 to 79.
    assert np.flatnonzero(held_out(80, 0.1)).tolist() == [36, 37, 38, 39, 76, 77, 78, 79]
    assert not held_out(19, 0.1).any()
    assert not held_out(80, 0.0).any()


@given(st.integers(20, 20_000), st.floats(0.01, 0.5))
def test_held_out_faces_are_few_and_leave_most_to_train_on(count: int, share: float) -> None:
    held = int(held_out(count, share).sum())
    assert 1 <= held <= 48
    assert held <= max(count * share, count / 40 + 1) + 1e-6


def maker(tmp_path: Path, count: int = 40) -> BatchMaker:
    people = [make_faceset(tmp_path / name, name, hue=k, seed=k, count=count) for k, name in enumerate(("ana", "ben"))]
    return BatchMaker(People(people, 0.1), 64, 2, AugmentConfig(), 0)


def test_training_never_sees_held_out_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = maker(tmp_path)
    assert [made.people.count(p) for p in (0, 1)] == [36, 36]
    assert made.people.unseen(0) == [36, 37, 38, 39]
    seen, original = set[int](), People.face

    def watched(self: People, person: int, index: int) -> tuple[Image, Points]:
        seen.add(index)
        return original(self, person, index)

    monkeypatch.setattr(People, "face", watched)
    for k in range(100):
        made.make(k)
    made.portraits(0)
    assert seen == set(range(36))  # 400 draws from 36: each is hit, with a chance of a miss below 0.001
    assert maker(tmp_path / "few", count=6).people.unseen(0) == [0, 1, 2, 3, 4, 5]


def test_undrawn_is_the_share_of_the_way_to_the_mean_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = maker(tmp_path)
    kind: Any = Deepfake
    model: Trainable = kind(DeepfakeConfig(size=64, width="light"), ("ana", "ben"), torch.Generator().manual_seed(0))
    drawers = [Towards(made.portraits(p).mean(0, keepdim=True), share) for p, share in enumerate((0.25, 0.5))]
    monkeypatch.setattr(model, "path", lambda person: drawers[person])
    # a picture moved a quarter of the way to the mean face is a quarter of the mean face's error away from itself
    assert [undrawn_share(model, made, p) for p in (0, 1)] == pytest.approx([0.25, 0.5], abs=1e-4)
    assert fair_shares(model, made, 1.0) == pytest.approx([1 / 3, 2 / 3], abs=1e-4)


@pytest.mark.parametrize(
    ("undrawn", "strength", "expected"),
    [
        ((0.2, 0.2), 1.0, (0.5, 0.5)),
        ((0.1, 0.2), 1.0, (1 / 3, 2 / 3)),
        ((0.1, 0.2), 0.0, (0.5, 0.5)),
        ((0.01, 0.9), 1.0, (0.25, 0.75)),  # held between a half and one and a half of an equal share
        ((0.1, float("nan")), 1.0, (0.5, 0.5)),
    ],
)
def test_shares_by(undrawn: tuple[float, ...], strength: float, expected: tuple[float, ...]) -> None:
    assert shares_by(undrawn, strength) == pytest.approx(expected)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.integers(5, 64))
def test_counts_add_up_and_leave_nobody_out(raw: list[float], total: int) -> None:
    shares = [r / sum(raw) for r in raw]
    drawn = counts(shares, total)
    assert sum(drawn) == total
    assert min(drawn) >= 1


def test_a_part_of_a_batch_is_a_part_of_the_larger_one(tmp_path: Path) -> None:
    made = maker(tmp_path)
    whole = made.make(3, Draw(counts=(4, 4)))
    first, second = made.make_parts(3, Draw(parts=(0, 1)))
    assert torch.equal(whole[1].warped, torch.cat([first[1].warped, second[1].warped]))
    assert not torch.equal(made.make(3)[0].warped, made.make(3, Draw(tries=1))[0].warped)


def test_the_feed_gives_what_the_maker_makes_also_after_a_change_of_mind(tmp_path: Path) -> None:
    made = maker(tmp_path)
    feed = Feed(made, threads=3)
    plain, other = Draw(), Draw(counts=(1, 3))
    try:
        for iteration, draw in ((0, plain), (1, plain), (2, other), (3, other), (1, other)):
            given = feed.get(iteration, draw)[0]
            for a, b in zip(given, made.make(iteration, draw), strict=True):
                assert torch.equal(a.warped, b.warped)
    finally:
        feed.close()

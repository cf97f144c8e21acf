"""The autoencoder with a mask learns which of what it sees belongs to no face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bianlian.model.protocol import Batch, Engine
from bianlian.model.rgba import Rgba, RgbaConfig

pytestmark = pytest.mark.usefixtures("slim")
SIDE = 64


def batch(rng: np.random.Generator, count: int = 6) -> Batch:
    """Pictures of one colour each; before the left or the right half of them something green, which the truth does not have."""
    tone = torch.from_numpy(rng.uniform([0.5, 0.3, 0.2], [0.8, 0.5, 0.4], (count, 3))).float()[..., None, None]
    truth = tone.expand(count, 3, SIDE, SIDE).clone()
    hidden = torch.zeros(count, 1, SIDE, SIDE)
    for k in range(count):
        left = 32 * int(rng.integers(2))
        hidden[k, ..., left : left + 32] = 1
    warped = truth * (1 - hidden) + torch.tensor([0.1, 0.9, 0.2])[:, None, None] * hidden
    one = torch.ones(count, 1, SIDE, SIDE)
    return Batch(warped, truth, one, 0 * one, hidden, 1 - hidden)


def test_the_mask_shuts_where_something_is_in_front() -> None:
    model = Rgba(RgbaConfig(size=SIDE, lr=2e-3), ("ana",), torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameter_groups())
    rng = np.random.default_rng(0)
    for iteration in range(110):
        model.step([batch(rng)], Engine(model.networks, optimizer, torch.Tensor.backward, iteration))
    unseen = batch(np.random.default_rng(99), 12)
    assert unseen.hidden is not None
    with torch.no_grad():
        mask = model.path(0).eval()(unseen.warped)[:, 3:]
    before, beside = (float((mask * where).sum() / where.sum()) for where in (unseen.hidden, 1 - unseen.hidden))
    assert before < 0.2
    assert beside > 0.8


def test_the_term_counts_what_is_wrong_of_the_mask() -> None:
    seen = batch(np.random.default_rng(1))
    assert seen.hidden is not None
    losses = {}
    for weights in ((2.0, 0.0), (0.0, 3.0)):
        config = RgbaConfig(size=SIDE, hidden=weights[0], bare=weights[1])
        model = Rgba(config, ("ana",), torch.Generator().manual_seed(0))
        with torch.no_grad():
            mask = model.path(0).train()(seen.warped)[:, 3:]
        told = model.step([seen], Engine(model.networks, torch.optim.Adam(model.parameter_groups()), torch.Tensor.backward, 0))
        wrong = weights[0] * ((1.0001 - mask).log() * -seen.hidden).mean()
        wrong += weights[1] * ((mask + 0.0001).log() * (seen.hidden - 1)).mean()
        assert float(told["front"]) == pytest.approx(float(wrong), rel=1e-4)
        losses[weights] = float(told["front"])
    assert min(losses.values()) > 0
    bare = replace(seen, hidden=None)
    assert torch.equal(bare.shown, bare.truth)

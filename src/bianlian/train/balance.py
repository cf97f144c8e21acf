"""Who is drawn worse, and batches that favour them: the weaker direction of a swap is the one into the worse decoder.

How badly a person is drawn is measured on faces that training never saw, as the share of what makes them differ from the person's
mean face that the network leaves undrawn. A plain error would not do: a bearded face in a hard light has a larger one than a
smooth face in a soft light, however well it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bianlian.model.protocol import Trainable
from bianlian.train.batches import BatchMaker, to_tensor
from bianlian.train.focus import focus_map

FACES = 24
"""Held-out faces of each person that are looked at, at most."""
LEAST, LARGEST = 0.5, 1.5
"""A person's share of the batches over an equal share stays between these."""


def fair_shares(model: Trainable, maker: BatchMaker, strength: float) -> tuple[float, ...]:
    """Measure all people on held-out faces -> each one's share of the batches, in all 1.

    strength: power to which the undrawn share is taken; 0 gives equal shares.
    """
    undrawn = [undrawn_share(model, maker, person) for person in range(len(model.people))]
    return shares_by(undrawn, strength)


def undrawn_share(model: Trainable, maker: BatchMaker, person: int) -> float:
    """Measure how much of a person the network does not draw: error of redrawn held-out faces over that of the mean face.

    0 for perfect, about 1 for a network that draws the mean face.
    """
    indices = chosen(maker, person)
    faces = to_tensor(np.stack([maker.plain(person, i) for i in indices]))
    was_training = model.networks.training
    model.networks.eval()
    with torch.no_grad():
        device = next(model.networks.parameters()).device
        drawn = model.path(person)(faces.to(device))[:, :3]  # without a mask, under which the face itself would show
    model.networks.train(was_training)
    return error_share(maker, person, indices, drawn)


def chosen(maker: BatchMaker, person: int) -> list[int]:
    """Choose held-out faces of a person, spread evenly, at most ``FACES``; of those in training when none is held out."""
    unseen = maker.people.unseen(person)
    return [unseen[int(i)] for i in np.unique(np.linspace(0, len(unseen) - 1, min(FACES, len(unseen))).astype(int))]


def error_share(maker: BatchMaker, person: int, indices: Sequence[int], drawn: Tensor) -> float:
    """Compare drawn faces (N, 3, S, S) with the faces themselves -> their absolute error over that of the person's mean face.

    Errors are weighted by ``focus_map``.
    """
    faces = to_tensor(np.stack([maker.plain(person, i) for i in indices]))
    weight = torch.from_numpy(np.stack([focus_map(maker.plain_points(person, i), maker.size) for i in indices]))[:, None]
    mean = maker.portraits(person).mean(0, keepdim=True)
    error, worst = (float(((x - faces).abs() * weight).sum()) for x in (drawn.float().cpu(), mean))
    return error / max(worst, 1e-9)


def shares_by(undrawn: Sequence[float], strength: float) -> tuple[float, ...]:
    """Turn undrawn shares (above 0) into shares of the batches, in all 1; a number that is none counts as the mean."""
    known = [u for u in undrawn if np.isfinite(u)]
    mean = float(np.mean(known)) if known else 1.0
    worse = np.array([u if np.isfinite(u) else mean for u in undrawn])
    raw = np.maximum(worse, 1e-6) ** strength
    held = np.clip(raw / raw.mean(), LEAST, LARGEST)
    return tuple((held / held.sum()).tolist())


def counts(shares: Sequence[float], total: int) -> tuple[int, ...]:
    """Share out ``total`` faces, at least as many as there are people -> one or more each, by largest remainders."""
    exact = np.asarray(shares) * (total - len(shares))
    whole = np.floor(exact).astype(int)
    for k in np.argsort(whole - exact, kind="stable")[: total - len(shares) - int(whole.sum())]:
        whole[k] += 1
    return tuple(int(n) + 1 for n in whole)

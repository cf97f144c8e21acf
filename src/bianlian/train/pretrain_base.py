"""How the base is trained: the face of one picture in the pose of another, against the exact answer.

Each example is changed at random, so that what was rendered serves footage: the light (the same on the pose and on the answer,
another one on the portrait), the alignment, and the sharpness of what is looked at; the answer stays sharp. A quarter of the
examples ask for the person who is seen already.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bianlian.model.autoencoder import DeepfakeConfig, reconstruction_losses
from bianlian.model.base import IDENTITY_SIDE, Base
from bianlian.model.blocks import init_weights
from bianlian.train.disturb import bend, cut, degrade, light, lit, place, shrink
from bianlian.train.pairs import Pairs, Triple
from bianlian.train.pretrain import Arrays, as_picture, as_weight, stacked

SAME_PERSON = 0.25
"""Share of examples whose answer is the person in the picture itself."""
EDGE = 1.0
"""Weight of the edge loss; a person's own training weighs it more."""


class BaseRecipe:
    """Recipe of ``model.base.Base``. config: of the model that will start from it."""

    betas = (0.5, 0.999)

    def __init__(self, config: DeepfakeConfig, seed: int) -> None:
        self._config = replace(config, edge=EDGE)
        self._network = Base(config)
        init_weights(self._network, torch.Generator().manual_seed(seed))

    @property
    def network(self) -> Base:
        """The base."""
        return self._network

    def batch(self, pairs: Pairs, count: int, rng: np.random.Generator) -> Arrays:
        """Make ``count`` examples."""
        return stacked([example(pairs.pick(rng), self._config.size, rng) for _ in range(count)])

    def draw(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Swap."""
        drawn: Tensor = self._network(as_picture(batch[0]), as_picture(batch[1]))
        return drawn

    def losses(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare with the person who was asked for."""
        return reconstruction_losses(self._config, drawn, as_picture(batch[2]), as_weight(batch[3]))


def example(row: Triple, size: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], ...]:
    """Change one triple at random -> pose_from (S, S, 3), face_of (64, 64, 3), truth (S, S, 3), weight (S, S), all uint8."""
    pose_from, face_of, truth, weight = row.mirrored(rng)
    if rng.random() < SAME_PERSON:
        pose_from = truth
    put = place(size, rng, 0.5)
    misplaced = put.copy()
    misplaced[:, 2] += rng.normal(0, 0.01 * size, 2)
    table = light(rng)
    seen = lit(cut(pose_from, misplaced, size), table)
    seen = degrade(bend(seen, rng) if rng.random() < 0.5 else seen, rng)
    answer = lit(cut(truth, put, size), table)
    portrait = degrade(lit(cut(face_of, place(size, rng, 1.0), size), light(rng)), rng)
    return seen, shrink(portrait, IDENTITY_SIDE), answer, cut(weight, put, size)

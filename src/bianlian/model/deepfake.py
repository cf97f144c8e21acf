"""The original deepfake autoencoder (2017): one encoder for all people, one decoder a person.

The networks are in ``autoencoder.py``; this file trains them. What differs from the reference: beside the mean absolute error
there are a structural and an edge term (their weights are settings; 0 gives the reference).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from bianlian.model.autoencoder import Autoencoder, DeepfakeConfig
from bianlian.model.base import fold_base
from bianlian.model.blocks import init_weights
from bianlian.model.card import ModelCard
from bianlian.model.path import PersonPath
from bianlian.model.plain import plain_defaults, plain_groups, plain_step
from bianlian.model.protocol import Batch, Engine

__all__ = ["Deepfake", "DeepfakeConfig"]


class Deepfake:
    """The ``deepfake`` model for a tuple of named people (see ``model.Trainable``)."""

    Config = DeepfakeConfig
    defaults = staticmethod(plain_defaults)
    shares = 1
    card = ModelCard("any number of people, from minutes on a CPU: the place to start", "the original deepfake autoencoder (2017)")

    def __init__(self, config: DeepfakeConfig, people: Sequence[str], generator: torch.Generator) -> None:
        self.config, self.people = config, tuple(people)
        self.networks = self.networks_for(config, len(self.people))
        init_weights(self.networks, generator)

    @staticmethod
    def networks_for(config: DeepfakeConfig, people: int) -> Autoencoder:
        """Make the networks, their weights as they come."""
        return Autoencoder(config, people)

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.config.size

    def path(self, person: int) -> PersonPath:
        """Give encoder and decoder that draw person number ``person``: (B, 3, S, S) -> (B, 3, S, S)."""
        return self.networks.path(person)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weights with the optimiser settings they want, for Adam."""
        return plain_groups(self.config, self.networks)

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        """Train one step on one batch a person, in the order of ``people`` -> mean losses, and each person's total."""
        return plain_step(self.config, self.people, batch, engine)

    def start_from(self, base: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> None:
        """Start from the pretrained base: its encoder, and for each person its decoder folded for their portraits.

        base: state of ``model.base.Base``; portraits: for each person (N, 3, S, S) in [0, 1].
        """
        states = fold_base(self.config, base, portraits)
        self.networks.encoder.load_state_dict(states[0])
        for decoder, state in zip(self.networks.decoders, states[1:], strict=True):
            decoder.load_state_dict(state)

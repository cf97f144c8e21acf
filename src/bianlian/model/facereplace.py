"""FaceReplace: an encoder a person and one decoder for all, the autoencoder turned round.

A face of anybody, described by person p's encoder, comes out of the shared decoder as p. Blocks, losses and settings are those of
``deepfake``. Source: a course project of 2018 that the project's references call FaceReplace; with N people here in place of two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bianlian.model.autoencoder import Decoder, DeepfakeConfig, Encoder
from bianlian.model.base import fold_base
from bianlian.model.blocks import init_weights
from bianlian.model.card import ModelCard
from bianlian.model.path import PersonPath
from bianlian.model.plain import plain_defaults, plain_groups, plain_step
from bianlian.model.protocol import Batch, Engine


class ManyEncoders(nn.Module):
    """An encoder for each person and one decoder."""

    def __init__(self, config: DeepfakeConfig, people: int) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(Encoder(config) for _ in range(people))
        self.decoder = Decoder(config)

    def forward(self, crops: Sequence[Tensor]) -> list[Tensor]:
        """Redraw each person by their own encoder: one (B, 3, S, S) a person -> the same shapes."""
        codes = [encoder(crop) for encoder, crop in zip(self.encoders, crops, strict=True)]
        return list(torch.split(self.decoder(torch.cat(codes)), [len(c) for c in crops]))


class FaceReplace:
    """The ``facereplace`` model for a tuple of named people (see ``model.Trainable``)."""

    Config = DeepfakeConfig
    defaults = staticmethod(plain_defaults)
    shares = 1
    card = ModelCard("to compare: an encoder a person, one decoder for all", "FaceReplace, a student project of 2018")

    def __init__(self, config: DeepfakeConfig, people: Sequence[str], generator: torch.Generator) -> None:
        self.config, self.people = config, tuple(people)
        self.networks = self.networks_for(config, len(self.people))
        init_weights(self.networks, generator)

    @staticmethod
    def networks_for(config: DeepfakeConfig, people: int) -> ManyEncoders:
        """Make the networks, their weights as they come."""
        return ManyEncoders(config, people)

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.config.size

    def path(self, person: int) -> PersonPath:
        """Give the person's encoder and the decoder: (B, 3, S, S) -> (B, 3, S, S)."""
        return PersonPath(self.networks.encoders[person], self.networks.decoder)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weights with the optimiser settings they want, for Adam."""
        return plain_groups(self.config, self.networks)

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        """Train one step on one batch a person, in the order of ``people`` -> mean losses, and each person's total."""
        return plain_step(self.config, self.people, batch, engine)

    def start_from(self, base: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> None:
        """Start from the pretrained base: every encoder is its encoder, the decoder is folded for the portraits of all.

        base: state of ``model.base.Base``; portraits: for each person (N, 3, S, S) in [0, 1].
        """
        encoder, decoder = fold_base(self.config, base, [torch.cat(list(portraits))])
        for mine in self.networks.encoders:
            mine.load_state_dict(encoder)
        self.networks.decoder.load_state_dict(decoder)

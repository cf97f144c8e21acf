"""``tuned``: what a swap from one photo starts from, tuned to a person's faceset in minutes.

The encoder is the pretrained base's and stays as it is (``kept``): it reads pose, expression and light of anybody, so that no
footage of the target is wanted, and a run may know one person alone. Each person has a decoder, at first the base's as told by
pictures of them (what a swap from one photo draws before it studies, see ``swap.study``), which then trains on the whole faceset. A
step costs no gradient of the encoder. From scratch there is no encoder to keep, and it is trained along as in ``deepfake``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bianlian.model.autoencoder import Autoencoder, DeepfakeConfig
from bianlian.model.base import fold_base
from bianlian.model.blocks import init_weights
from bianlian.model.card import ModelCard
from bianlian.model.path import PersonPath
from bianlian.model.plain import plain_defaults, plain_step
from bianlian.model.protocol import Batch, Engine


@dataclass(frozen=True)
class TunedConfig:
    """Settings of the ``tuned`` model.

    size, width, lr, structural, edge, octave: as of ``deepfake``. kept: the encoder stays as it is; a new run from scratch has
    false.
    """

    size: int = 128
    width: str = "light"
    lr: float = 4e-4
    structural: float = 1.0
    edge: float = 2.0
    octave: float = 0.0
    kept: bool = True

    def __post_init__(self) -> None:
        self.autoencoder()

    def autoencoder(self) -> DeepfakeConfig:
        """Give the settings of the autoencoder inside. Raises ConfigError."""
        return DeepfakeConfig(
            size=self.size, width=self.width, lr=self.lr, structural=self.structural, edge=self.edge, octave=self.octave
        )

    @property
    def base(self) -> tuple[str, int] | None:
        """Width and size of the base that fits."""
        return self.autoencoder().base


class TunedNetworks(nn.Module):
    """An ``Autoencoder`` whose encoder is only looked through where it is kept."""

    def __init__(self, config: TunedConfig, people: int) -> None:
        super().__init__()
        self.inner, self.kept = Autoencoder(config.autoencoder(), people), config.kept

    def forward(self, crops: Sequence[Tensor]) -> list[Tensor]:
        """Redraw each person by their own decoder: one (B, 3, S, S) a person -> the same shapes."""
        with torch.no_grad() if self.kept else nullcontext():
            codes = self.inner.encoder(torch.cat(list(crops)))
        parts = codes.split([len(c) for c in crops])
        return [decoder(code) for decoder, code in zip(self.inner.decoders, parts, strict=True)]


class Tuned:
    """The ``tuned`` model for a tuple of named people, one or more (see ``model.Trainable``)."""

    Config = TunedConfig
    shares = 1
    card = ModelCard(
        "one person's faceset, in minutes, for any target: the swap from one photo, tuned",
        "the draft of the swap from one photo; ours",
    )

    def __init__(self, config: TunedConfig, people: Sequence[str], generator: torch.Generator) -> None:
        self.config, self.people = config, tuple(people)
        self.networks = self.networks_for(config, len(self.people))
        init_weights(self.networks, generator)

    @staticmethod
    def defaults(width: str, *, based: bool, iterations: int | None) -> dict[str, Any]:
        """Give the settings that a new run writes down, see ``Trainable.defaults``: without a base there is nothing to keep."""
        return {**plain_defaults(width, based=based, iterations=iterations), "kept": based}

    @staticmethod
    def networks_for(config: TunedConfig, people: int) -> TunedNetworks:
        """Make the networks, their weights as they come."""
        return TunedNetworks(config, people)

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.config.size

    def path(self, person: int) -> PersonPath:
        """Give encoder and decoder that draw person number ``person``: (B, 3, S, S) -> (B, 3, S, S)."""
        return self.networks.inner.path(person)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weights with the optimiser settings they want, for Adam; those of a kept encoder get a rate of 0."""
        inner, lr = self.networks.inner, self.config.lr
        groups = ((inner.encoder, 0.0 if self.config.kept else lr), (inner.decoders, lr))
        betas = self.config.autoencoder().betas
        return [{"params": list(part.parameters()), "lr": rate, "betas": betas} for part, rate in groups]

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        """Train one step on one batch a person, in the order of ``people`` -> mean losses, and each person's total."""
        return plain_step(self.config.autoencoder(), self.people, batch, engine)

    def start_from(self, base: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> None:
        """Start from the pretrained base: its encoder, and for each person its decoder folded for their portraits.

        base: state of ``model.base.Base``; portraits: for each person (N, 3, S, S) in [0, 1].
        """
        encoder, *decoders = fold_base(self.config.autoencoder(), base, portraits)
        self.networks.inner.encoder.load_state_dict(encoder)
        for decoder, state in zip(self.networks.inner.decoders, decoders, strict=True):
            decoder.load_state_dict(state)

"""The ``gan`` model with octave convolutions everywhere, a quarter of the channels at half resolution.

Idea: replace every convolution of a face-swapping GAN, as Chen et al. (arXiv 1904.05049) did in classifiers. The networks are those
of ``gan.py``, where the share is a setting as in every model; this is its name and its default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from bianlian.model.card import ModelCard
from bianlian.model.gan import Gan, GanNetworks
from bianlian.model.gan_config import GanConfig
from bianlian.model.path import PersonPath
from bianlian.model.protocol import Batch, Engine

OCTAVE = 0.25


class OctGan:
    """The ``octgan`` model for a tuple of named people (see ``model.Trainable``)."""

    Config = GanConfig
    shares = Gan.shares
    card = ModelCard("gan with a third less arithmetic; whether it is faster, measure", "Drop an Octave, arXiv 1904.05049")

    def __init__(self, config: GanConfig, people: Sequence[str], generator: torch.Generator) -> None:
        self._gan = Gan(config, people, generator)
        self.people, self.networks = self._gan.people, self._gan.networks

    @staticmethod
    def networks_for(config: GanConfig, people: int) -> GanNetworks:
        """Make the networks, their weights as they come."""
        return Gan.networks_for(config, people)

    @staticmethod
    def defaults(width: str, *, based: bool, iterations: int | None) -> dict[str, Any]:
        """Give the settings of ``gan``, and the share of low channels; nothing but octave convolutions is inside."""
        return {**Gan.defaults(width, based=based, iterations=iterations), "octave": OCTAVE, "visible": False}

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self._gan.size

    def path(self, person: int) -> PersonPath:
        """Give encoder and decoder that draw person number ``person``, see ``Gan.path``."""
        return self._gan.path(person)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weights with the optimiser settings they want, for Adam."""
        return self._gan.parameter_groups()

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        """Train one step, see ``Gan.step``."""
        return self._gan.step(batch, engine)

    def start_from(self, base: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> None:
        """Start from the pretrained base where it fits (octave 0)."""
        self._gan.start_from(base, portraits)

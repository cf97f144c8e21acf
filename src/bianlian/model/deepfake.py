"""The original deepfake autoencoder (2017): one encoder for all people, one decoder a person.

The networks are in ``autoencoder.py``; this file trains them. What differs from the reference: beside the mean absolute error
there are a structural and an edge term (their weights are settings; 0 gives the reference).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from bianlian.model.autoencoder import Autoencoder, DeepfakeConfig, reconstruction_losses
from bianlian.model.base import fold_base
from bianlian.model.blocks import init_weights
from bianlian.model.protocol import Batch, Engine

__all__ = ["Deepfake", "DeepfakeConfig"]


class Deepfake:
    """The ``deepfake`` model for a tuple of named people (see ``model.Trainable``)."""

    Config = DeepfakeConfig

    def __init__(self, config: DeepfakeConfig, people: Sequence[str], generator: torch.Generator) -> None:
        self.config, self.people = config, tuple(people)
        self.networks = Autoencoder(config, len(self.people))
        init_weights(self.networks, generator)

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.config.size

    def path(self, person: int) -> nn.Module:
        """Give encoder and decoder that draw person number ``person``: (B, 3, S, S) -> (B, 3, S, S)."""
        return self.networks.path(person)

    def parameter_groups(self) -> list[dict[str, object]]:
        """Weights with the optimiser settings they want, for Adam."""
        return [{"params": list(self.networks.parameters()), "lr": self.config.lr, "betas": self.config.betas}]

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        """Train one step on one batch a person, in the order of ``people`` -> mean losses, and each person's total."""
        outputs = engine.networks([b.warped for b in batch])
        losses = [reconstruction_losses(self.config, o, b.truth, b.weight) for o, b in zip(outputs, batch, strict=True)]
        faces = [len(b.truth) for b in batch]
        total = torch.stack([terms["total"] * count for terms, count in zip(losses, faces, strict=True)]).sum() / sum(faces)
        engine.optimizer.zero_grad(set_to_none=True)
        engine.backward(total)
        engine.optimizer.step()
        mean = {name: torch.stack([terms[name].detach() for terms in losses]).mean() for name in losses[0]}
        each = {f"total/{who}": terms["total"].detach() for who, terms in zip(self.people, losses, strict=True)}
        return mean | each

    def start_from(self, base: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> None:
        """Start from the pretrained base: its encoder, and for each person its decoder folded for their portraits.

        base: state of ``model.base.Base``; portraits: for each person (N, 3, S, S) in [0, 1].
        """
        states = fold_base(self.config, base, portraits)
        self.networks.encoder.load_state_dict(states[0])
        for decoder, state in zip(self.networks.decoders, states[1:], strict=True):
            decoder.load_state_dict(state)

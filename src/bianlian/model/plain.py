"""The step of models that only redraw each person: reconstruction losses, one backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from bianlian.model.autoencoder import DeepfakeConfig, reconstruction_losses
from bianlian.model.protocol import Batch, Engine

RATES: Mapping[str, float] = MappingProxyType({"full": 5e-5, "light": 4e-4})
"""Learning rate by width: the reference's, and what the narrow network takes."""


def plain_defaults(width: str, *, based: bool, iterations: int | None) -> dict[str, Any]:
    """Give the settings that a new run writes down, see ``Trainable.defaults``: the learning rate by width."""
    del based, iterations
    return {"lr": RATES.get(width, RATES["full"])}


def plain_groups(config: DeepfakeConfig, networks: nn.Module) -> list[dict[str, Any]]:
    """Give all weights that train to Adam with the settings of the model."""
    return [{"params": [w for w in networks.parameters() if w.requires_grad], "lr": config.lr, "betas": config.betas}]


def plain_step(config: DeepfakeConfig, people: Sequence[str], batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
    """Train one step on one batch a person -> mean losses, and each person's total. The networks give one picture each."""
    outputs = engine.networks([b.warped for b in batch])
    losses = [reconstruction_losses(config, o, b.truth, b.weight) for o, b in zip(outputs, batch, strict=True)]
    return descend(losses, [len(b.truth) for b in batch], people, engine)


def descend(losses: Sequence[dict[str, Tensor]], faces: Sequence[int], people: Sequence[str], engine: Engine) -> dict[str, Tensor]:
    """Step down the mean over all faces of ``total`` -> mean of each loss over the people, and each person's total.

    faces: how many each person's losses are means over.
    """
    engine.optimizer.zero_grad(set_to_none=True)
    engine.backward(mean_over_faces([terms["total"] for terms in losses], faces))
    engine.optimizer.step()
    return reported(losses, people)


def mean_over_faces(values: Sequence[Tensor], faces: Sequence[int]) -> Tensor:
    """Turn means over each person's faces into the mean over all faces, a scalar."""
    return torch.stack([value * count for value, count in zip(values, faces, strict=True)]).sum() / sum(faces)


def reported(losses: Sequence[dict[str, Tensor]], people: Sequence[str]) -> dict[str, Tensor]:
    """Give the mean of each loss over the people, and each person's total as ``total/NAME``."""
    mean = {name: torch.stack([terms[name].detach() for terms in losses]).mean() for name in losses[0]}
    return mean | {f"total/{who}": terms["total"].detach() for who, terms in zip(people, losses, strict=True)}

"""What the training loop and a trainable model ask of each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops of one person. warped, truth: (B, 3, S, S) float32 in [0, 1]; weight: (B, 1, S, S) float32, above 0."""

    warped: Tensor
    truth: Tensor
    weight: Tensor


class Stepper(Protocol):
    """The part of an optimiser that a model uses; the loop decides which batches make one step of it."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        ...

    def step(self) -> object:
        """Change the weights by their gradients."""
        ...


@dataclass(frozen=True, eq=False)
class Engine:
    """What a step needs from the loop: the networks and optimiser as set up for the device, and ``backward``."""

    networks: Callable[[Sequence[Tensor]], list[Tensor]]
    optimizer: Stepper
    backward: Callable[[Tensor], None]


class Trainable(Protocol):
    """A model that can be trained for named people. Constructed from its own ``Config``, the names and a generator."""

    people: tuple[str, ...]
    networks: nn.Module

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        ...

    def path(self, person: int) -> nn.Module:
        """Give the networks that draw person number ``person`` in any pose: (B, 3, S, S) -> (B, 3, S, S)."""
        ...

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weights with the optimiser settings they want, for Adam."""
        ...

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        """Train one step on one batch a person, with its own backward -> named scalar losses, ``total`` among them.

        The batches may be of different sizes; a loss that is a mean over all pictures lets accumulation, several processes and
        uneven batches train as one large batch would.
        """
        ...

    def start_from(self, base: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> None:
        """Start from pretrained weights; portraits: for each person (N, 3, S, S) in [0, 1]."""
        ...

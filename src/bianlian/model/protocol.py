"""What the training loop and a trainable model ask of each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from bianlian.model.card import ModelCard
from bianlian.model.path import PersonPath


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops of one person. warped, truth: (B, 3, S, S) float32 in [0, 1].

    weight: (B, 1, S, S) float32, above 0: how much each pixel counts; eyes: (B, 1, S, S) float32 in [0, 1], 1 on the eyes. Both are
    of the truth. hidden: (B, 1, S, S) float32 in [0, 1], 1 where something in front of the face is seen in ``warped`` and not in
    ``truth``; bare: the same, 1 where the face itself is seen. Both None when nothing is put before faces.
    """

    warped: Tensor
    truth: Tensor
    weight: Tensor
    eyes: Tensor
    hidden: Tensor | None = None
    bare: Tensor | None = None

    @property
    def shown(self) -> Tensor:
        """The truth as one sees it, with what is in front: what a masked drawing is compared with."""
        return self.truth if self.hidden is None else self.truth + (self.warped - self.truth) * self.hidden

    def part(self, start: int, end: int) -> Batch:
        """Take some of the faces."""
        return self.mapped(lambda t: t[start:end])

    def mapped(self, work: Callable[[Tensor], Tensor]) -> Batch:
        """Apply a function to each of the tensors."""
        hidden, bare = (None if one is None else work(one) for one in (self.hidden, self.bare))
        return Batch(work(self.warped), work(self.truth), work(self.weight), work(self.eyes), hidden, bare)


class Stepper(Protocol):
    """The part of an optimiser that a model uses; the loop decides which batches make one step of it."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The model's groups, with the rates of this step."""
        ...

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        ...

    def step(self) -> object:
        """Change the weights by their gradients."""
        ...


@dataclass(frozen=True, eq=False)
class Engine:
    """What a step needs from the loop: the networks and optimiser as set up for the device, and ``backward``.

    networks: called with what the model's own networks take, it gives what they give. optimizer: the loop sets the learning rate of
    each group anew before every step; a step may multiply it in its first part. iteration: steps taken before this one. part: which
    of the batches whose gradients make one step this is; the optimiser moves in the last one alone. clock: share of the run's
    minutes that are over, 0 to 1, the same in all processes; 0 where no minutes are set.
    """

    networks: Callable[..., Any]
    optimizer: Stepper
    backward: Callable[[Tensor], None]
    iteration: int = 0
    part: int = 0
    clock: float = 0.0


class Trainable(Protocol):
    """A model that can be trained for named people. Constructed from its own ``Config``, the names and a generator.

    ``Config`` has a property ``base``: (width, size) of the pretrained base that ``start_from`` takes, None where none fits.
    networks: all that is saved. shares: parts that ``step`` splits a batch into; the loop makes that many times the faces. card:
    what a table of models says.
    """

    people: tuple[str, ...]
    networks: nn.Module
    shares: int
    card: ModelCard

    @staticmethod
    def networks_for(config: Any, people: int) -> nn.Module:
        """Make the networks alone, their weights as they come."""
        ...

    @staticmethod
    def defaults(width: str, *, based: bool, iterations: int | None) -> dict[str, Any]:
        """Give settings that a new run writes down where the user chose none.

        width: of the networks; based: whether it starts from pretrained weights; iterations: of the run in all, None while open.
        """
        ...

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        ...

    def path(self, person: int) -> PersonPath:
        """Give the networks that draw person number ``person`` in any pose: (B, 3, S, S) -> (B, 3, S, S) in [0, 1].

        A network with a mask of its own gives (B, 4, S, S): the mask, in [0, 1], comes last.
        """
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

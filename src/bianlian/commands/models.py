"""``bianlian models``: which models there are, how large, and what each is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from bianlian import plugins
from bianlian.config import from_mapping
from bianlian.errors import ConfigError
from bianlian.model.blocks import count_parameters

WIDTHS = ("light", "full")


@dataclass(frozen=True)
class Models:
    """Show the models that `bianlian train --model` knows: size, licence, what each is for and where it is from.

    Numbers hold for all networks of a run of so many people, of light and of full width: parameters, and their size in 32 bits. A
    swap loads one path alone.
    """

    size: int = 128
    """Side of the pictures that the models draw, in pixels: 64, 128 or 256."""

    people: int = 2
    """People of a run."""

    def run(self) -> None:
        """Print the table. Raises ConfigError for a size that a model does not have."""
        if self.people < 1:
            raise ConfigError(f"people must be 1 or more, got {self.people}")
        table = Table("model", *WIDTHS, "what for, from, licence", show_lines=True)
        for name in plugins.names("model"):
            table.add_row(*row(name, self.size, self.people))
        Console(highlight=False, markup=False).print(table)


def row(name: str, size: int, people: int) -> Sequence[str]:
    """Say what the table says of one model, as text."""
    kind: Any = plugins.load("model", name)
    counts = [parameters(name, size, width, people) for width in WIDTHS]
    sizes = [f"{count / 1e6:.1f} M\n{4 * count / 1e6:.0f} MB" for count in counts]
    return (name, *sizes, f"{kind.card.purpose}\n{kind.card.origin}\n{kind.card.licence}")


def parameters(name: str, size: int, width: str, people: int) -> int:
    """Count the weights of all networks of a model; none of them is held in memory."""
    kind: Any = plugins.load("model", name)
    settings = {**kind.defaults(width, based=False, iterations=None), "size": size, "width": width}
    config = from_mapping(kind.Config, settings, f"settings of {name}")
    with torch.device("meta"):
        return count_parameters(kind.networks_for(config, people))

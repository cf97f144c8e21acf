"""``bianlian pretrain``: rendered true swaps -> the base that every new person starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional, arg

from bianlian import plugins
from bianlian.commands._show import shown
from bianlian.commands.train import stopping, watching
from bianlian.errors import InputError, Interrupted
from bianlian.train.loop import Limits
from bianlian.train.pairs import Pairs, align_shards
from bianlian.train.pretrain import PretrainConfig, pretrain


@dataclass(frozen=True)
class Pretrain:
    """Train the base on virtual people who play the same performance: the recipe of the weights that ship.

    Takes the shards of the head renderer's `crops --pairs --align umeyama68 --coverage 0.6 --size 256`. The pictures are aligned
    once into --pairs; a run that was stopped goes on from OUT.state. With a GPU the same command trains there.
    """

    shards: Positional[tuple[Path, ...]] = ()
    """Shards (.npz) or folders of them; may be left out when --pairs holds aligned ones already."""

    out: Annotated[Path, arg(aliases=["-o"])] = Path("base.safetensors")
    """Weights file to write, in half precision."""

    pairs: Path = Path("pairs")
    """Folder of the aligned pairs."""

    minutes: float = 120.0
    """Minutes of training."""

    size: int = 128
    """Side of the model's pictures in pixels."""

    width: Literal["light", "full"] = "light"
    """Width of the model."""

    batch: int = 16
    """Examples a step."""

    lr: float = 5e-4
    """Learning rate; it falls in the second half."""

    seed: int = 0
    """Fixes the first weights and the order of the examples."""

    def run(self) -> None:
        """Align, train, save. Raises InputError without pairs, Interrupted after Ctrl-C (saved)."""
        shards = [s for path in self.shards for s in (sorted(path.glob("*.npz")) if path.is_dir() else [path])]
        if shards:
            with shown() as (progress, note):
                mesh = plugins.load("landmarker", "facemesh")()
                align_shards(shards, self.pairs, mesh, progress=progress, note=note)
        aligned = sorted(self.pairs.glob("*.safetensors"))
        if not aligned:
            raise InputError(f"no shards were given and {self.pairs} holds no aligned pairs; render some first")
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        config = PretrainConfig(self.size, self.width, self.batch, self.lr, self.minutes, self.seed)
        with stopping(console) as stop, watching(console, Limits(minutes=self.minutes)) as watch:
            iteration = pretrain(Pairs(aligned), self.out, config, stop=stop, watch=watch)
        done = f"{self.out}: iteration {iteration}"
        if stop():
            raise Interrupted(f"{done}; saved, the same command goes on")
        Console(highlight=False, markup=False, soft_wrap=True).print(done)

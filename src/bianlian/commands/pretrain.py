"""``bianlian pretrain``: rendered people -> the base, the refiner and the learned mask that ship."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file
from tyro.conf import Positional, arg

from bianlian import plugins
from bianlian.commands._show import shown
from bianlian.commands._watch import stopping, watching
from bianlian.errors import InputError, Interrupted, WeightsError
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.train.loop import Limits
from bianlian.train.pairs import Pairs, align_shards
from bianlian.train.pretrain import Data, PretrainConfig, Recipe, pretrain
from bianlian.train.pretrain_base import BaseRecipe
from bianlian.train.pretrain_mask import MaskRecipe, MaskShards
from bianlian.train.pretrain_refiner import RefinerRecipe
from bianlian.weights import CARDS as WEIGHTS
from bianlian.weights import locate

RATES = {"base": 5e-4, "refiner": 1e-3, "mask": 1.2e-3}


@dataclass(frozen=True)
class Pretrain:
    """Train the base, the refiner or the learned mask on rendered people: the recipes of what ships.

    For all but the mask, takes the shards of `bianlian actors crops --pairs --align umeyama68 --coverage 0.6 --size 256`; the
    pictures are aligned once into --pairs. For the mask, those of `crops --occluders 0.5 --align umeyama68 --coverage 0.42
    --size 320`. A run that was stopped goes on from OUT.state. With a GPU the same command trains there.
    """

    shards: Positional[tuple[Path, ...]] = ()
    """Shards (.npz) or folders of them; may be left out when --pairs holds aligned ones already."""

    what: Literal["base", "refiner", "mask"] = "base"
    """What to train: the base that new people start from, the refiner that lends swapped faces light and detail, or the mask that
    sees what is in front of a face. (The network that swaps from one photo: `bianlian train --model faceshifter`.)"""

    out: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Weights file to write, in half precision; base.safetensors, and so on, when left out."""

    base: Path | None = None
    """Base that draws the faces to refine; the one that ships when left out."""

    pairs: Path = Path("pairs")
    """Folder of the aligned pairs."""

    minutes: float = 120.0
    """Minutes of training."""

    size: int = 128
    """Side of the base's pictures in pixels."""

    width: Literal["light", "full"] = "light"
    """Width of the base."""

    batch: int = 16
    """Examples a step."""

    constant: bool = False
    """Keep the learning rate, for a call that others will follow; otherwise it falls in the second half of the minutes."""

    lr: float | None = None
    """Learning rate; 1e-3 for the refiner, 1.2e-3 for the mask, 5e-4 for the others
    when left out."""

    seed: int = 0
    """Fixes the first weights and the order of the examples."""

    def run(self) -> None:
        """Align, train, save. Raises InputError without pairs or shards, Interrupted after Ctrl-C (saved)."""
        shards = [s for path in self.shards for s in (sorted(path.glob("*.npz")) if path.is_dir() else [path])]
        if self.what == "mask":
            self._train(MaskRecipe(self.seed), MaskShards(shards))
            return
        if shards:
            with shown() as (progress, note):
                mesh = plugins.load("landmarker", "facemesh")()
                align_shards(shards, self.pairs, mesh, progress=progress, note=note)
        aligned = sorted(self.pairs.glob("*.safetensors"))
        if not aligned:
            raise InputError(f"no shards were given and {self.pairs} holds no aligned pairs; render some first")
        self._train(self.recipe(), Pairs(aligned))

    def _train(self, recipe: Recipe[Data], data: Data) -> None:
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        out = self.out or Path(f"{self.what}.safetensors")
        config = PretrainConfig(
            self.batch, self.lr if self.lr is not None else RATES[self.what], self.minutes, self.seed, self.constant
        )
        with stopping(console) as stop, watching(console, Limits(minutes=self.minutes)) as watch:
            iteration = pretrain(recipe, data, out, config, stop=stop, watch=watch)
        done = f"{out}: iteration {iteration}"
        if stop():
            raise Interrupted(f"{done}; saved, the same command goes on")
        Console(highlight=False, markup=False, soft_wrap=True).print(done)

    def recipe(self) -> Recipe[Pairs]:
        """Make the base or the refiner. Raises WeightsError for a base that does not load, ConfigError for an unknown size."""
        model = DeepfakeConfig(size=self.size, width=self.width)
        if self.what == "base":
            return BaseRecipe(model, self.seed)
        path = self.base or locate(WEIGHTS["base-light-128"])
        try:
            return RefinerRecipe(model, load_file(path))
        except (SafetensorError, RuntimeError, OSError) as error:
            raise WeightsError(
                f"{path} is no base of {self.width} width at {self.size} px: {str(error).splitlines()[0]}"
            ) from error

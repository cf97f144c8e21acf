"""What each part of the network from one photo is worth: variants of it, trained alike, judged alike.

usage: python bench/quality/ablation.py READY --held HELD [--iterations 20000] [--batch 16] [--config compact] [-o FOLDER]
       [--only NAME ...]

READY and HELD are folders of swaps made ready (``train.swaps``), HELD of people who are not trained on. Variants:

all             exact answers, attribute maps of every size, the AAD layers' mask; no attribute loss
no truth        as FaceShifter was published: no answer is known but for half of the examples, which show one person as target and
                source; identity, attribute and reconstruction losses with the published weights, no critics
attribute loss  as ``all``, with the published attribute loss besides
no mask         as ``all``; AAD layers take the mean of attributes and identity everywhere
no photo        as ``all``, without the photo laid over the target's face
3 maps          as ``all``, with the three coarsest attribute maps (of five in ``compact``, of eight in ``paper``)
HEAR            ``all`` and behind it HEAR-Net, trained as long; both on examples that all have something before the face

Printed, and written to FOLDER/ablation.json as it comes: L1 and structural distance to the truth, cosine of the recogniser's
description to the source and how much nearer that is than the target's, share of faces nearest to the source (see ``oneshot.py``);
for HEAR the L1 before and behind it. The recogniser looks on in training: compare the rows with each other. A row goes on from its
state in FOLDER, so a run that was cut off costs nothing. On a GPU 20 000 iterations of 16 are what tells the rows apart; a few
hundred only show that all of them run. ``--config narrow`` has the published shapes with a quarter of their channels, for CPUs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from oneshot import gathered, measure
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from bianlian.model.base import Base, filled_base
from bianlian.model.faceshifter.aei import AeiNet
from bianlian.model.faceshifter.config import CONFIGS, LOOK_SIDE, AeiConfig
from bianlian.model.faceshifter.hear import CHANNELS, HearNet
from bianlian.model.faceshifter.losses import AeiWeights, attribute_loss, identity_loss, same_reconstruction
from bianlian.model.faceshifter.recogniser import Recogniser
from bianlian.model.losses import weighted_l1
from bianlian.swap.oneshot import BASE, STUDIED
from bianlian.train.pretrain import Arrays, PretrainConfig, as_picture, as_weight, pretrain
from bianlian.train.pretrain_hear import HearRecipe
from bianlian.train.pretrain_oneshot import LOOKED_AT, OneShotRecipe, hidden_batch
from bianlian.train.swaps import Swaps
from bianlian.weights import CARDS, locate

HEAR = "HEAR"
NARROW = AeiConfig(down=(8, 16, 32, 64, 128, 256, 256), up=(256, 256, 256, 256, 128, 64, 32, 16, 3))
SHAPES = {**CONFIGS, "narrow": NARROW}
WEIGHTS = AeiWeights()


@dataclass(frozen=True)
class Variant:
    """config: of the network. supervised: exact answers. attribute: whether the published attribute loss counts."""

    config: AeiConfig
    supervised: bool = True
    attribute: bool = False


def variants(config: AeiConfig) -> Mapping[str, Variant]:
    """Name all variants of a network."""
    return {
        "all": Variant(config),
        "no truth": Variant(config, supervised=False, attribute=True),
        "attribute loss": Variant(config, attribute=True),
        "no mask": Variant(replace(config, masked=False)),
        "no photo": Variant(replace(config, photo=False)),
        "3 maps": Variant(replace(config, maps=3)),
    }


class AblationRecipe:
    """A variant as a ``train.pretrain.Recipe``. base: draws the draft where the network takes one."""

    betas = OneShotRecipe.betas

    def __init__(self, variant: Variant, recogniser: Recogniser, base: Base | None, seed: int = 0) -> None:
        self._variant, self._recogniser, self._base = variant, recogniser, base
        self._inner = OneShotRecipe(variant.config, seed, recogniser, base)

    @property
    def network(self) -> AeiNet:
        """The network."""
        return self._inner.network

    def batch(self, data: Swaps, many: int, rng: np.random.Generator) -> Arrays:
        """Make ``many`` examples."""
        return self._inner.batch(data, many, rng)

    def draw(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Swap, see ``OneShotRecipe.draw``."""
        return self._inner.draw(self.asked(batch))

    def losses(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare with the answer, or with what is known without it."""
        batch = self.asked(batch)
        terms = self._inner.losses(drawn, batch) if self._variant.supervised else self._published(drawn[:, :3], batch)
        if self._variant.attribute:
            terms["attribute"] = WEIGHTS.attribute * self._attribute(drawn[:, :3], batch)
            terms["total"] = terms["total"] + terms["attribute"]
        return terms

    def asked(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Without exact answers let the first half of the examples have the target's own face as source and answer."""
        if self._variant.supervised:
            return batch
        half, (target, portrait, described, truth, weight, photo) = len(batch[0]) // 2, (array.clone() for array in batch[:6])
        own = as_picture(target[:half])
        small = functional.interpolate(own, size=(LOOK_SIDE, LOOK_SIDE), mode="area")
        portrait[:half] = (small * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1)
        with torch.no_grad():
            described[:half] = self._recogniser.to(target.device).look(own)[0]
        truth[:half], photo[:half] = target[:half], target[:half].flip(2)
        return target, portrait, described, truth, weight, photo

    def _published(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        half = len(drawn) // 2
        some = slice(max(0, half - LOOKED_AT // 2), half + LOOKED_AT // 2)
        same = (torch.arange(len(drawn), device=drawn.device) < half).float()
        terms = {
            "identity": WEIGHTS.identity * identity_loss(self._recogniser.look(drawn[some])[0], batch[2][some]),
            "reconstruction": WEIGHTS.reconstruction * same_reconstruction(drawn, as_picture(batch[0]), same),
        }
        return terms | {"total": terms["identity"] + terms["reconstruction"]}

    def _attribute(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        """Compare the attributes of what is drawn with the target's."""
        target, draft = as_picture(batch[0]), None
        if self._base is not None:
            with torch.no_grad():
                draft = self._base(target, as_picture(batch[1])).float()
        photo = as_picture(batch[5]) if self.network.config.photo else None
        mine, wanted = (self.network.attributes_of(x, draft, photo) for x in (drawn, target))
        return attribute_loss(mine, [value.detach() for value in wanted])


def trained(recipe: AblationRecipe | HearRecipe, data: Swaps, out: Path, config: PretrainConfig, iterations: int) -> nn.Module:
    """Train until so many iterations -> the averaged network."""
    pretrain(recipe, data, out, replace(config, iterations=iterations))
    network = recipe.network
    network.load_state_dict({name: value.float() for name, value in load_file(out).items()})
    return network.eval().requires_grad_(False)


def judged(network: AeiNet, base: Base | None, held: Swaps, most: int) -> dict[str, float]:
    """Measure a network on people whom it was not trained on."""
    rows = gathered([held[int(k)] for k in np.linspace(0, len(held) - 1, min(most, len(held))).astype(int)], network.config.size)
    network.cpu()
    drawn = []
    with torch.no_grad():
        for k in range(0, len(rows.target), 8):
            target, portrait = rows.target[k : k + 8], rows.portrait[k : k + 8]
            told = network.tell(portrait, rows.described[k : k + 8])
            draft = None if base is None else base.cpu()(target, portrait)
            drawn.append(network(target, told, draft, rows.photo[k : k + 8] if network.config.photo else None))
    return measure(torch.cat(drawn).clamp(0, 1), rows)


def corrected(recipe: HearRecipe, held: Swaps, most: int, size: int) -> dict[str, float]:
    """Measure HEAR-Net where something lies before every face: L1 of what went in and of what came out."""
    arrays = hidden_batch(held, min(most, len(held)), size, 1.0, np.random.default_rng(0))
    batch = tuple(torch.from_numpy(array) for array in arrays)
    recipe.network.cpu()
    with torch.no_grad():
        both = recipe.draw(batch)
    truth, weight = as_picture(batch[3]), as_weight(batch[4])
    return {name: float(weighted_l1(x, truth, weight)) for name, x in (("before", both[:, 3:]), ("behind", both[:, :3]))}


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ready", type=Path)
    parser.add_argument("--held", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--config", choices=list(SHAPES), default="compact")
    parser.add_argument("--count", type=int, default=96, help="held-out examples that are judged")
    parser.add_argument("--hear-channels", type=int, nargs="+", default=CHANNELS)
    parser.add_argument("--only", nargs="+", help="variants to train; all when left out")
    parser.add_argument("-o", "--out", type=Path, default=Path("ablation"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    data, held = (Swaps(sorted(folder.glob("*.safetensors"))) for folder in (given.ready, given.held))
    shape, recogniser = SHAPES[given.config], Recogniser()
    base = filled_base(STUDIED, load_file(locate(CARDS[BASE]))) if shape.draft else None
    settings = PretrainConfig(batch=given.batch, lr=5e-4, minutes=1e6, constant=True)
    table: dict[str, dict[str, float]] = {}
    for name in given.only or [*variants(shape), HEAR]:
        out = given.out / f"{name.replace(' ', '-')}.safetensors"
        if name == HEAR:
            aei = trained(
                AblationRecipe(variants(shape)["all"], recogniser, base), data, given.out / "all.safetensors", settings, 0
            )
            assert isinstance(aei, AeiNet)
            hear = HearRecipe(aei, base, recogniser, 0, HearNet(tuple(given.hear_channels)))
            trained(hear, data, out, settings, given.iterations)
            table[name] = corrected(hear, held, given.count, shape.size)
        else:
            recipe = AblationRecipe(variants(shape)[name], recogniser, base)
            network = trained(recipe, data, out, settings, given.iterations)
            assert isinstance(network, AeiNet)
            recogniser.cpu()
            table[name] = judged(network, base, held, given.count)
        print(f"{name:15}", "  ".join(f"{key} {value:.4f}" for key, value in table[name].items()), flush=True)
        (given.out / "ablation.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

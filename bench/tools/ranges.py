"""Measure in which ranges the refiner's convolutions work, and write them into its weights file, so that it can run on bytes.

The examples are made of rendered pairs as for training, with all its changes of light, softness and noise. A tenth is added to
both ends of each range: footage may go a little further. The tensors stay as they are.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bianlian.files import replacing
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.model.quantize import KEY, measure_ranges, ranges_text
from bianlian.model.refiner import Refiner
from bianlian.train.pairs import Pairs
from bianlian.train.pretrain_refiner import RefinerRecipe
from bianlian.weights import CARDS, locate

ROOM = 0.1


def examples(recipe: RefinerRecipe, pairs: Pairs, count: int) -> Iterator[tuple[Tensor, ...]]:
    """Give what the refiner gets, a batch at a time."""
    given: list[tuple[Tensor, ...]] = []
    hook = recipe.network.register_forward_pre_hook(lambda _, inputs: given.append(inputs))
    for k in range(count):
        with torch.no_grad():
            recipe.draw(tuple(torch.from_numpy(array) for array in recipe.batch(pairs, 4, np.random.default_rng(k))))
        yield given.pop()
    hook.remove()


def main() -> None:
    """Write the file again, and say its hash and size for the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--pairs", type=Path, required=True, help="folder of aligned shards, see `bianlian pretrain`")
    parser.add_argument("--batches", type=int, default=64)
    asked = parser.parse_args()
    tensors, network = load_file(asked.weights), Refiner().eval()
    network.load_state_dict({name: value.float() for name, value in tensors.items()})
    recipe = RefinerRecipe(DeepfakeConfig(size=128, width="light"), load_file(locate(CARDS["base-light-128"])))
    given = examples(recipe, Pairs(sorted(asked.pairs.glob("*.safetensors"))), asked.batches)
    found = measure_ranges(network, given)
    wider = {name: (low - ROOM * (high - low), high + ROOM * (high - low)) for name, (low, high) in found.items()}
    with replacing(asked.weights) as path:
        save_file(tensors, path, metadata={KEY: ranges_text(wider)})
    data = asked.weights.read_bytes()
    print(f"{hashlib.sha256(data).hexdigest()} {len(data):_}")


if __name__ == "__main__":
    main()

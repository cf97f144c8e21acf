"""One swap of a batch of crops: eager torch against the compiled network that swaps use."""

from __future__ import annotations

import numpy as np
import torch
from timing import compare

from bianlian.model.autoencoder import Autoencoder, DeepfakeConfig
from bianlian.model.blocks import init_weights
from bianlian.runtime import Network, compile_module


def main() -> None:
    """Print a table for each size and batch."""
    for width, size in (("light", 128), ("full", 64)):
        net = Autoencoder(DeepfakeConfig(size=size, width=width), 1)
        init_weights(net, torch.Generator().manual_seed(0))
        path = net.path(0).eval()
        compiled = compile_module(path, (1, 3, size, size), threads=2, dynamic_batch=True)
        for batch in (1, 8):
            crops = np.random.default_rng(0).random((batch, 3, size, size)).astype(np.float32)

            def eager(crops: np.ndarray = crops, path: torch.nn.Module = path) -> None:
                with torch.no_grad():
                    path(torch.from_numpy(crops))

            def swift(crops: np.ndarray = crops, net: Network = compiled) -> None:
                net(crops)

            compare(f"{width} {size} px, batch {batch}", {"torch, eager": eager, "compiled": swift})


if __name__ == "__main__":
    main()

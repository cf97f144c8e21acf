"""A frozen recogniser that looks at what is drawn while it is drawn: the identity loss, with gradients.

The same network as ``identity.dlib`` describes faces with. Its picture is cut out of the model's crop; the two framings are centred
on one point but for a shift.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bianlian.identity._dlib_resnet import load_dlib_resnet
from bianlian.model.faceshifter.losses import identity_loss
from bianlian.model.perceptual import dlib_view
from bianlian.weights import CARDS, locate

STAGES = (2, 6, 9)
"""Blocks whose maps are compared: the last ones of 35, 17 and 8 pixels a side."""


class Recogniser(nn.Module):
    """dlib's descriptor, for pictures that networks draw."""

    def __init__(self) -> None:
        """Load. Raises WeightsError."""
        super().__init__()
        self.network = load_dlib_resnet(locate(CARDS["dlib_descriptor"]))

    def look(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Describe. pictures: the model's crops (B, 3, S, S) in [0, 1] -> descriptions (B, 128), maps (B, C, H, W)."""
        net, maps = self.network, []
        x = dlib_view(pictures)
        x = functional.max_pool2d(functional.relu(net.inp_affine(net.inp(x * (255 / 256) - net.mean))), 3, 2)
        for k, block in enumerate(net.blocks):
            x = block(x)
            if k in STAGES:
                maps.append(x)
        return net.out(x.mean((2, 3))), maps

    def compare(self, drawn: Tensor, truth: Tensor, described: Tensor) -> tuple[Tensor, Tensor]:
        """Compare what was drawn with who was asked for, and with the answer.

        drawn, truth (B, 3, S, S) in [0, 1], described (B, 128) -> 1 - cosine, and the mean difference of the maps in spreads.
        """
        mine, maps = self.look(drawn)
        with torch.no_grad():
            wanted = self.look(truth)[1]
        far = [(a - b).abs().mean() / b.std().clamp_min(1e-6) for a, b in zip(maps, wanted, strict=True)]
        return identity_loss(mine, described), torch.stack(far).mean()

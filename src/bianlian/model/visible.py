"""Where a face is seen and nothing is in front of it: the mask that ships, inside models that draw a mask of their own.

A decoder draws its mask from the face's code, which holds pose, expression and light and hardly a hand before the cheek. The
pretrained mask (``mask.unet``) looks at the picture itself; the product of both is the model's mask. It stands still while the
model trains: a composition that is compared with its own picture would teach it to shut.
"""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from bianlian.mask.learned import CARD
from bianlian.mask.unet import MaskNet
from bianlian.weights import CARDS, locate

SIDE = 96
"""Side at which a model's crop is looked at: a face is then nearly as large as in the views that the network was trained on."""


class Visible(nn.Module):
    """The pretrained mask over a model's crops: (B, 3, S, S) in [0, 1] -> (B, 1, S, S) in [0, 1], without gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.net = MaskNet().requires_grad_(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Look. x (B, 3, S, S) -> (B, 1, S, S): 1 where the inner face itself is seen."""
        side = x.shape[-1]
        while x.shape[-1] >= 2 * SIDE:
            x = functional.avg_pool2d(x, 2)
        logits = self.net(functional.interpolate(x, size=(SIDE, SIDE), mode="bilinear"))
        return torch.sigmoid(functional.interpolate(logits, size=(side, side), mode="bilinear"))

    def load(self) -> None:
        """Take the weights that ship. Raises WeightsError when they cannot be read."""
        self.net.load_state_dict({name: value.float() for name, value in load_file(locate(CARDS[CARD])).items()})

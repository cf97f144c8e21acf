"""The attribute encoder: what stays of the target (pose, expression, light, background), as maps of several sizes.

Source: "FaceShifter", arXiv 1912.13457: a U-Net (arXiv 1505.04597) of 4x4 convolutions of stride 2 down and transposed ones up,
with batch normalisation and LeakyReLU 0.1. Its maps are the innermost, each one on the way up joined with its neighbour from the
way down, and the last of them once more at twice the side. What differs in the compact form: no batch normalisation (its running
means are of virtual people, and footage differs), and no last map at the picture's own side.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from bianlian.model.blocks import SLOPE


class AttributeEncoder(nn.Module):
    """Pictures -> attribute maps, coarse to fine.

    channels: on the way down, one a halving. normalised: batch normalisation. full: give a last map at the picture's own side.
    inputs: channels of the pictures.
    """

    def __init__(self, channels: tuple[int, ...], *, normalised: bool = True, full: bool = True, inputs: int = 3) -> None:
        super().__init__()
        self.full = full
        self.down = nn.ModuleList(_step(nn.Conv2d, a, b, normalised) for a, b in pairwise((inputs, *channels)))
        self.up = nn.ModuleList()
        widths = [channels[-1]]
        for skip in reversed(channels[:-1]):
            self.up.append(_step(nn.ConvTranspose2d, widths[-1], skip, normalised))
            widths.append(2 * skip)
        self.widths = (*widths, widths[-1]) if full else tuple(widths)
        """Channels of the maps, coarse to fine."""

    def forward(self, x: Tensor) -> list[Tensor]:
        """Look. x (B, inputs, S, S) in [0, 1] -> maps (B, C, H, H) of ``widths``, each of twice the side of the one before."""
        x, kept = x * 2 - 1, list[Tensor]()
        for step in self.down:
            x = step(x)
            kept.append(x)
        maps = [x]
        for step, skip in zip(self.up, reversed(kept[:-1]), strict=True):
            maps.append(torch.cat([step(maps[-1]), skip], 1))
        if self.full:
            maps.append(functional.interpolate(maps[-1], scale_factor=2.0, mode="bilinear", align_corners=False))
        return maps


def _step(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], inputs: int, outputs: int, normalised: bool) -> nn.Sequential:
    """Make one step down or up: convolution, normalisation, LeakyReLU."""
    conv = kind(inputs, outputs, 4, stride=2, padding=1, bias=not normalised)
    return nn.Sequential(conv, *([nn.BatchNorm2d(outputs)] if normalised else []), nn.LeakyReLU(SLOPE))

"""HEAR-Net: puts back what AEI-Net lost before the face, without having seen any example of it.

Source: "FaceShifter", arXiv 1912.13457, section 3.2. AEI-Net redraws the target's own face; what differs from the target there
(its heuristic error) shows where hair, hands and glasses were lost. A U-Net of five halvings sees the swapped face and that error.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bianlian.model.faceshifter.aei import AeiNet
from bianlian.model.faceshifter.attributes import AttributeEncoder

CHANNELS = (64, 128, 256, 512, 512)
"""Channels at a half to a thirty-second of the side."""


class HearNet(nn.Module):
    """The network. channels: on the way down, one a halving; five as published."""

    def __init__(self, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.body = AttributeEncoder(channels, inputs=6)
        self.out = nn.Conv2d(self.body.widths[-1], 3, 3, padding=1)

    def forward(self, swapped: Tensor, error: Tensor) -> Tensor:
        """Correct. swapped (B, 3, S, S) in [0, 1], error (B, 3, S, S) in [-1, 1] -> (B, 3, S, S) in [0, 1]."""
        seen = torch.cat([swapped, (error + 1) / 2], 1)
        return (torch.tanh(self.out(self.body(seen)[-1])) + 1) / 2


def heuristic_error(network: AeiNet, target: Tensor, own: Tensor) -> Tensor:
    """Ask AEI-Net for the target's own face, and take that off the target -> (B, 3, S, S). target: so; own (B, told): who it is."""
    with torch.no_grad():
        error: Tensor = target - network(target, own)
    return error

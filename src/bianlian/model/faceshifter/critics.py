"""The critics of AEI-Net: three alike, on the picture, on half and on a quarter of its side; and their hinge losses.

Source: "FaceShifter", arXiv 1912.13457, after pix2pixHD (Wang et al., arXiv 1711.11585) and the hinge of geometric GAN (Lim & Ye,
arXiv 1705.02894).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class Critic(nn.Module):
    """Judges patches of a picture: real or drawn. Four halvings of 4x4 convolutions, as in pix2pixHD (arXiv 1711.11585)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for k, (inputs, outputs) in enumerate(pairwise(widths)):
            layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1))
            layers += [nn.InstanceNorm2d(outputs)] if k else []
            layers.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Judge. x (B, 3, S, S) in [0, 1], S a multiple of 16 -> (B, 1, S / 16, S / 16), above 0 for real."""
        scores: Tensor = self.layers(x * 2 - 1)
        return scores


class Critics(nn.Module):
    """Critics of several scales."""

    def __init__(self, width: int = 64, scales: int = 3) -> None:
        super().__init__()
        self.critics = nn.ModuleList(Critic(width) for _ in range(scales))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Judge. x (B, 3, S, S) in [0, 1] -> a map of scores a scale, fine to coarse."""
        scores = []
        for critic in self.critics:
            scores.append(critic(x))
            x = functional.avg_pool2d(x, 2)
        return scores


def critic_loss(real: Sequence[Tensor], drawn: Sequence[Tensor]) -> Tensor:
    """Hinge: real scores are asked for 1 and more, drawn ones for -1 and less; mean over the scales -> scalar."""
    each = [functional.relu(1 - r).mean() + functional.relu(1 + d).mean() for r, d in zip(real, drawn, strict=True)]
    return torch.stack(each).mean()


def artist_loss(drawn: Sequence[Tensor]) -> Tensor:
    """What drawn pictures lose before the critics: minus their scores, mean over the scales -> scalar."""
    return -torch.stack([d.mean() for d in drawn]).mean()

"""Building blocks of the classic family: strided convolutions down, pixel shuffle up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOPE = 0.1
"""Negative slope of LeakyReLU in the original autoencoder."""


class Down(nn.Module):
    """5x5 convolution of stride 2 and LeakyReLU 0.1: (B, C, H, W) -> (B, F, H/2, W/2)."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 5, stride=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """Halve the picture. x (B, C, H, W) -> (B, F, H/2, W/2)."""
        return nn.functional.leaky_relu(self.conv(x), SLOPE)


class Upscale(nn.Module):
    """3x3 convolution to 4F, LeakyReLU 0.1, PixelShuffle 2: (B, C, H, W) -> (B, F, 2H, 2W)."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * filters, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Double the picture. x (B, C, H, W) -> (B, F, 2H, 2W)."""
        return nn.functional.pixel_shuffle(nn.functional.leaky_relu(self.conv(x), SLOPE), 2)


def count_parameters(module: nn.Module) -> int:
    """Number of weights in a module."""
    return sum(p.numel() for p in module.parameters())


def init_weights(module: nn.Module, generator: torch.Generator) -> None:
    """Fill every convolution and dense layer from an explicit generator; biases are 0.

    Convolutions: He normal for LeakyReLU 0.1; dense layers (linear here): variance 1 / inputs. Both keep the size of the signal
    from layer to layer; with Glorot's rule a tenth is left behind the bottleneck and the network draws one mean face for long.
    Source: He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=SLOPE, generator=generator)
        elif isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear", generator=generator)
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)

"""Building blocks of the classic family: strided convolutions down, pixel shuffle up."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bianlian.model.octave import Maps, OctConv, convolution, each

SLOPE = 0.1
"""Negative slope of LeakyReLU in the original autoencoder."""


class Down(nn.Module):
    """5x5 convolution of stride 2 and LeakyReLU 0.1: (B, C, H, W) -> (B, F, H/2, W/2). alphas: see ``octave.convolution``."""

    def __init__(self, channels: int, filters: int, alphas: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__()
        self.conv = convolution(channels, filters, 5, stride=2, alphas=alphas)

    def forward(self, x: Maps) -> Maps:
        """Halve the picture. x (B, C, H, W) -> (B, F, H/2, W/2)."""
        return each(lambda y: functional.leaky_relu(y, SLOPE), self.conv(x))


class Upscale(nn.Module):
    """3x3 convolution to 4F, LeakyReLU 0.1, PixelShuffle 2: (B, C, H, W) -> (B, F, 2H, 2W). alphas: see ``octave.convolution``."""

    def __init__(self, channels: int, filters: int, alphas: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__()
        self.conv = convolution(channels, 4 * filters, 3, alphas=alphas, unit=4)

    def forward(self, x: Maps) -> Maps:
        """Double the picture. x (B, C, H, W) -> (B, F, 2H, 2W)."""
        return each(lambda y: functional.pixel_shuffle(functional.leaky_relu(y, SLOPE), 2), self.conv(x))


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
    for octave in (layer for layer in module.modules() if isinstance(layer, OctConv)):
        _share_variance(octave)


def _share_variance(octave: OctConv) -> None:
    """Scale the paths of an octave convolution so that each output, a sum of two of them, has the variance of one."""
    high_in, low_in = octave.high.in_channels, octave.low_to_high.in_channels if octave.low_to_high is not None else 0
    with torch.no_grad():
        for path in octave.paths():
            path.weight *= (path.in_channels / (high_in + low_in)) ** 0.5

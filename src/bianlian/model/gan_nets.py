"""Networks of the ``gan`` model at full width: shared encoder, a decoder with a learned mask a person, judges of pairs.

Layers as in faceswap-GAN v2.2: no bias in convolutions, activation and then instance norm, He's first weights, ICNR before pixel
shuffle. What the sources leave open is chosen here: norm in every block but the first of a stack, and in upscales before the
shuffle; no activation after the first convolution; dense layers keep their bias.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from bianlian.model.attention import attention
from bianlian.model.blocks import init_weights
from bianlian.model.drawn import Drawn
from bianlian.model.gan_config import GanConfig
from bianlian.model.octave import Maps, OctConv, convolution, each, low_channels

ENCODER = (128, 256, 512, 1024)
ATTENDED = (256, 512)
DECODER = (256, 128, 64)
JUDGE = {"full": (64, 128, 256, 256), "light": (32, 64, 128, 128)}
"""Filters of the judge's halvings; the last one is repeated until the map is 8x8."""
INNER = 512
SLOPE = 0.2


class Norm(nn.Module):
    """Instance norm with a learned scale and shift, of each resolution: ``Maps`` -> the same shapes."""

    def __init__(self, channels: int, alpha: float) -> None:
        super().__init__()
        low = low_channels(channels, alpha)
        self.norms = nn.ModuleList(nn.InstanceNorm2d(c, affine=True) for c in (channels - low, low) if c)

    def forward(self, x: Maps) -> Maps:
        """Normalise each channel of each picture."""
        return (self.norms[0](x[0]), self.norms[1](x[1])) if isinstance(x, tuple) else self.norms[0](x)


class Block(nn.Module):
    """Convolution without bias, leaky ReLU of ``slope``, instance norm where ``norm``: ``Maps`` -> ``Maps``."""

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: int,
        stride: int,
        *,
        slope: float,
        norm: bool,
        alphas: tuple[float, float],
        unit: int = 1,
    ) -> None:
        super().__init__()
        self.slope = slope
        self.conv = convolution(channels, filters, kernel, stride=stride, bias=False, alphas=alphas, unit=unit)
        self.norm = Norm(filters, alphas[1]) if norm else None

    def forward(self, x: Maps) -> Maps:
        """Run the block."""
        x = each(lambda y: functional.leaky_relu(y, self.slope), self.conv(x))
        return x if self.norm is None else self.norm(x)


class GanUpscale(nn.Module):
    """3x3 convolution to 4F, leaky ReLU 0.2, norm, PixelShuffle: (B, C, H, W) -> (B, F, 2H, 2W)."""

    def __init__(self, channels: int, filters: int, *, norm: bool, alphas: tuple[float, float]) -> None:
        super().__init__()
        self.block = Block(channels, 4 * filters, 3, 1, slope=SLOPE, norm=False, alphas=alphas, unit=4)
        self.norm = Norm(filters, alphas[1]) if norm else None

    def forward(self, x: Maps) -> Maps:
        """Double the picture."""
        x = each(lambda y: functional.pixel_shuffle(y, 2), self.block(x))
        return x if self.norm is None else self.norm(x)


class ResBlock(nn.Module):
    """Two 3x3 convolutions added to their input, leaky ReLU 0.2: ``Maps`` -> the same shapes."""

    def __init__(self, channels: int, *, norm: bool, alpha: float) -> None:
        super().__init__()
        self.first = Block(channels, channels, 3, 1, slope=SLOPE, norm=norm, alphas=(alpha, alpha))
        self.second = convolution(channels, channels, 3, bias=False, alphas=(alpha, alpha))
        self.norm = Norm(channels, alpha) if norm else None

    def forward(self, x: Maps) -> Maps:
        """Run the block."""
        change = self.second(self.first(x))
        x = (x[0] + change[0], x[1] + change[1]) if isinstance(x, tuple) else x + change
        x = each(lambda y: functional.leaky_relu(y, SLOPE), x)
        return x if self.norm is None else self.norm(x)


class GanEncoder(nn.Module):
    """Shared by all people: (B, 3, S, S) in [0, 1] -> (B, 512, 8, 8)."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        alpha, normed = config.octave, config.norm == "instance"
        filters = (*ENCODER, *(ENCODER[-1] for _ in range({64: 0, 128: 1, 256: 2}[config.size])))
        self.stem = convolution(3, 64, 5, bias=False, alphas=(0.0, alpha))
        self.down = nn.ModuleList()
        for k, (a, b) in enumerate(pairwise((64, *filters))):
            last = k == len(filters) - 1
            alphas = (alpha, 0.0 if last else alpha)
            self.down.append(Block(a, b, 3, 2, slope=0.0, norm=normed and k > 0, alphas=alphas))
            if b in ATTENDED:
                self.down.append(attention(b, alpha))
        self.squeeze = nn.Linear(4 * 4 * ENCODER[-1], config.dense)
        self.spread = nn.Linear(config.dense, 4 * 4 * ENCODER[-1])
        self.up = GanUpscale(ENCODER[-1], INNER, norm=normed, alphas=(0.0, 0.0))

    def forward(self, x: Tensor) -> Tensor:
        """Describe pose, expression and light. x (B, 3, S, S) -> (B, 512, 8, 8)."""
        maps = self.stem(x * 2 - 1)
        for layer in self.down:
            maps = layer(maps)
        code = self.squeeze(maps.flatten(1))
        described: Tensor = self.up(self.spread(code).unflatten(1, (ENCODER[-1], 4, 4)))
        return described


class GanDecoder(nn.Module):
    """Draws one person: (B, 512, 8, 8) -> ``Drawn``."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        alpha, normed = config.octave, config.norm == "instance"
        first, second, third = DECODER
        both = (alpha, alpha)
        self.body = nn.Sequential(
            GanUpscale(INNER, first, norm=normed, alphas=(0.0, alpha)),
            GanUpscale(first, second, norm=normed, alphas=both),
            attention(second, alpha),
            GanUpscale(second, third, norm=normed, alphas=both),
            ResBlock(third, norm=normed, alpha=alpha),
            attention(third, alpha),
        )
        doublings = {64: 0, 128: 1, 256: 2}[config.size]
        self.small = nn.ModuleList(convolution(third, 3, 5, bias=False, alphas=(alpha, 0.0)) for _ in range(doublings))
        self.more = nn.ModuleList(
            nn.Sequential(
                GanUpscale(third, third, norm=normed, alphas=both),
                Block(third, third, 3, 1, slope=0.0, norm=normed, alphas=both),
            )
            for _ in range(doublings)
        )
        self.alpha = convolution(third, 1, 5, bias=False, alphas=(alpha, 0.0))
        self.rgb = convolution(third, 3, 5, bias=False, alphas=(alpha, 0.0))

    def forward(self, x: Tensor) -> Drawn:
        """Draw the face. x (B, 512, 8, 8) -> pictures of 64, 128, ... pixels and a mask."""
        maps = self.body(x)
        smaller = []
        for small, more in zip(self.small, self.more, strict=True):
            smaller.append(torch.tanh(small(maps)))
            maps = more(maps)
        return Drawn(torch.tanh(self.rgb(maps)), torch.sigmoid(self.alpha(maps)), tuple(smaller))


class Judge(nn.Module):
    """Tells drawn from real: a picture beside what it was drawn from, (B, 6, S, S) in [-1, 1] -> scores (B, 1, 8, 8)."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        alpha, normed = config.octave, config.norm == "instance"
        first, second, third, rest = JUDGE[config.width]
        filters = [first, second, third, *(rest for _ in range({64: 0, 128: 1, 256: 2}[config.size]))]
        self.layers = nn.ModuleList()
        for k, (a, b) in enumerate(pairwise((6, *filters))):
            alphas = (0.0 if k == 0 else alpha, alpha)
            self.layers.append(Block(a, b, 4, 2, slope=SLOPE, norm=normed and k > 0, alphas=alphas))
            if k >= 2:
                self.layers.append(attention(b, alpha))
        self.out = convolution(filters[-1], 1, 4, bias=False, alphas=(alpha, 0.0))

    def forward(self, x: Tensor) -> Tensor:
        """Judge. x (B, 6, S, S) -> (B, 1, 8, 8), about 1 for real and 0 for drawn."""
        maps: Maps = x
        for layer in self.layers:
            maps = layer(maps)
        if not isinstance(maps, tuple):
            maps = functional.pad(maps, (0, 1, 0, 1))
        scores: Tensor = self.out(maps)
        return scores


def init_gan(module: nn.Module, generator: torch.Generator) -> None:
    """Fill the first weights: He's for convolutions, one kernel for the four pixels of each shuffled channel (ICNR).

    Source of ICNR: Aitken et al., arXiv 1707.02937.
    """
    init_weights(module, generator)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, GanUpscale):
                conv = layer.block.conv
                for path in conv.paths() if isinstance(conv, OctConv) else [conv]:
                    weight = path.weight
                    assert isinstance(weight, Tensor)
                    weight.copy_(weight[::4].repeat_interleave(4, 0))

"""The network of the learned mask: which pixels of an aligned crop show the inner face itself.

A U-Net (Ronneberger, Fischer & Brox, arXiv 1505.04597) of residual blocks (He et al., arXiv 1512.03385) that starts and ends with
4 x 4 pixels as channels (pixel unshuffle and shuffle), so that most of its arithmetic runs at a quarter of the side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (48, 80, 128)
"""Channels at a quarter, an eighth and a sixteenth of the side."""
MULTIPLE = 16
"""The side of a picture must be a multiple of this."""
SLOPE = 0.1
"""Negative slope of LeakyReLU."""
_BLOCK = 4


class Residual(nn.Module):
    """Two 3x3 convolutions that add to their input: (B, C, H, W) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(channels, channels, 3, padding=1)
        self.b = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Add a correction. x (B, C, H, W) -> the same shape."""
        inner = functional.leaky_relu(self.a(functional.leaky_relu(x, SLOPE)), SLOPE)
        added: Tensor = x + self.b(inner)
        return added


class UNet(nn.Module):
    """The body: planes at a quarter of a picture's side in and out. Also the refiner's (``model.refiner``).

    planes: that go in; out: that come out; channels: at a quarter, an eighth and a sixteenth of the side.
    """

    def __init__(self, planes: int, out: int, channels: tuple[int, int, int]) -> None:
        super().__init__()
        quarter, eighth, sixteenth = channels
        self.inp = nn.Conv2d(planes, quarter, 3, padding=1)
        self.e0 = Residual(quarter)
        self.d1 = nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)
        self.e1 = Residual(eighth)
        self.d2 = nn.Conv2d(eighth, sixteenth, 3, stride=2, padding=1)
        self.e2 = nn.Sequential(Residual(sixteenth), Residual(sixteenth))
        self.u1 = nn.Conv2d(sixteenth, eighth, 1)
        self.f1 = Residual(eighth)
        self.u0 = nn.Conv2d(eighth, quarter, 1)
        self.f0 = Residual(quarter)
        self.out = nn.Conv2d(quarter, out, 3, padding=1)

    def run(self, planes: Tensor) -> Tensor:
        """Run all levels. planes (B, C, S/4, S/4), S a multiple of 16 -> (B, out, S/4, S/4)."""
        a = self.e0(self.inp(planes))
        b = self.e1(self.d1(a))
        c = self.e2(self.d2(b))
        b = self.f1(b + functional.interpolate(self.u1(c), scale_factor=2.0))
        a = self.f0(a + functional.interpolate(self.u0(b), scale_factor=2.0))
        out: Tensor = self.out(a)
        return out


class MaskNet(UNet):
    """Tell the visible inner face from all else, pixel by pixel. generator: of the first weights."""

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__(3 * _BLOCK**2, _BLOCK**2, CHANNELS)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, a=SLOPE, generator=generator)
                nn.init.zeros_(layer.bias)
            if isinstance(layer, Residual):
                nn.init.zeros_(layer.b.weight)
        nn.init.zeros_(self.out.weight)

    def forward(self, image: Tensor) -> Tensor:
        """Look at a picture. image (B, 3, S, S) in [0, 1], S a multiple of 16 -> logits (B, 1, S, S)."""
        return functional.pixel_shuffle(self.run(functional.pixel_unshuffle(image * 2 - 1, _BLOCK)), _BLOCK)

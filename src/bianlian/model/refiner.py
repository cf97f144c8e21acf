"""The refiner: a small network that lends a drawn face the light and the fine detail of the face it replaces.

A face that was trained for minutes is drawn small, soft and in the light of the source's footage. The frame under it shows the
same pose, the same expression and the right light, in full detail, on another person. The refiner sees both and corrects the drawn
face; it was trained on performances that two virtual people play alike, against the exact answer, so it learned what may be taken
over (light, shadow, teeth, highlights, grain) and what may not (the other person's features). It knows nobody: one set of weights
serves every model and every pair of people.

A U-Net (Ronneberger, Fischer & Brox, arXiv 1505.04597) of residual blocks (He et al., arXiv 1512.03385) on quarter-resolution
pictures whose 4 x 4 pixels became channels (pixel unshuffle). It gives two things: a correction of every pixel, and, for three
bands of detail of the target (differences of means over 2, 4 and 8 pixels), how much of each is let through where.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch import cat as concat
from torch.nn import functional

from bianlian.mask.unet import UNet

CHANNELS = (80, 112, 144)
"""Channels at a quarter, an eighth and a sixteenth of the side."""
BANDS = 3
"""Bands of the target's detail that are let through or not."""
BLOCK = 4
"""Side of the blocks of pixels that become channels."""
_PIXELS = 3 * BLOCK**2


class Refiner(UNet):
    """Correct a drawn face by the face it replaces. Starts as no change at all."""

    def __init__(self) -> None:
        super().__init__(2 * _PIXELS, _PIXELS + BANDS, CHANNELS)
        for weight in self.out.parameters():
            nn.init.zeros_(weight)

    def forward(self, drawn: Tensor, target: Tensor) -> Tensor:
        """Refine. drawn, target (B, 3, S, S) in [0, 1], S a multiple of 16 -> (B, 3, S, S), about [0, 1] (not clipped)."""
        out = self.run(functional.pixel_unshuffle(concat([drawn, target], 1) * 2 - 1, BLOCK))
        refined = drawn + functional.pixel_shuffle(out[:, :_PIXELS], BLOCK)
        gates = _double(_double(out[:, _PIXELS:]))
        for k, band in enumerate(detail_bands(target)):
            refined = refined + gates[:, k : k + 1] * band
        return refined


class Planes(nn.Module):
    """The convolutions of a refiner alone: (B, 96, S/4, S/4) -> (B, 51, S/4, S/4), for what does the rest by itself."""

    def __init__(self, refiner: Refiner) -> None:
        super().__init__()
        self.refiner = refiner

    def forward(self, planes: Tensor) -> Tensor:
        """Run all levels, see ``Refiner.forward`` for what goes in and what comes out."""
        return self.refiner.run(planes)


def detail_bands(x: Tensor) -> list[Tensor]:
    """Split off the detail of a picture: (B, 3, S, S), S a multiple of 8 -> three bands of that shape, fine to coarse."""
    means = [x]
    for _ in range(BANDS):
        means.append(functional.avg_pool2d(means[-1], 2))
    bands = []
    for k, (fine, coarse) in enumerate(pairwise(means)):
        band = fine - _double(coarse)
        for _ in range(k):
            band = _double(band)
        bands.append(band)
    return bands


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

"""Networks of the original deepfake autoencoder (2017): one encoder for all people, one decoder a person.

Reference shapes at 64 px, width ``full``: 5x5 stride-2 convolutions 128/256/512/1024, dense 1024, dense 4*4*1024, upscale 512 to
8x8; decoder upscales 256/128/64, 5x5 convolution to 3, sigmoid. What differs here: at 128 px the encoder has one more halving (so
that the innermost map stays 4x4) and the decoder one more doubling, at 256 px two; width ``light`` is narrower, for training on a
CPU. With ``octave`` above 0 a share of the channels lives at half resolution (``octave.py``), in the encoder's halvings and in the
decoder; what lies between them, a dense layer and one convolution of a 4x4 map, stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from bianlian.errors import ConfigError
from bianlian.model.blocks import Down, Upscale
from bianlian.model.losses import dssim, edge_l1, weighted_l1
from bianlian.model.octave import Maps, check_octave, convolution
from bianlian.model.path import PersonPath


@dataclass(frozen=True)
class Widths:
    """Channels of each layer: encoder halvings, dense bottleneck, first upscale, decoder doublings."""

    encoder: tuple[int, ...]
    dense: int
    inner: int
    decoder: tuple[int, ...]


WIDTHS: dict[tuple[str, int], Widths] = {
    ("full", 64): Widths((128, 256, 512, 1024), 1024, 512, (256, 128, 64)),
    ("full", 128): Widths((128, 256, 512, 1024, 1024), 1024, 512, (256, 128, 64, 32)),
    ("full", 256): Widths((128, 256, 512, 1024, 1024, 1024), 1024, 512, (256, 128, 64, 32, 16)),
    ("light", 64): Widths((64, 128, 256, 192), 384, 192, (128, 64, 32)),
    ("light", 128): Widths((32, 64, 128, 256, 192), 384, 192, (128, 64, 32, 16)),
    ("light", 256): Widths((16, 32, 64, 128, 256, 192), 384, 192, (128, 64, 32, 16, 8)),
}
"""Layer widths of each (width, size)."""


@dataclass(frozen=True)
class DeepfakeConfig:
    """Settings of the ``deepfake`` model.

    size: side of the crops in pixels, 64, 128 or 256. width: ``full`` (the reference) or ``light`` (for CPUs). lr: Adam's step;
    betas: its decay rates. structural, edge: weights of the structural and the edge loss beside the mean absolute error.
    octave: share of the channels at half resolution, 0 for plain convolutions.
    """

    size: int = 128
    width: str = "light"
    lr: float = 5e-5
    betas: tuple[float, float] = (0.5, 0.999)
    structural: float = 1.0
    edge: float = 3.0
    octave: float = 0.0

    def __post_init__(self) -> None:
        check_octave(self.octave)
        if (self.width, self.size) not in WIDTHS:
            known = ", ".join(f"{w} {s}" for w, s in WIDTHS)
            raise ConfigError(f"deepfake has no width {self.width!r} at {self.size} px; there are: {known}")
        if not self.lr > 0:
            raise ConfigError(f"lr must be above 0, got {self.lr}")
        if min(self.structural, self.edge) < 0:
            raise ConfigError(f"loss weights must be 0 or more, got structural {self.structural}, edge {self.edge}")

    @property
    def widths(self) -> Widths:
        """Layer widths of this size and width."""
        return WIDTHS[self.width, self.size]

    @property
    def base(self) -> tuple[str, int] | None:
        """Width and size of the base that fits, None where the layers are of another kind."""
        return None if self.octave else (self.width, self.size)


class Encoder(nn.Module):
    """Shared by all people: (B, 3, S, S) in [0, 1] -> (B, inner, 8, 8)."""

    def __init__(self, config: DeepfakeConfig) -> None:
        super().__init__()
        w = config.widths
        channels = (3, *w.encoder)
        self.down = nn.Sequential(*(Down(a, b, s) for (a, b), s in zip(pairwise(channels), shares(w.encoder, config), strict=True)))
        self.last = w.encoder[-1]
        self.squeeze = nn.Linear(4 * 4 * self.last, w.dense)
        self.spread = nn.Linear(w.dense, 4 * 4 * self.last)
        self.up = Upscale(self.last, w.inner)

    def forward(self, x: Tensor) -> Tensor:
        """Describe pose, expression and light. x (B, 3, S, S) -> (B, inner, 8, 8)."""
        return self.describe(self.down(x))

    def describe(self, x: Tensor) -> Tensor:
        """Go through the dense layers. x (B, C, 4, 4), the innermost map -> (B, inner, 8, 8)."""
        code = self.squeeze(x.flatten(1))
        described: Tensor = self.up(self.spread(code).unflatten(1, (self.last, 4, 4)))
        return described


class Decoder(nn.Module):
    """Draws one person: (B, inner, 8, 8) -> (B, 3, S, S) in [0, 1]."""

    def __init__(self, config: DeepfakeConfig) -> None:
        super().__init__()
        w = config.widths
        channels = (w.inner, *w.decoder)
        alpha = config.octave
        starts = [0.0, *(alpha for _ in w.decoder[1:])]
        self.up = nn.ModuleList(Upscale(a, b, (s, alpha)) for (a, b), s in zip(pairwise(channels), starts, strict=True))
        self.rgb = convolution(w.decoder[-1], 3, 5, alphas=(alpha, 0.0))

    def forward(self, x: Tensor) -> Tensor:
        """Draw the face. x (B, inner, 8, 8) -> (B, 3, S, S)."""
        return torch.sigmoid(self.rgb(self.features(x)))

    def features(self, x: Maps) -> Maps:
        """Give the features that the last convolution draws from. x (B, inner, 8, 8) -> (B, C, S, S)."""
        for up in self.up:
            x = up(x)
        return x


def shares(layers: Sequence[int], config: DeepfakeConfig) -> list[tuple[float, float]]:
    """Shares of low channels before and after each layer of a stack that begins and ends with none."""
    inside = [config.octave for _ in layers[1:]]
    return list(pairwise([0.0, *inside, 0.0]))


def reconstruction_losses(config: DeepfakeConfig, output: Tensor, truth: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Compare output and truth (B, 3, S, S) under weight (B, 1, S, S) -> each weighted term and their ``total``, scalars."""
    output = output.float()
    terms = {"l1": weighted_l1(output, truth, weight)}
    if config.structural > 0:
        terms["structural"] = config.structural * dssim(output, truth, weight)
    if config.edge > 0:
        terms["edge"] = config.edge * edge_l1(output, truth, weight)
    terms["total"] = torch.stack(list(terms.values())).sum()
    return terms


class Autoencoder(nn.Module):
    """One encoder and a decoder for each person."""

    def __init__(self, config: DeepfakeConfig, people: int) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoders = nn.ModuleList(Decoder(config) for _ in range(people))

    def forward(self, crops: Sequence[Tensor]) -> list[Tensor]:
        """Redraw each person by their own decoder: one (B, 3, S, S) a person -> the same shapes."""
        codes = self.encoder(torch.cat(list(crops))).split([len(c) for c in crops])
        return [decoder(code) for decoder, code in zip(self.decoders, codes, strict=True)]

    def path(self, person: int) -> PersonPath:
        """Encoder and decoder that draw person number ``person`` in any pose: (B, 3, S, S) -> (B, 3, S, S)."""
        return PersonPath(self.encoder, self.decoders[person])

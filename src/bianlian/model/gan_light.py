"""Networks of the ``gan`` model at width ``light``: the base's autoencoder, with attention and a mask added.

Attention adds nothing at first (gamma 0) and the mask starts open, so that a person who starts from the base is drawn as the base
draws them; training goes on from there. No norm: the base has none. Unlike ``full`` there is no attention at 64x64 (4096
positions), which alone costs more than all else on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from bianlian.model.attention import attention
from bianlian.model.autoencoder import Decoder, DeepfakeConfig, Encoder
from bianlian.model.drawn import Drawn
from bianlian.model.gan_config import GanConfig
from bianlian.model.masked import open_mask
from bianlian.model.octave import Maps, convolution

ENCODER_SIDES, DECODER_SIDES = (16, 8), (32,)
"""Sides of the maps that are attended to."""


class LightEncoder(nn.Module):
    """Shared by all people: (B, 3, S, S) in [0, 1] -> (B, 192, 8, 8)."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        self.config = autoencoder_config(config)
        self.plain = Encoder(self.config)
        widths = self.config.widths.encoder
        self.attend = nn.ModuleDict(
            {str(k): attention(c, config.octave) for k, c in enumerate(widths) if config.size >> (k + 1) in ENCODER_SIDES}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Describe pose, expression and light. x (B, 3, S, S) -> (B, 192, 8, 8)."""
        maps: Maps = x
        for k, down in enumerate(self.plain.down):
            maps = down(maps)
            if str(k) in self.attend:
                maps = self.attend[str(k)](maps)
        assert isinstance(maps, Tensor)
        return self.plain.describe(maps)


class LightDecoder(nn.Module):
    """Draws one person: (B, 192, 8, 8) -> ``Drawn``."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        widths = autoencoder_config(config).widths.decoder
        self.plain = Decoder(autoencoder_config(config))
        self.attend = nn.ModuleDict({str(k): attention(c, config.octave) for k, c in enumerate(widths) if 16 << k in DECODER_SIDES})
        kinds = {str(k): convolution(c, 3, 5, alphas=(config.octave, 0.0)) for k, c in enumerate(widths[:-1]) if 16 << k >= 64}
        self.small = nn.ModuleDict(kinds)
        self.alpha = convolution(widths[-1], 1, 5, alphas=(config.octave, 0.0))

    def forward(self, x: Tensor) -> Drawn:
        """Draw the face. x (B, 192, 8, 8) -> pictures of 64, 128, ... pixels and a mask."""
        maps: Maps = x
        smaller = []
        for k, up in enumerate(self.plain.up):
            maps = up(maps)
            if str(k) in self.attend:
                maps = self.attend[str(k)](maps)
            if str(k) in self.small:
                smaller.append(torch.tanh(self.small[str(k)](maps)))
        rgb = torch.sigmoid(self.plain.rgb(maps)) * 2 - 1
        return Drawn(rgb, torch.sigmoid(self.alpha(maps)), tuple(smaller))


def autoencoder_config(config: GanConfig) -> DeepfakeConfig:
    """Give the settings of the autoencoder inside."""
    return DeepfakeConfig(size=config.size, width="light", octave=config.octave)


def start_neutral(module: nn.Module) -> None:
    """Let every mask start open, the same everywhere, and the smaller pictures start grey: what was added disturbs nothing."""
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, LightDecoder):
                open_mask(layer.alpha)
                for weight in layer.small.parameters():
                    weight.zero_()


def load_folded(encoder: LightEncoder, decoders: nn.ModuleList, states: tuple[Mapping[str, Tensor], ...]) -> None:
    """Put the folded base (``base.fold_base``) into encoder and decoders."""
    encoder.plain.load_state_dict(states[0])
    for decoder, state in zip(decoders, states[1:], strict=True):
        assert isinstance(decoder, LightDecoder)
        decoder.plain.load_state_dict(state)

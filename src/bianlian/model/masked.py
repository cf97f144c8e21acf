"""A decoder that draws a face and where it belongs: ``mask * rgb + (1 - mask) * picture``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bianlian.model.autoencoder import Decoder, DeepfakeConfig
from bianlian.model.drawn import Drawn, seen_alone
from bianlian.model.octave import convolution
from bianlian.model.path import PersonPath

OPEN = 3.0
"""First bias of the mask: sigmoid(3) = 0.95."""
TINY = 1e-4
"""Added before a logarithm is taken."""


class MaskedDecoder(nn.Module):
    """The plain ``Decoder`` with one more channel, the mask: (B, inner, 8, 8) -> ``Drawn``, here with rgb in [0, 1]."""

    def __init__(self, config: DeepfakeConfig) -> None:
        super().__init__()
        self.plain = Decoder(config)
        self.alpha = convolution(config.widths.decoder[-1], 1, 5, alphas=(config.octave, 0.0))

    def forward(self, x: Tensor) -> Drawn:
        """Draw the face and the mask."""
        maps = self.plain.features(x)
        return Drawn(torch.sigmoid(self.plain.rgb(maps)), torch.sigmoid(self.alpha(maps)))


class MaskedPath(PersonPath):
    """Encoder and a decoder of ``Drawn``, for swaps: (B, 3, S, S) in [0, 1] -> (B, 4, S, S) in [0, 1], the mask last."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, visible: nn.Module | None = None, *, signed: bool) -> None:
        """Join them. visible: see ``visible.Visible``. signed: the decoder's pictures are in [-1, 1]."""
        super().__init__(encoder, decoder)
        self.visible, self.signed = visible, signed

    def forward(self, x: Tensor) -> Tensor:
        """Draw the face and the mask."""
        drawn = seen_alone(self.decoder(self.encoder(x)), None if self.visible is None else self.visible(x))
        return self._joined(drawn)

    def draw(self, codes: Tensor) -> Tensor:
        """Draw what the encoder described, whatever is in front: its codes -> (B, 4, S, S)."""
        return self._joined(self.decoder(codes))

    def _joined(self, drawn: Drawn) -> Tensor:
        return torch.cat([(drawn.rgb + 1) / 2 if self.signed else drawn.rgb, drawn.mask], 1)


def front_loss(mask: Tensor, where_hidden: Tensor, where_bare: Tensor, *, hidden: float, bare: float) -> Tensor:
    """Shut a mask where something is in front of the face, and open it where the face is seen. All (B, 1, S, S) in [0, 1].

    hidden, bare: weights of the cross-entropy of each. Without the second a shut mask would do everywhere: a picture is its own
    best copy.
    """
    shut, opened = (-(share.float() + TINY).log() for share in (1 - mask, mask))
    return hidden * (shut * where_hidden).mean() + bare * (opened * where_bare).mean()


def open_mask(head: nn.Module) -> None:
    """Let a mask start open, the same everywhere. head: the convolution that draws it."""
    with torch.no_grad():
        for name, weight in head.named_parameters():
            weight.fill_(OPEN if name.endswith("bias") else 0.0)

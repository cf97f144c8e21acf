"""The autoencoder with a learned mask: what it draws is laid over the picture it was drawn from, and that is compared.

Idea: a decoder that shares all layers but the last between picture G and mask M, the output being M * G + (1 - M) * S; it keeps
beards and hair of the target steady. Where the mask is shut nothing would teach G a face: a small self-reconstruction term
(G alone against the truth) does. The mask's mean is a small loss, so that it opens only where that pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bianlian.errors import ConfigError
from bianlian.model.autoencoder import DeepfakeConfig, Encoder, reconstruction_losses
from bianlian.model.base import fold_base
from bianlian.model.blocks import init_weights
from bianlian.model.card import ModelCard
from bianlian.model.drawn import Drawn, masked, seen_alone
from bianlian.model.losses import weighted_l1
from bianlian.model.masked import MaskedDecoder, MaskedPath, front_loss, open_mask
from bianlian.model.path import PersonPath
from bianlian.model.plain import descend, plain_defaults, plain_groups
from bianlian.model.protocol import Batch, Engine
from bianlian.model.visible import Visible


@dataclass(frozen=True)
class RgbaConfig:
    """Settings of the ``rgba`` model.

    size, width, lr, octave: as of ``deepfake``. own: weight of the drawn picture's own L1, beside that of the masked one; mask:
    weight of the mask's mean; hidden, bare: as of ``gan_config.GanWeights``; visible: as of ``gan``.
    """

    size: int = 128
    width: str = "light"
    lr: float = 5e-5
    octave: float = 0.0
    own: float = 0.1
    mask: float = 0.01
    hidden: float = 1.0
    bare: float = 1.0
    visible: bool = False

    def __post_init__(self) -> None:
        weights = self.own, self.mask, self.hidden, self.bare
        if min(weights) < 0:
            raise ConfigError(f"loss weights must be 0 or more, got own, mask, hidden and bare {', '.join(map(str, weights))}")
        self.autoencoder()

    def autoencoder(self) -> DeepfakeConfig:
        """Give the settings of the autoencoder inside. Raises ConfigError."""
        return DeepfakeConfig(size=self.size, width=self.width, lr=self.lr, octave=self.octave)

    @property
    def base(self) -> tuple[str, int] | None:
        """Width and size of the base that fits."""
        return self.autoencoder().base


class RgbaNetworks(nn.Module):
    """One encoder and a decoder with a mask for each person."""

    def __init__(self, config: RgbaConfig, people: int) -> None:
        super().__init__()
        inside = config.autoencoder()
        self.encoder = Encoder(inside)
        self.decoders = nn.ModuleList(MaskedDecoder(inside) for _ in range(people))
        self.visible = Visible() if config.visible else None

    def forward(self, crops: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Redraw each person by their own decoder: one (B, 3, S, S) a person -> pictures and masks."""
        together, counts = torch.cat(list(crops)), [len(c) for c in crops]
        codes = self.encoder(together).split(counts)
        drawn: list[Drawn] = [decoder(code) for decoder, code in zip(self.decoders, codes, strict=True)]
        if self.visible is not None:
            drawn = [seen_alone(d, v) for d, v in zip(drawn, self.visible(together).split(counts), strict=True)]
        return [(d.rgb, d.mask) for d in drawn]


class Rgba:
    """The ``rgba`` model for a tuple of named people (see ``model.Trainable``)."""

    Config = RgbaConfig
    shares = 1
    card = ModelCard(
        "like deepfake, with a mask that keeps what the target shows anyway (hair, beards)",
        "masked composition of the deepfake autoencoder, as in faceswap-GAN",
    )

    def __init__(self, config: RgbaConfig, people: Sequence[str], generator: torch.Generator) -> None:
        self.config, self.people = config, tuple(people)
        self.networks = self.networks_for(config, len(self.people))
        init_weights(self.networks, generator)
        for decoder in self.networks.decoders:
            assert isinstance(decoder, MaskedDecoder)
            open_mask(decoder.alpha)
        if self.networks.visible is not None:
            self.networks.visible.load()

    @staticmethod
    def defaults(width: str, *, based: bool, iterations: int | None) -> dict[str, Any]:
        """Give the settings that a new run writes down: the learning rate by width, and the pretrained mask inside."""
        return {**plain_defaults(width, based=based, iterations=iterations), "visible": True}

    @staticmethod
    def networks_for(config: RgbaConfig, people: int) -> RgbaNetworks:
        """Make the networks, their weights as they come."""
        return RgbaNetworks(config, people)

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.config.size

    def path(self, person: int) -> PersonPath:
        """Give encoder and decoder that draw person number ``person``: (B, 3, S, S) -> (B, 4, S, S), the mask last."""
        return MaskedPath(self.networks.encoder, self.networks.decoders[person], self.networks.visible, signed=False)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weights with the optimiser settings they want, for Adam."""
        return plain_groups(self.config.autoencoder(), self.networks)

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        """Train one step on one batch a person, in the order of ``people`` -> mean losses, and each person's total."""
        outputs = engine.networks([b.warped for b in batch])
        losses = [self._losses(Drawn(*o), b) for o, b in zip(outputs, batch, strict=True)]
        return descend(losses, [len(b.truth) for b in batch], self.people, engine)

    def _losses(self, drawn: Drawn, batch: Batch) -> dict[str, Tensor]:
        terms = reconstruction_losses(self.config.autoencoder(), masked(drawn, batch.warped), batch.shown, batch.weight)
        extra = {
            "own": self.config.own * weighted_l1(drawn.rgb, batch.truth, batch.weight),
            "mask": self.config.mask * drawn.mask.mean(),
        }
        if batch.hidden is not None and batch.bare is not None:
            extra["front"] = front_loss(drawn.mask, batch.hidden, batch.bare, hidden=self.config.hidden, bare=self.config.bare)
        return {**terms, **extra, "total": terms["total"] + torch.stack(list(extra.values())).sum()}

    def start_from(self, base: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> None:
        """Start from the pretrained base, see ``Deepfake.start_from``; the mask starts open."""
        encoder, *decoders = fold_base(self.config.autoencoder(), base, portraits)
        self.networks.encoder.load_state_dict(encoder)
        for mine, state in zip(self.networks.decoders, decoders, strict=True):
            assert isinstance(mine, MaskedDecoder)
            mine.plain.load_state_dict(state)

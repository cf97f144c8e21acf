"""The pretrained base: an encoder that forgets who it sees, and a decoder that draws anybody from 64 numbers.

A rendered performance can be played by any virtual person, so the base learns the swap itself from exact truth: the picture of
person *a*, and another picture of person *b*, give *b* in the pose, expression and light of *a*. An identity network turns
pictures of a person into 64 numbers that scale and shift the channels of the decoder (as in FiLM, arXiv 1709.07871). For a new
person the numbers are averaged over their pictures, and scale and shift are *folded* into the convolutions: what is left is the
plain ``deepfake`` decoder, which then trains on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from bianlian.errors import WeightsError
from bianlian.model.autoencoder import Decoder, DeepfakeConfig, Encoder
from bianlian.model.blocks import SLOPE

IDENTITY_NUMBERS = 64
"""Length of the description of a person."""
IDENTITY_SIDE = 64
"""Side of the picture that the identity network reads."""


class IdentityNet(nn.Module):
    """Describe who is in a crop: (B, 3, S, S) in [0, 1] -> (B, 64)."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 32, 64, 128, 192)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels))
        self.head = nn.Linear(channels[-1], IDENTITY_NUMBERS)

    def forward(self, x: Tensor) -> Tensor:
        """Describe. x (B, 3, S, S), resized to 64 px inside -> (B, 64)."""
        if x.shape[-1] != IDENTITY_SIDE:
            x = functional.interpolate(x, size=(IDENTITY_SIDE, IDENTITY_SIDE), mode="area")
        for conv in self.down:
            x = functional.leaky_relu(conv(x), SLOPE)
        description: Tensor = self.head(x.mean((2, 3)))
        return description


class AnyoneDecoder(nn.Module):
    """A ``Decoder`` whose channels are scaled and shifted by a description of the person."""

    def __init__(self, config: DeepfakeConfig) -> None:
        super().__init__()
        self.plain = Decoder(config)
        self.modulate = nn.ModuleList(nn.Linear(IDENTITY_NUMBERS, 2 * conv.out_channels) for conv in self._convs())

    def _convs(self) -> list[nn.Conv2d]:
        return [*(up.conv for up in self.plain.up), self.plain.rgb]  # type: ignore[list-item]

    def forward(self, x: Tensor, identity: Tensor) -> Tensor:
        """Draw. x (B, inner, 8, 8), identity (B, 64) -> (B, 3, S, S) in [0, 1]."""
        convs = self._convs()
        for i, conv in enumerate(convs):
            scale, shift = self.modulate[i](identity)[..., None, None].chunk(2, 1)
            x = conv(x) * (1 + scale) + shift
            if i + 1 < len(convs):
                x = functional.pixel_shuffle(functional.leaky_relu(x, SLOPE), 2)
        return torch.sigmoid(x)

    def folded(self, identity: Tensor) -> Mapping[str, Tensor]:
        """Weights of the plain ``Decoder`` that draws this one person. identity (64,) -> its state dictionary.

        conv(x) * (1 + s) + t equals a convolution with weights (1 + s) * w and bias (1 + s) * b + t.
        """
        state = {name: value.detach().clone() for name, value in self.plain.state_dict().items()}
        names = [*(f"up.{i}.conv" for i in range(len(self.plain.up))), "rgb"]
        with torch.no_grad():
            for name, linear in zip(names, self.modulate, strict=True):
                scale, shift = linear(identity[None])[0].chunk(2)
                state[f"{name}.weight"] *= (1 + scale)[:, None, None, None]
                state[f"{name}.bias"] = state[f"{name}.bias"] * (1 + scale) + shift
        return state


class Base(nn.Module):
    """Encoder, identity network and decoder of anybody, trained together."""

    def __init__(self, config: DeepfakeConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.identity = IdentityNet()
        self.decoder = AnyoneDecoder(config)

    def forward(self, pose_from: Tensor, face_of: Tensor) -> Tensor:
        """Swap: the face of ``face_of`` in the pose of ``pose_from``, both (B, 3, S, S) -> (B, 3, S, S)."""
        drawn: Tensor = self.decoder(self.encoder(pose_from), self.identity(face_of))
        return drawn


def filled_base(config: DeepfakeConfig, state: Mapping[str, Tensor]) -> Base:
    """Make a base of some weights, any float type, to be used and not trained. Raises WeightsError."""
    base = Base(config)
    try:
        base.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise WeightsError("the weights to start from are not those of a base of this size and width; give another file") from error
    if not all(bool(torch.isfinite(value).all()) for value in base.state_dict().values()):
        raise WeightsError("the weights to start from hold infinities or what is no number; give another file")
    return base.eval().requires_grad_(False)


def fold_base(config: DeepfakeConfig, state: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> tuple[Mapping[str, Tensor], ...]:
    """Read the base for some people -> state of the encoder, then of one plain decoder a person.

    state: weights of ``Base``, any float type; portraits: for each person (N, 3, S, S) in [0, 1], N >= 1. Raises WeightsError.
    """
    base = filled_base(config, state)
    with torch.no_grad():
        people = [base.identity(pictures).mean(0) for pictures in portraits]
    return (base.encoder.state_dict(), *(base.decoder.folded(person) for person in people))

"""Adaptive attentional denormalisation: where a picture takes its looks from the identity, and where from the attributes.

Source: Li, Bao, Yang, Chen & Wen, "FaceShifter", arXiv 1912.13457, section 3.1. Features are instance-normalised; one branch scales
and shifts them by maps of the target's attributes, another by numbers of the source's identity; a mask made of the features
themselves chooses between the two, place by place.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Aad(nn.Module):
    """One layer. channels: of the features; attributes: of the attribute map; identity: numbers of the identity.

    masked: choose place by place; without it both halves are averaged, for measurements of what the mask is worth.
    """

    def __init__(self, channels: int, attributes: int, identity: int, masked: bool = True) -> None:
        super().__init__()
        self.attribute = nn.Conv2d(attributes, 2 * channels, 1)
        self.identity = nn.Linear(identity, 2 * channels)
        self.mask = nn.Conv2d(channels, 1, 1) if masked else None

    def forward(self, h: Tensor, z_att: Tensor, z_id: Tensor) -> Tensor:
        """Denormalise. h (B, C, H, W), z_att (B, A, H, W), z_id (B, I) -> (B, C, H, W)."""
        normal = functional.instance_norm(h)
        scale, shift = self.attribute(z_att).chunk(2, 1)
        by_attributes = normal * (1 + scale) + shift
        scale, shift = self.identity(z_id)[..., None, None].chunk(2, 1)
        by_identity = normal * (1 + scale) + shift
        mask = 0.5 if self.mask is None else self.mask(normal).sigmoid()
        mixed: Tensor = by_attributes + mask * (by_identity - by_attributes)
        return mixed


class AadBlock(nn.Module):
    """Residual block of AAD layers: two on the way, a third on the short cut where the number of channels changes."""

    def __init__(self, inputs: int, outputs: int, attributes: int, identity: int, masked: bool = True) -> None:
        super().__init__()
        self.first = Aad(inputs, attributes, identity, masked)
        self.a = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.second = Aad(inputs, attributes, identity, masked)
        self.b = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.short: Aad | None = None
        self.c: nn.Conv2d | None = None
        if inputs != outputs:
            self.short = Aad(inputs, attributes, identity, masked)
            self.c = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, h: Tensor, z_att: Tensor, z_id: Tensor) -> Tensor:
        """Run the block. h (B, inputs, H, W), z_att (B, A, H, W), z_id (B, I) -> (B, outputs, H, W)."""
        out = self.a(functional.relu(self.first(h, z_att, z_id)))
        out = self.b(functional.relu(self.second(out, z_att, z_id)))
        if self.short is not None and self.c is not None:
            h = self.c(functional.relu(self.short(h, z_att, z_id)))
        total: Tensor = out + h
        return total

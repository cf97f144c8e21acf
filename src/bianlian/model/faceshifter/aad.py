"""Adaptive attentional denormalisation: where a picture takes its looks from the identity, and where from the attributes.

Source: Li, Bao, Yang, Chen & Wen, "FaceShifter", arXiv 1912.13457, section 3.1. Features are instance-normalised; one branch scales
and shifts them by maps of the target's attributes, another by numbers of the source's identity; a mask made of the features
themselves chooses between the two, place by place.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

EPSILON = 1e-5
"""Added to the variance, as ``functional.instance_norm`` does."""


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
        normal = normalised(h)
        by_attributes, by_identity = self.attribute(z_att), self.identity(z_id)[..., None, None]
        if self.mask is None:
            both = (by_attributes + by_identity) / 2
        else:
            both = torch.lerp(by_attributes, by_identity.to(by_attributes.dtype), self.mask(normal).sigmoid())
        scale, shift = both.chunk(2, 1)
        mixed: Tensor = torch.addcmul(normal + shift, normal, scale)
        return mixed


def normalised(x: Tensor) -> Tensor:
    """Normalise each channel of each picture, as ``functional.instance_norm``. x (B, C, H, W) -> the same.

    Where gradients are wanted on a CPU this is made of sums that leave channels last in memory; the library's would turn the
    picture over, there and back, and takes a sixth of a step of training more.
    """
    wanted = x.requires_grad and torch.is_grad_enabled() and x.device.type == "cpu"
    normal: Tensor = _Normalised.apply(x) if wanted else functional.instance_norm(x)  # type: ignore[no-untyped-call]
    return normal


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        centred = x - x.mean((2, 3), keepdim=True, dtype=_sums(x)).to(x.dtype)
        spread = (centred.square().mean((2, 3), keepdim=True, dtype=_sums(x)) + EPSILON).rsqrt().to(x.dtype)
        normal = centred.mul_(spread)
        ctx.save_for_backward(normal, spread)
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        normal, spread = ctx.saved_tensors
        mean, along = (v.mean((2, 3), keepdim=True, dtype=_sums(v)).to(v.dtype) for v in (gradient, gradient * normal))
        change: Tensor = torch.addcmul(gradient - mean, normal, along, value=-1).mul_(spread)
        return change


def _sums(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


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

"""Losses of AEI-Net and HEAR-Net, and their weights; "FaceShifter", arXiv 1912.13457, sections 3.1 and 3.2. All give a scalar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class AeiWeights:
    """Weights of AEI-Net's losses; those of HEAR-Net's are 1."""

    adversarial: float = 1.0
    attribute: float = 10.0
    identity: float = 5.0
    reconstruction: float = 10.0


def identity_loss(mine: Tensor, wanted: Tensor) -> Tensor:
    """Mean of 1 - cosine of two sets of descriptions (B, D)."""
    return (1 - functional.cosine_similarity(mine, wanted)).mean()


def attribute_loss(mine: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Half the mean squared difference of attribute maps, summed over the maps. (B, C, H, W) each."""
    return torch.stack([((a - b) ** 2).mean() for a, b in zip(mine, wanted, strict=True)]).sum() / 2


def same_reconstruction(drawn: Tensor, target: Tensor, same: Tensor) -> Tensor:
    """Half the mean squared difference of pictures (B, 3, S, S), where source and target are one: same (B,) bool."""
    each = ((drawn - target) ** 2).mean((1, 2, 3)) / 2
    return (each * same).mean()


def change_loss(corrected: Tensor, swapped: Tensor) -> Tensor:
    """Mean absolute difference of what HEAR-Net gives from what it got."""
    return (corrected - swapped).abs().mean()

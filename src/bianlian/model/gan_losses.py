"""Losses of the ``gan`` model, on pictures in [-1, 1], masks and eye masks in [0, 1], and maps of scores. All give a scalar.

Adversarial: least squares (Mao et al., arXiv 1611.04076), in one of two forms. With *mixup* (Zhang et al., arXiv 1710.09412) a
judge scores a mix of a real and a drawn pair and is asked for the real one's share. *Relativistic average* (Jolicoeur-Martineau,
arXiv 1807.00734): real ones are asked to score 1 above the mean drawn one, and drawn ones 1 below the mean real one; the artist is
trained on the reverse.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from bianlian.model.drawn import Drawn
from bianlian.model.gan_config import GanWeights, Phase


def toward(scores: Tensor, wanted: Tensor | float) -> Tensor:
    """Least squares: mean of (score - wanted)^2."""
    return ((scores - wanted) ** 2).mean()


def relativistic(above: Tensor, below: Tensor) -> Tensor:
    """Relativistic average least squares: ``above`` is asked to score 1 above the mean of ``below``, and the other way round."""
    return (toward(above, below.mean() + 1) + toward(below, above.mean() - 1)) / 2


def l1(output: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (output - truth).abs().mean()


def eyes_l1(output: Tensor, truth: Tensor, eyes: Tensor) -> Tensor:
    """Mean over all pixels of the absolute difference under the eye mask. (B, 3, H, W) twice, (B, 1, H, W)."""
    return ((output - truth).abs() * eyes).mean()


def reconstruction(drawn: Drawn, truth: Tensor, eyes: Tensor, eye_weight: float) -> Tensor:
    """L1 of the picture and of the smaller ones on the way (against the resized truth), and the eye-aware part."""
    total = l1(drawn.rgb, truth) + eye_weight * eyes_l1(drawn.rgb, truth, eyes)
    for small in drawn.smaller:
        total = total + l1(small, functional.interpolate(truth, size=small.shape[2:], mode="area"))
    return total


def edges(output: Tensor, truth: Tensor, eyes: Tensor, eye_weight: float) -> Tensor:
    """L1 between absolute first differences, on both axes, and the eye-aware part. (B, 3, H, W) twice, (B, 1, H, W)."""
    total = output.new_zeros(())
    for axis in (2, 3):
        difference = (output.diff(dim=axis).abs() - truth.diff(dim=axis).abs()).abs()
        total = total + difference.mean() + eye_weight * (difference * eyes.narrow(axis, 1, eyes.shape[axis] - 1)).mean()
    return total


def variation(mask: Tensor) -> Tensor:
    """Total variation: mean absolute first difference, summed over both axes. (B, 1, H, W)."""
    return mask.diff(dim=2).abs().mean() + mask.diff(dim=3).abs().mean()


def mask_loss(mask: Tensor, weights: GanWeights, phase: Phase) -> Tensor:
    """Keep the mask small, or, where the phase has a hinge, above it; and smooth."""
    if phase.hinge is None:
        size = weights.mask * mask.mean()
    else:
        size = weights.hinge * (phase.hinge - mask).clamp_min(0).mean()
    return size + weights.variation * variation(mask)


def feature_distance(first: Sequence[Tensor], second: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Perceptual distance: mean squared difference of instance-normalised maps (B, C, H, W), weighted and summed."""
    pairs = zip(first, second, weights, strict=True)
    return torch.stack([w * ((_normal(a) - _normal(b)) ** 2).mean() for a, b, w in pairs]).sum()


def _normal(maps: Tensor) -> Tensor:
    return functional.instance_norm(maps.float())

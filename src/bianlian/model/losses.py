"""Losses on pictures in [0, 1], each weighted pixel by pixel.

Each is a mean over pictures: the loss of a batch is the mean of the losses of its halves, whatever their weights, so that batches
added up and batches of several processes train as one large batch does.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def weighted_l1(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error. output, truth (B, 3, H, W); weight (B, 1, H, W), each picture's mean is divided out -> scalar."""
    return weighted_mean((output - truth).abs().mean(1, keepdim=True), weight)


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over pictures of each one's weighted mean. values, weight (B, 1, H, W) -> scalar."""
    return ((values * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1e-6)).mean()


def grey(picture: Tensor) -> Tensor:
    """Luma of an RGB picture (BT.601 weights). (B, 3, H, W) -> (B, 1, H, W)."""
    r, g, b = picture.unbind(1)
    return (0.299 * r + 0.587 * g + 0.114 * b)[:, None]


def ssim_map(output: Tensor, truth: Tensor, window: int = 7) -> Tensor:
    """Structural similarity at each pixel, uniform window. output, truth (B, C, H, W) in [0, 1] -> (B, C, H, W) in [-1, 1].

    Source: Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    IEEE TIP 2004, with K1 = 0.01, K2 = 0.03; a box of ``window`` pixels instead of the Gaussian, averaged along one axis and
    then the other (a seventh of the work of the square window, which took a quarter of a training step on a CPU).
    """
    pad = window // 2
    stack = torch.cat([output, truth, output * output, truth * truth, output * truth])
    padded = functional.pad(stack, (pad, pad, pad, pad), mode="reflect")
    rows = functional.avg_pool2d(padded, (window, 1), stride=1)
    mean_o, mean_t, oo, tt, ot = functional.avg_pool2d(rows, (1, window), stride=1).chunk(5)
    c1, c2 = 0.01**2, 0.03**2
    variance_o, variance_t, covariance = oo - mean_o**2, tt - mean_t**2, ot - mean_o * mean_t
    top = (2 * mean_o * mean_t + c1) * (2 * covariance + c2)
    return top / ((mean_o**2 + mean_t**2 + c1) * (variance_o + variance_t + c2))


def dssim(output: Tensor, truth: Tensor, weight: Tensor, window: int = 7) -> Tensor:
    """Structural dissimilarity (1 - SSIM) / 2 of the lumas, weighted mean over pixels -> scalar in [0, 1]. In float32."""
    similarity = ssim_map(grey(output.float()), grey(truth.float()), window)
    return weighted_mean((1 - similarity) / 2, weight)


def edge_l1(output: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """L1 between first differences on both axes, which is what makes a picture look sharp -> scalar.

    output, truth (B, C, H, W); weight (B, 1, H, W).
    """
    error = output - truth
    across = (error[..., :, 1:] - error[..., :, :-1]).abs().mean(1, keepdim=True) * weight[..., :, 1:]
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean(1, keepdim=True) * weight[..., 1:, :]
    each = (across.sum((1, 2, 3)) + down.sum((1, 2, 3))) / (2 * weight.sum((1, 2, 3)).clamp_min(1e-6))
    return each.mean()

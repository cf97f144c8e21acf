"""Losses on pictures in [0, 1], each weighted pixel by pixel.

Each is a mean over pictures: the loss of a batch is the mean of the losses of its halves, whatever their weights, so that batches
added up and batches of several processes train as one large batch does.
"""

from __future__ import annotations

from typing import Any

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
    IEEE TIP 2004, with K1 = 0.01, K2 = 0.03; a box of ``window`` pixels (odd) instead of the Gaussian, see ``box_mean``.
    """
    pad = window // 2
    stack = torch.cat([output, truth, output * output, truth * truth, output * truth])
    padded = functional.pad(stack, (pad, pad, pad, pad), mode="reflect")
    mean_o, mean_t, oo, tt, ot = box_mean(padded, window).chunk(5)
    c1, c2 = 0.01**2, 0.03**2
    variance_o, variance_t, covariance = oo - mean_o**2, tt - mean_t**2, ot - mean_o * mean_t
    top = (2 * mean_o * mean_t + c1) * (2 * covariance + c2)
    return top / ((mean_o**2 + mean_t**2 + c1) * (variance_o + variance_t + c2))


def box_mean(x: Tensor, window: int) -> Tensor:
    """Mean over each square window: (B, C, H, W) -> (B, C, H - window + 1, W - window + 1). RuntimeError where none fits.

    As ``avg_pool2d`` of stride 1, an eighth of its time on a CPU (a fifth of a training step was spent there): along either axis
    sums of 2, 4, 8 ... neighbours are made of those before, and the gradient is such a sum again.
    """
    mean: Tensor = _Box.apply(_Box.apply(x, window, 2), window, 3)  # type: ignore[no-untyped-call]
    return mean


class _Box(torch.autograd.Function):
    """Means over windows along one axis."""

    @staticmethod
    def forward(context: Any, x: Tensor, window: int, dim: int) -> Tensor:
        context.window, context.dim = window, dim
        return _window_sums(x, window, dim) / window

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        around = 2 * (context.window - 1,)
        padded = functional.pad(gradients[0], (0, 0, *around) if context.dim == 2 else around)
        return _window_sums(padded, context.window, context.dim) / context.window, None, None


def _window_sums(x: Tensor, window: int, dim: int) -> Tensor:
    out, total, start, width, sums = x.shape[dim] - window + 1, x.new_zeros(()), 0, 1, x
    while True:  # sums: of ``width`` neighbours, a power of two; start: what of the window is summed up
        if window & width:
            total = total + sums.narrow(dim, start, out)
            start += width
        if 2 * width > window:
            return total
        longer = sums.shape[dim] - width
        sums = sums.narrow(dim, 0, longer) + sums.narrow(dim, width, longer)
        width *= 2


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

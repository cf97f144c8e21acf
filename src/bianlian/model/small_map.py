"""A convolution that is trained as one matrix product where maps are small.

The innermost layers of a wide autoencoder have thousands of channels and maps of 4x4 or 8x8. For these the convolution of oneDNN
spends its time in the gradient of the weights. Written as a product of the neighbourhoods (im2col) with the weights, forward and
backward take on two cores, in float32 and bf16: 16 x 1024 x 4x4, 3x3 to 2048 channels 0.40 and 0.45 of the time; 16 x 512 x 8x8,
5x5 with stride 2 to 1024, 0.37 and 0.64; 8 x 512 x 8x8, 3x3 to 1024, 0.86 and 0.57; narrow ones 0.74 and 0.37 (16 x 192 x 4x4,
3x3 to 768), 1.22 and 0.81 (16 x 256 x 8x8, 5x5 to 192). From maps of 16x16 on it takes longer. Values differ by rounding alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALL = 64
"""Positions of the largest input map for which a product is faster."""


class SmallMapConv2d(nn.Conv2d):
    """``Conv2d`` (no groups, no dilation, zeros around), by a matrix product while a small map is trained on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve. x (B, C, H, W) -> (B, F, H', W')."""
        if x.device.type != "cpu" or not torch.is_grad_enabled() or x.shape[2] * x.shape[3] > SMALL:
            return super().forward(x)
        (up, left), (down, right) = self.kernel_size, self.stride
        pads = [int(p) for p in self.padding]
        padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, pads[1], pads[1], pads[0], pads[0]))
        batch, height, width, _ = padded.shape
        rows, columns = (height - up) // down + 1, (width - left) // right + 1
        around = [
            padded[:, i : i + down * (rows - 1) + 1 : down, j : j + right * (columns - 1) + 1 : right]
            for i in range(up)
            for j in range(left)
        ]
        kernel = self.weight.permute(0, 2, 3, 1).flatten(1)
        product = functional.linear(torch.cat(around, 3).view(batch * rows * columns, -1), kernel, self.bias)
        return product.view(batch, rows, columns, -1).permute(0, 3, 1, 2)

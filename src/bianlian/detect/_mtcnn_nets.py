"""The three networks of MTCNN in torch, and their weights.

Source: K. Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", arXiv 1604.02878.
The published weights come in TensorFlow's order: kernels (height, width, in, out), dense matrices (in, out), and the last feature
map flattened column by column, (x, y, channel).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bianlian.detect._mtcnn_weights import read_arrays
from bianlian.weights import CARDS, locate


class PNet(nn.Module):
    """Proposes: slides a 12-pixel window by 2 pixels. Fully convolutional."""

    def __init__(self) -> None:
        """Build the network with weights of no meaning."""
        super().__init__()
        self.features = nn.Sequential(*_block(3, 10, 3), nn.MaxPool2d(2, 2, ceil_mode=True), *_block(10, 16, 3), *_block(16, 32, 3))
        self.box, self.face = nn.Conv2d(32, 4, 1), nn.Conv2d(32, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, 3, H, W) in [-1, 1] -> boxes (B, 4, h, w) relative to the window, face probability (B, h, w)."""
        y = self.features(x)
        return self.box(y), self.face(y).softmax(1)[:, 1]


class RNet(nn.Module):
    """Refines: 24-pixel views."""

    def __init__(self) -> None:
        """Build the network with weights of no meaning."""
        super().__init__()
        self.features = nn.Sequential(
            *_block(3, 28, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_block(28, 48, 3),
            nn.MaxPool2d(3, 2),
            *_block(48, 64, 2),
        )
        self.dense = nn.Sequential(nn.Linear(576, 128), nn.PReLU(128))
        self.box, self.face = nn.Linear(128, 4), nn.Linear(128, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, 3, 24, 24) in [-1, 1] -> boxes (B, 4) relative to the view, face probability (B,)."""
        y = self.dense(_columns(self.features(x)))
        return self.box(y), self.face(y).softmax(1)[:, 1]


class ONet(nn.Module):
    """Decides: 48-pixel views, with five points."""

    def __init__(self) -> None:
        """Build the network with weights of no meaning."""
        super().__init__()
        self.features = nn.Sequential(
            *_block(3, 32, 3),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            *_block(32, 64, 3),
            nn.MaxPool2d(3, 2),
            *_block(64, 64, 3),
            nn.MaxPool2d(2, 2, ceil_mode=True),
            *_block(64, 128, 2),
        )
        self.dense = nn.Sequential(nn.Linear(1152, 256), nn.PReLU(256))
        self.box, self.points, self.face = nn.Linear(256, 4), nn.Linear(256, 10), nn.Linear(256, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, 3, 48, 48) in [-1, 1] -> boxes (B, 4), face probability (B,), points (B, 10): five x, then five y; relative."""
        y = self.dense(_columns(self.features(x)))
        return self.box(y), self.face(y).softmax(1)[:, 1], self.points(y)


def load_nets() -> tuple[PNet, RNet, ONet]:
    """Build all three with their published weights, in eval mode. Raises WeightsError when these cannot be had."""
    p, r, o = PNet(), RNet(), ONet()
    for net, name in ((p, "mtcnn_pnet"), (r, "mtcnn_rnet"), (o, "mtcnn_onet")):
        fill(net, read_arrays(locate(CARDS[name])))
        net.requires_grad_(False).eval()
    return p, r, o


def fill(net: nn.Module, arrays: Sequence[NDArray[np.float32]]) -> None:
    """Put TensorFlow-ordered arrays into a network whose layers are declared in the same order."""
    wanted = [(layer, name) for layer in _layers(net) for name, _ in layer.named_parameters(recurse=False)]
    for (layer, name), array in zip(wanted, arrays, strict=True):
        value = torch.from_numpy(array)
        if isinstance(layer, nn.PReLU):
            value = value.flatten()
        elif name == "weight":
            value = value.permute(3, 2, 0, 1) if isinstance(layer, nn.Conv2d) else value.T
        with torch.no_grad():
            getattr(layer, name).copy_(value)


def _layers(net: nn.Module) -> Iterator[nn.Module]:
    return (m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.PReLU))


def _block(channels: int, out: int, kernel: int) -> tuple[nn.Conv2d, nn.PReLU]:
    return nn.Conv2d(channels, out, kernel), nn.PReLU(out)


def _columns(maps: Tensor) -> Tensor:
    """Flatten maps (B, C, H, W) in the order x, y, channel -> (B, W * H * C)."""
    return maps.permute(0, 3, 2, 1).flatten(1)

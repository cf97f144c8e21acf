"""dlib's face recognition network as a torch module, and a reader of its weights file that runs no code.

Architecture: dlib's example ``dnn_face_recognition_ex`` (29 layers of residual blocks, half the filters of He et al.,
arXiv 1512.03385). What differs from common ones: convolutions of stride 2 and pools have no padding; a block that halves its
input adds the average-pooled input, with zeros for the channels, rows and columns that one of the two lacks.

The file holds the tensors from the input on, each as a version (2), four sizes (a byte that counts bytes, then those bytes,
little endian) and little-endian float32 values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bianlian.errors import WeightsError

MEAN = (122.782, 117.001, 104.298)
"""Taken off the RGB values 0..255 before they are divided by 256."""
_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Filters, blocks, and whether the first block halves its input."""


class _Affine(nn.Module):
    """Scale and shift of each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift. (B, C, H, W) -> the same shape."""
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class _Block(nn.Module):
    """Two convolutions, each with its affine, added to their input."""

    def __init__(self, inputs: int, filters: int, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.a = nn.Conv2d(inputs, filters, 3, stride=2 if halve else 1, padding=0 if halve else 1)
        self.a_affine = _Affine(filters)
        self.b = nn.Conv2d(filters, filters, 3, padding=1)
        self.b_affine = _Affine(filters)

    def forward(self, x: Tensor) -> Tensor:
        """Run the block. (B, C, H, W) -> (B, filters, H or about H / 2, ...)."""
        y = self.b_affine(self.b(functional.relu(self.a_affine(self.a(x)))))
        if self.halve:
            x = functional.avg_pool2d(x, 2, 2)
            shape = [max(p, q) for p, q in zip(x.shape[1:], y.shape[1:], strict=True)]
            x, y = _padded(x, shape), _padded(y, shape)
        return functional.relu(x + y)


class DlibResnet(nn.Module):
    """Pictures (B, 3, 150, 150) RGB in [0, 1] -> descriptions (B, 128)."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inp = nn.Conv2d(3, 32, 7, stride=2)
        self.inp_affine = _Affine(32)
        blocks, inputs = [], 32
        for filters, count, halve in _STAGES:
            for k in range(count):
                blocks.append(_Block(inputs, filters, halve and k == 0))
                inputs = filters
        self.blocks = nn.Sequential(*blocks)
        self.out = nn.Linear(inputs, 128, bias=False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] / 256, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Describe. x (B, 3, 150, 150) RGB in [0, 1] -> (B, 128)."""
        x = functional.relu(self.inp_affine(self.inp(x * (255 / 256) - self.mean)))
        described: Tensor = self.out(self.blocks(functional.max_pool2d(x, 3, 2)).mean((2, 3)))
        return described

    def maps(self, x: Tensor) -> list[Tensor]:
        """Look, without describing. x (B, 3, 150, 150) -> features of 72, 35, 17 and 4 pixels a side (B, 32 to 256, ...)."""
        x = functional.relu(self.inp_affine(self.inp(x * (255 / 256) - self.mean)))
        kept, last = [x], {sum(count for _, count, _ in _STAGES[: k + 1]) - 1 for k in (0, 1, 3)}
        x = functional.max_pool2d(x, 3, 2)
        for k, block in enumerate(self.blocks):
            x = block(x)
            if k in last:
                kept.append(x)
        return kept


def load_dlib_resnet(path: Path) -> DlibResnet:
    """Read dlib's ``dlib_face_recognition_resnet_model_v1.dat``. Raises WeightsError for a file that is cut or another one."""
    network, reader = DlibResnet(), _Tensors(path)
    reader.fill(network.inp.weight, network.inp.bias)
    reader.fill(network.inp_affine.weight, network.inp_affine.bias)
    for block in network.blocks:
        assert isinstance(block, _Block)
        for conv, affine in ((block.a, block.a_affine), (block.b, block.b_affine)):
            reader.fill(conv.weight, conv.bias)
            reader.fill(affine.weight, affine.bias)
    reader.fill(network.out.weight)
    return network.eval().requires_grad_(False)


class _Tensors:
    """Finds one tensor after the other in a file."""

    def __init__(self, path: Path) -> None:
        self._path, self._data, self._at = path, path.read_bytes(), 0

    def fill(self, *parameters: Tensor | None) -> None:
        """Fill parameters that lie in one tensor, one behind the other; a matrix lies there turned."""
        wanted = [p for p in parameters if p is not None]
        count = sum(p.numel() for p in wanted)
        shape = (wanted[0].shape[1], wanted[0].shape[0], 1, 1) if wanted[0].ndim == 2 else (count, 1, 1, 1)
        head = b"".join(_counted(n) for n in (2, *shape))
        start = self._data.find(head, self._at) + len(head)
        if start < len(head) or start + 4 * count > len(self._data):
            raise WeightsError(f"{self._path} is not dlib's face recognition network: it lacks a tensor of {shape}; fetch it again")
        values: NDArray[np.float32] = np.frombuffer(self._data, "<f4", count, start).astype(np.float32)
        self._at = start + 4 * count
        done = 0
        for parameter in wanted:
            part = torch.from_numpy(values[done : done + parameter.numel()])
            done += parameter.numel()
            with torch.no_grad():
                parameter.copy_(part.view(shape[:2]).T if parameter.ndim == 2 else part.view(parameter.shape))


def _counted(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "little")


def _padded(x: Tensor, shape: list[int]) -> Tensor:
    channels, height, width = (wanted - have for wanted, have in zip(shape, x.shape[1:], strict=True))
    return functional.pad(x, (0, width, 0, height, 0, channels))

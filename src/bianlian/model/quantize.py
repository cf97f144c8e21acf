"""Run the convolutions of a network on 8-bit whole numbers: what goes into each lies in a range that was measured beforehand.

A processor does four times as many products of bytes at once as of floats. The values that enter a convolution are taken to the
nearest of 256 steps between the ends of its range, its weights to the nearest of 255 of each output channel (affine and symmetric
quantisation, Jacob et al., arXiv 1712.05877). What is made here computes in floats, rounded just so; OpenVINO sees the rounding
and does the same on bytes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TypeVar

import torch
from torch import Tensor, nn

from bianlian.errors import WeightsError

Ranges = Mapping[str, tuple[float, float]]
"""By the name of a convolution: the least and the greatest value that goes into it; 0 lies between."""

Module = TypeVar("Module", bound=nn.Module)

KEY = "ranges"
"""Under which a weights file's metadata holds them, as JSON."""
_STEPS, _WEIGHT_STEPS = 255, 127


def measure_ranges(module: nn.Module, inputs: Iterable[Sequence[Tensor]]) -> Ranges:
    """Run a network on what is typical for it -> the ranges of its convolutions. inputs: arguments of each call."""
    low: dict[str, float] = {}
    high: dict[str, float] = {}

    def watch(name: str, given: Tensor) -> None:
        low[name] = min(low.get(name, 0.0), float(given.min()))
        high[name] = max(high.get(name, 0.0), float(given.max()))

    with ExitStack() as stack, torch.no_grad():
        for name, layer in module.named_modules():
            if isinstance(layer, nn.Conv2d):
                hook = layer.register_forward_pre_hook(lambda _, given, name=name: watch(name, given[0]))
                stack.callback(hook.remove)
        for some in inputs:
            module(*some)
    return {name: (low[name], high[name]) for name in low}


def quantized(module: Module, ranges: Ranges) -> Module:
    """Copy a network with rounding before each convolution. Raises WeightsError when the ranges are those of another network."""
    out = copy.deepcopy(module).eval()
    names = {name for name, layer in out.named_modules() if isinstance(layer, nn.Conv2d)}
    if names != set(ranges):
        raise WeightsError(f"wanted ranges of {len(names)} convolutions, got {len(ranges)} of which {len(names & set(ranges))} fit")
    for name in names:
        above, _, last = name.rpartition(".")
        parent, layer = out.get_submodule(above), out.get_submodule(name)
        assert isinstance(layer, nn.Conv2d)
        rounded = _Rounded(layer, *ranges[name])
        if isinstance(parent, nn.Sequential):
            parent[int(last)] = rounded
        else:
            setattr(parent, last, rounded)
    return out


def ranges_text(ranges: Ranges) -> str:
    """Write ranges for a file's metadata."""
    return json.dumps({name: [float(f"{end:.6g}") for end in ends] for name, ends in ranges.items()})


def parse_ranges(text: str) -> Ranges:
    """Read what ``ranges_text`` wrote. Raises WeightsError."""
    try:
        found = {str(name): (float(low), float(high)) for name, (low, high) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"wanted ranges of convolutions as JSON, got {text[:60]!r}: the file is damaged") from error
    if not all(low <= 0 <= high and 0 < high - low < float("inf") for low, high in found.values()):
        raise WeightsError("wanted ranges of convolutions around 0: the file is damaged")
    return found


class _Rounded(nn.Module):
    """A convolution of rounded values and weights."""

    def __init__(self, layer: nn.Conv2d, low: float, high: float) -> None:
        super().__init__()
        self.layer = layer
        self._scale = (high - low) / _STEPS
        self._zero = round(-low / self._scale)
        largest = layer.weight.detach().abs().flatten(1).amax(1).clamp_min(1e-9)
        self._weight_scale = nn.Buffer(largest / _WEIGHT_STEPS)
        self._weight_zero = nn.Buffer(torch.zeros_like(largest, dtype=torch.int32))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve. x (B, C, H, W) -> (B, D, H', W')."""
        layer = self.layer
        x = torch.fake_quantize_per_tensor_affine(x, self._scale, self._zero, 0, _STEPS)
        weight = torch.fake_quantize_per_channel_affine(
            layer.weight, self._weight_scale, self._weight_zero, 0, -_WEIGHT_STEPS, _WEIGHT_STEPS
        )
        assert isinstance(layer.padding, tuple)
        return nn.functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)

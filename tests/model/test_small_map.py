"""A trained convolution of a small map is a matrix product with the same values and gradients, and nothing else is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bianlian.model.small_map import SmallMapConv2d


def made(kernel: int, stride: int, padding: int, bias: bool) -> tuple[SmallMapConv2d, nn.Conv2d]:
    torch.manual_seed(0)
    ours = SmallMapConv2d(6, 10, kernel, stride=stride, padding=padding, bias=bias).double()
    plain = nn.Conv2d(6, 10, kernel, stride=stride, padding=padding, bias=bias).double()
    plain.load_state_dict(ours.state_dict())
    return ours, plain


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "bias"), [(3, 1, 1, True), (5, 2, 2, True), (4, 1, 1, False), (1, 1, 0, True)]
)
@pytest.mark.parametrize("side", [(4, 4), (8, 8), (5, 7), (9, 9)])
def test_values_and_gradients_are_those_of_the_convolution(
    side: tuple[int, int], kernel: int, stride: int, padding: int, bias: bool, order: torch.memory_format
) -> None:
    ours, plain = made(kernel, stride, padding, bias)
    x = torch.randn(3, 6, *side, dtype=torch.float64).contiguous(memory_format=order)
    results = []
    for layer in (ours.to(memory_format=order), plain):  # type: ignore[call-overload]
        seen = x.clone().requires_grad_()
        drawn = layer(seen)
        (drawn**2).sum().backward()
        results.append([drawn, seen.grad, *(w.grad for w in layer.parameters())])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_only_small_maps_that_are_trained_are_products(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, plain = made(3, 1, 1, True)
    small, large = torch.randn(1, 6, 8, 8, dtype=torch.float64), torch.randn(1, 6, 9, 8, dtype=torch.float64)
    wanted = plain(small)

    def refused(layer: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    monkeypatch.setattr(nn.Conv2d, "forward", refused)
    torch.testing.assert_close(ours(small), wanted)
    with pytest.raises(AssertionError):
        ours(large)
    with torch.no_grad(), pytest.raises(AssertionError):
        ours(small)

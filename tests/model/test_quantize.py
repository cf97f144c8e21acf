"""Networks on bytes: ranges as measured, rounding as derived by hand, and the same numbers from OpenVINO."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bianlian.errors import WeightsError
from bianlian.model.quantize import measure_ranges, parse_ranges, quantized, ranges_text
from bianlian.runtime import compile_module


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, stride=2, padding=1)).eval()


def test_ranges_are_the_least_and_greatest_of_all_calls_around_zero() -> None:
    module, a, b = net(), torch.full((1, 3, 4, 4), 2.0), torch.full((1, 3, 4, 4), 0.5)
    found = measure_ranges(module, [(a,), (b,)])
    between = torch.cat([module[1](module[0](x)) for x in (a, b)])
    assert found == {"0": (0.0, 2.0), "2": (0.0, float(between.detach().max()))}  # nothing below 0 came


def test_one_product_by_hand() -> None:
    layer = nn.Conv2d(1, 1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.5)
    ranges = {"0": (-1.0, 4.1)}  # steps of 0.02, 0 at the 50th
    rounded = quantized(nn.Sequential(layer), ranges)
    given = torch.tensor([0.031, 0.029, 4.0999, 9.0, -3.0]).reshape(5, 1, 1, 1)
    expected = np.array([0.04, 0.02, 4.1, 4.1, -1.0]) * 0.5  # the nearest step; the ends hold what lies beyond
    np.testing.assert_allclose(rounded(given).detach().numpy().ravel(), expected, atol=1e-5)


def test_weights_are_rounded_by_channel_and_the_network_itself_stays() -> None:
    module = net()
    before = [p.detach().clone() for p in module.parameters()]
    ranges = measure_ranges(module, [(torch.rand(2, 3, 8, 8),)])
    rounded = quantized(module, ranges)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    given = torch.rand(4, 3, 8, 8)
    layer = module[0]
    assert isinstance(layer, nn.Conv2d)
    step, weight = 1 / 255, layer.weight.detach()  # a little more than the range's, which ends just below 1
    coarse = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    first = quantized(nn.Sequential(layer), {"0": ranges["0"]})
    most = nn.functional.conv2d(torch.ones_like(given), weight.abs() * step + coarse / 2 * (1 + step), padding=1)
    error = (first(given) - layer(given)).abs()
    assert (error <= most).all()
    assert (rounded(given) - module(given)).abs().max() > 0


def test_openvino_computes_the_same() -> None:
    module = net()
    rounded = quantized(module, measure_ranges(module, [(torch.rand(2, 3, 16, 16),)]))
    given = torch.rand(2, 3, 16, 16)
    out = compile_module(rounded, (1, 3, 16, 16), dynamic_batch=True)(given.numpy())[0]
    with torch.no_grad():
        np.testing.assert_allclose(out, rounded(given).numpy(), atol=0.02)


def test_ranges_survive_a_file_and_others_are_refused() -> None:
    ranges = {"a.0": (-1.25, 3.5), "b": (0.0, 1e-3)}
    assert parse_ranges(ranges_text(ranges)) == ranges
    for text in ("[]", "{", '{"a": 1}', '{"a": [1, 2]}', '{"a": [0, 0]}', '{"a": [-1, 1e999]}'):
        with pytest.raises(WeightsError, match="damaged"):
            parse_ranges(text)
    with pytest.raises(WeightsError, match="wanted ranges of 2 convolutions"):
        quantized(net(), {"0": (0.0, 1.0)})

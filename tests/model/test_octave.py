"""Octave convolution: shapes, weights, work and values, against the paper's formulas."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bianlian.errors import ConfigError
from bianlian.model.autoencoder import Decoder, DeepfakeConfig, Encoder
from bianlian.model.blocks import count_parameters, init_weights
from bianlian.model.octave import SHARES, OctConv, check_octave, convolution, flops_share, low_channels, memory_share


def work(module: nn.Module, *inputs: Any) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return int(counter.get_total_flops())


@pytest.mark.parametrize(("alpha", "share"), [(0.125, 0.82), (0.25, 0.67), (0.5, 0.44), (0.75, 0.30)])
def test_measured_work_is_that_of_the_formula(alpha: float, share: float) -> None:
    assert flops_share(alpha) == pytest.approx(share, abs=0.005)  # the paper's figures
    low = low_channels(64, alpha)
    octave = OctConv(64, 64, 3, stride=1, bias=True, alphas=(alpha, alpha))
    maps = torch.zeros(1, 64 - low, 16, 16), torch.zeros(1, low, 8, 8)
    plain = nn.Conv2d(64, 64, 3, padding=1)
    measured = work(octave, maps) / work(plain, torch.zeros(1, 64, 16, 16))
    assert measured == pytest.approx(flops_share(alpha), rel=1e-9)  # 64 channels split evenly by each of these shares
    numbers = sum(m.numel() for m in maps) / (64 * 16 * 16)
    assert numbers == pytest.approx(memory_share(alpha))


@pytest.mark.parametrize("alpha", SHARES)
def test_it_has_the_weights_of_a_plain_convolution_and_one_bias_an_output(alpha: float) -> None:
    for alphas in ((alpha, alpha), (0.0, alpha), (alpha, 0.0)):
        octave = OctConv(32, 64, 5, stride=1, bias=True, alphas=alphas)
        assert count_parameters(octave) == 32 * 64 * 25 + 64


def test_the_value_of_each_path() -> None:
    # One channel each, 1x1 kernels: HH = 2, HL = 3, LH = 5, LL = 7, biases 0.1 (high) and 0.2 (low).
    octave = OctConv(2, 2, 1, stride=1, bias=True, alphas=(0.5, 0.5))
    values = {"high": (2.0, 0.1), "high_to_low": (3.0, None), "low_to_high": (5.0, None), "low": (7.0, 0.2)}
    with torch.no_grad():
        for name, (weight, bias) in values.items():
            path = getattr(octave, name)
            path.weight.fill_(weight)
            assert (path.bias is None) == (bias is None), name
            if bias is not None:
                path.bias.fill_(bias)
        high = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
        out_high, out_low = octave((high, torch.tensor([[[[10.0]]]])))
    # high: 2 x + 5 * 10 + 0.1 at each pixel; low: 7 * 10 + 3 * mean(1, 2, 3, 6) + 0.2 = 70 + 9 + 0.2
    torch.testing.assert_close(out_high, 2 * high + 50.1)
    torch.testing.assert_close(out_low, torch.tensor([[[[79.2]]]]))


def test_stride_two_pools_first() -> None:
    octave = OctConv(1, 2, 1, stride=2, bias=False, alphas=(0.0, 0.5))
    with torch.no_grad():
        for path in octave.paths():
            path.weight.fill_(1.0)
        picture = torch.arange(16.0).reshape(1, 1, 4, 4)
        high, low = octave(picture)
    # means of 2x2 blocks of 0..15 in rows of four, and the mean of all
    torch.testing.assert_close(high, torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]]))
    torch.testing.assert_close(low, torch.tensor([[[[7.5]]]]))


@pytest.mark.parametrize("kernel", [1, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_shapes_of_every_kernel(kernel: int, stride: int) -> None:
    layer = convolution(8, 16, kernel, stride=stride, alphas=(0.25, 0.5))
    high, low = layer((torch.zeros(2, 6, 16, 16), torch.zeros(2, 2, 8, 8)))
    assert high.shape == (2, 8, 16 // stride, 16 // stride)
    assert low.shape == (2, 8, 8 // stride, 8 // stride)


def test_low_channels_keep_both_parts_alive() -> None:
    assert [low_channels(64, a) for a in (0, 0.125, 0.5)] == [0, 8, 32]
    assert low_channels(4, 0.01) == 1
    assert low_channels(4, 0.99) == 3
    assert low_channels(64, 0.125, unit=4) == 8
    assert isinstance(convolution(4, 4, 3), nn.Conv2d)  # nothing low in or out: a plain convolution
    for alpha in (-0.1, 1.0):
        with pytest.raises(ConfigError, match="octave"):
            check_octave(alpha)


@pytest.mark.parametrize("alpha", SHARES)
def test_an_octave_autoencoder_keeps_shapes_and_weights_and_works_less(alpha: float) -> None:
    plain, octave = (DeepfakeConfig(size=64, width="light", octave=a) for a in (0.0, alpha))
    crops, codes = torch.rand(1, 3, 64, 64), torch.rand(1, 192, 8, 8)
    for kind, x in ((Encoder, crops), (Decoder, codes)):
        one, other = kind(plain), kind(octave)
        assert one(x).shape == other(x).shape
        assert count_parameters(one) == count_parameters(other)
        assert work(other, x) < work(one, x)


def test_first_weights_keep_the_variance_of_a_plain_convolution() -> None:
    generator = torch.Generator().manual_seed(0)
    layers = convolution(32, 64, 3), convolution(32, 64, 3, alphas=(0.5, 0.5))
    for layer in layers:
        init_weights(layer, generator)
    x = torch.randn(4, 32, 16, 16, generator=generator)
    with torch.no_grad():
        plain, (high, low) = layers[0](x), layers[1]((x[:, :16], x[:, 16:, ::2, ::2]))
    assert float(high.std()) == pytest.approx(float(plain.std()), rel=0.1)
    # what reaches the low map from the high one was a mean of four independent values: a quarter of its variance
    assert float(low.std()) == pytest.approx(float(plain.std()) * (0.5 + 0.5 / 4) ** 0.5, rel=0.1)

"""Losses against values worked out by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from bianlian.model.autoencoder import DeepfakeConfig, reconstruction_losses
from bianlian.model.losses import box_mean, dssim, edge_l1, grey, ssim_map, weighted_l1

ONE = torch.ones(1, 1, 8, 8)


def flat(value: float) -> torch.Tensor:
    return torch.full((1, 3, 8, 8), value)


def test_l1_is_the_weighted_mean_of_absolute_differences() -> None:
    weight = ONE.clone()
    weight[..., :4] = 3  # half the picture counts three times
    output = flat(0.5)
    output[..., :4] = 0.9
    # errors 0.4 and 0 against 0.5, weights 3 and 1: (0.4 * 3 + 0 * 1) / (3 + 1)
    assert float(weighted_l1(output, flat(0.5), weight)) == pytest.approx(0.3, abs=1e-6)


def test_ssim_of_flat_pictures() -> None:
    # No variance: the contrast part is 1, what is left is (2ab + c1) / (a^2 + b^2 + c1) with c1 = 0.01^2.
    a, b, c1 = 0.2, 0.6, 1e-4
    expected = (2 * a * b + c1) / (a * a + b * b + c1)
    torch.testing.assert_close(ssim_map(flat(a), flat(b)), torch.full((1, 3, 8, 8), expected), rtol=1e-4, atol=1e-5)


def test_ssim_of_an_inverted_pattern_is_negative() -> None:
    x = (torch.arange(8) % 2).float().expand(1, 1, 8, 8)
    inside = ssim_map(x, 1 - x)[..., 3:5, 3:5]
    # In a 7-pixel window three or four of seven columns are 1: mean 3/7 or 4/7, variance m(1-m), covariance -m(1-m).
    m = 3 / 7
    v = m * (1 - m)
    c1, c2 = 1e-4, 9e-4
    expected = (2 * m * (1 - m) + c1) * (-2 * v + c2) / ((m * m + (1 - m) ** 2 + c1) * (2 * v + c2))
    torch.testing.assert_close(inside, torch.full_like(inside, expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 6, 7, 8, 11])
def test_a_box_mean_and_its_gradient_are_those_of_pooling(window: int) -> None:
    g = torch.Generator().manual_seed(window)
    pictures = torch.rand(2, 3, 13, 12, generator=g, dtype=torch.float64)
    one, other = pictures.clone().requires_grad_(), pictures.clone().requires_grad_()
    mean, wanted = box_mean(one, window), functional.avg_pool2d(other, window, stride=1)
    torch.testing.assert_close(mean, wanted)
    pull = torch.rand(wanted.shape, generator=g, dtype=torch.float64)
    torch.testing.assert_close(*(torch.autograd.grad((drawn * pull).sum(), x)[0] for drawn, x in ((mean, one), (wanted, other))))


@given(st.integers(0, 10_000))
def test_ssim_stays_in_its_range_and_is_symmetric(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    a, b = torch.rand(1, 1, 16, 16, generator=g), torch.rand(1, 1, 16, 16, generator=g)
    s = ssim_map(a, b)
    assert -1.001 <= float(s.min()) <= float(s.max()) <= 1.001
    torch.testing.assert_close(s, ssim_map(b, a))


def test_dssim_is_zero_for_equal_pictures_and_ignores_what_has_no_weight() -> None:
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert float(dssim(picture, picture, torch.ones(1, 1, 16, 16))) == pytest.approx(0, abs=1e-6)
    other = picture.clone()
    other[..., 12:] = 0
    weight = torch.ones(1, 1, 16, 16)
    weight[..., 8:] = 0  # the changed columns are more than half a window away from what counts
    assert float(dssim(other, picture, weight)) == pytest.approx(0, abs=1e-6)


def test_grey_uses_the_weights_of_bt601() -> None:
    pure = torch.eye(3)[:, :, None, None]
    torch.testing.assert_close(grey(pure).flatten(), torch.tensor([0.299, 0.587, 0.114]))


def test_edge_compares_first_differences() -> None:
    output = flat(0.0)
    output[..., 4:] = 1.0  # one step of height 1 down the middle of each row
    # 8 rows x 1 step across, nothing down; divided by twice the weight (64): 8 / 128
    assert float(edge_l1(output, flat(0.0), ONE)) == pytest.approx(8 / 128)
    assert float(edge_l1(flat(0.9), flat(0.1), ONE)) == 0  # a constant offset has no edges


def test_total_is_the_sum_of_the_weighted_terms() -> None:
    g = torch.Generator().manual_seed(3)
    output, truth = torch.rand(1, 3, 16, 16, generator=g), torch.rand(1, 3, 16, 16, generator=g)
    weight = torch.ones(1, 1, 16, 16)
    config = DeepfakeConfig(structural=0.5, edge=2.0)
    terms = reconstruction_losses(config, output, truth, weight)
    expected = weighted_l1(output, truth, weight) + 0.5 * dssim(output, truth, weight) + 2 * edge_l1(output, truth, weight)
    torch.testing.assert_close(terms["total"], expected)
    assert set(reconstruction_losses(DeepfakeConfig(structural=0, edge=0), output, truth, weight)) == {"l1", "total"}

"""Shapes and sizes of the original autoencoder, against sums over the layers of the reference table."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bianlian.errors import ConfigError
from bianlian.model.autoencoder import WIDTHS, Autoencoder, Decoder, DeepfakeConfig, Encoder
from bianlian.model.blocks import Down, Upscale, count_parameters, init_weights


def conv(channels: int, filters: int, kernel: int) -> int:
    return channels * filters * kernel**2 + filters


def dense(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def test_the_reference_at_64_px_has_the_layers_of_the_table() -> None:
    config = DeepfakeConfig(size=64, width="full")
    encoder = (
        conv(3, 128, 5) + conv(128, 256, 5) + conv(256, 512, 5) + conv(512, 1024, 5)  # 64 -> 32 -> 16 -> 8 -> 4
        + dense(4 * 4 * 1024, 1024) + dense(1024, 4 * 4 * 1024)
        + conv(1024, 4 * 512, 3)
    )  # fmt: skip
    decoder = conv(512, 4 * 256, 3) + conv(256, 4 * 128, 3) + conv(128, 4 * 64, 3) + conv(64, 3, 5)
    assert count_parameters(Encoder(config)) == encoder
    assert count_parameters(Decoder(config)) == decoder
    assert round((encoder + decoder) / 1e6) == 76  # the reference speaks of 76 million


@pytest.mark.parametrize(("width", "size"), list(WIDTHS))
def test_every_intermediate_map_has_the_size_of_the_table(width: str, size: int) -> None:
    config = DeepfakeConfig(size=size, width=width)
    maps: list[tuple[int, int]] = []
    encoder, decoder = Encoder(config), Decoder(config)
    for layer in [*encoder.modules(), *decoder.modules()]:
        if isinstance(layer, Down | Upscale):
            layer.register_forward_hook(lambda _m, _i, out: maps.append((out.shape[1], out.shape[2])))
    x = encoder(torch.rand(2, 3, size, size))
    w = config.widths
    assert x.shape == (2, w.inner, 8, 8)
    y = decoder(x)
    assert y.shape == (2, 3, size, size)
    halvings = [(c, size >> (k + 1)) for k, c in enumerate(w.encoder)]
    doublings = [(c, 16 << k) for k, c in enumerate(w.decoder)]
    assert maps == [*halvings, (w.inner, 8), *doublings]
    assert halvings[-1][1] == 4
    assert doublings[-1][1] == size
    assert 0 <= float(y.detach().min()) <= float(y.detach().max()) <= 1


def test_one_encoder_serves_all_and_each_person_has_a_decoder() -> None:
    config = DeepfakeConfig(size=64, width="light")
    one, three = Autoencoder(config, 1), Autoencoder(config, 3)
    assert count_parameters(three) - count_parameters(one) == 2 * count_parameters(one.decoders[0])
    crops = [torch.rand(2, 3, 64, 64), torch.rand(1, 3, 64, 64), torch.rand(3, 3, 64, 64)]
    drawn = three(crops)
    assert [d.shape for d in drawn] == [c.shape for c in crops]
    torch.testing.assert_close(drawn[1], three.path(1)(crops[1]))


def test_pixel_shuffle_and_slope() -> None:
    up = Upscale(1, 1)
    with torch.no_grad():
        nn.utils.vector_to_parameters(torch.tensor([*[0.0] * 36, 1.0, 2.0, -10.0, 4.0]), up.parameters())
    # four channels become a 2x2 block, row by row; what is negative is multiplied by 0.1
    torch.testing.assert_close(up(torch.zeros(1, 1, 1, 1)), torch.tensor([[[[1.0, 2.0], [-1.0, 4.0]]]]))


def test_first_weights_keep_the_signal_alive_and_come_from_the_generator() -> None:
    def fresh() -> Autoencoder:
        net = Autoencoder(DeepfakeConfig(size=64, width="light"), 1)
        init_weights(net, torch.Generator().manual_seed(5))
        return net

    first, second = fresh(), fresh()
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert all(float(m.bias.detach().abs().max()) == 0 for m in first.modules() if isinstance(m, nn.Conv2d) and m.bias is not None)
    x = torch.randn(16, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    code = first.encoder(x).detach()
    spread_of_inputs = float((code - code.mean(0)).std())
    assert 0.2 < spread_of_inputs < 5  # unit noise in: neither lost nor blown up after ten layers


@pytest.mark.parametrize("settings", [{"size": 96}, {"width": "wide"}, {"lr": 0.0}, {"edge": -1.0}])
def test_settings_out_of_range(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        DeepfakeConfig(**settings)  # type: ignore[arg-type]

"""Shapes and sizes of the GAN's networks, against sums over the layers of the reference table."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from bianlian.model.attention import OctAttention, SelfAttention, attend
from bianlian.model.blocks import count_parameters
from bianlian.model.gan_config import GanConfig
from bianlian.model.gan_light import LightDecoder, LightEncoder
from bianlian.model.gan_nets import Block, GanDecoder, GanEncoder, GanUpscale, Judge, ResBlock, init_gan

NORM = 2  # a scale and a shift a channel


def conv(channels: int, filters: int, kernel: int) -> int:
    return channels * filters * kernel**2  # without bias


def attention(channels: int) -> int:
    return 2 * conv(channels, channels // 8, 1) + conv(channels, channels, 1) + 1  # f and g, h, gamma


def encoder(size: int, dense: int = 1024) -> int:
    more = {64: 0, 128: 1, 256: 2}[size]
    body = conv(3, 64, 5) + conv(64, 128, 3) + conv(128, 256, 3) + NORM * 256 + attention(256)
    body += conv(256, 512, 3) + NORM * 512 + attention(512) + conv(512, 1024, 3) + NORM * 1024
    body += more * (conv(1024, 1024, 3) + NORM * 1024)
    inner = 4 * 4 * 1024
    return body + (inner * dense + dense) + (dense * inner + inner) + conv(1024, 4 * 512, 3) + NORM * 512


def decoder(size: int) -> int:
    more = {64: 0, 128: 1, 256: 2}[size]
    ups = sum(conv(a, 4 * b, 3) + NORM * b for a, b in pairwise((512, 256, 128, 64)))
    res = 2 * (conv(64, 64, 3) + NORM * 64)
    doubled = conv(64, 4 * 64, 3) + NORM * 64 + conv(64, 64, 3) + NORM * 64 + conv(64, 3, 5)  # up, convolution, small picture
    return ups + attention(128) + res + attention(64) + more * doubled + conv(64, 1, 5) + conv(64, 3, 5)


def judge(size: int) -> int:
    more = {64: 0, 128: 1, 256: 2}[size]
    body = conv(6, 64, 4) + conv(64, 128, 4) + NORM * 128 + conv(128, 256, 4) + NORM * 256 + attention(256)
    return body + more * (conv(256, 256, 4) + NORM * 256 + attention(256)) + conv(256, 1, 4)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_parameters_are_the_sum_over_the_reference_table(size: int) -> None:
    config = GanConfig(size=size, width="full")
    with torch.device("meta"):
        networks = GanEncoder(config), GanDecoder(config), Judge(config)
        assert [count_parameters(n) for n in networks] == [encoder(size), decoder(size), judge(size)]
        wide = GanEncoder(GanConfig(size=size, width="full", dense=2048))
        octave = GanConfig(size=size, width="full", octave=0.25, norm="none")
        plain = GanConfig(size=size, width="full", norm="none")
        for kind in (GanEncoder, GanDecoder, Judge):
            spared = [m for m in kind(octave).modules() if isinstance(m, OctAttention)]
            kept = [m for m in kind(plain).modules() if isinstance(m, SelfAttention)]
            expected = count_parameters(kind(plain)) + sum(map(count_parameters, spared)) - sum(map(count_parameters, kept))
            assert count_parameters(kind(octave)) == expected  # convolutions alike; attention at each resolution by itself
    assert count_parameters(wide) == encoder(size, 2048)


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("octave", [0.0, 0.25])
def test_every_intermediate_map_has_the_size_of_the_table(size: int, octave: float) -> None:
    with torch.device("meta"):
        config = GanConfig(size=size, width="full", octave=octave)
        nets = GanEncoder(config), GanDecoder(config), Judge(config)
        seen: list[list[tuple[str, int, int]]] = []
        for net, x in zip(nets, ((3, size), (512, 8), (6, size)), strict=True):
            seen.append(maps_of(net, torch.zeros(2, x[0], x[1], x[1])))
    halvings = [(f, size >> (k + 1)) for k, f in enumerate((128, 256, 512, 1024, 1024, 1024)) if size >> (k + 1) >= 4]
    wanted = [("Block", f, s) for f, s in halvings]
    at = [("SelfAttention", f, s) for f, s in halvings if f in (256, 512)]
    assert [m for m in seen[0] if m[0] == "Block"][:-1] == wanted  # the last block is that of the upscale
    assert [m for m in seen[0] if m[0] == "SelfAttention"] == at
    assert [m for m in seen[0] if m[0] == "GanUpscale"] == [("GanUpscale", 512, 8)]
    assert halvings[-1][1] == 4
    ups = [("GanUpscale", f, s) for f, s in ((256, 16), (128, 32), (64, 64), (64, 128), (64, 256)) if s <= max(64, size)]
    assert [m for m in seen[1] if m[0] == "GanUpscale"] == ups
    assert [m for m in seen[1] if m[0] in ("SelfAttention", "ResBlock")] == [
        ("SelfAttention", 128, 32), ("ResBlock", 64, 64), ("SelfAttention", 64, 64),
    ]  # fmt: skip
    judged = [(f, size >> (k + 1)) for k, f in enumerate((64, 128, 256, 256, 256)) if size >> (k + 1) >= 8]
    assert [m for m in seen[2] if m[0] == "Block"] == [("Block", f, s) for f, s in judged]
    assert [m for m in seen[2] if m[0] == "SelfAttention"] == [("SelfAttention", f, s) for f, s in judged[2:]]
    assert judged[-1][1] == 8


def maps_of(net: nn.Module, x: torch.Tensor) -> list[tuple[str, int, int]]:
    """Kind, channels and side of what each block of a network gives; octave maps count by all their channels."""
    found: list[tuple[str, int, int]] = []

    def note(module: nn.Module, _: object, out: object) -> None:
        parts = out if isinstance(out, tuple) else (out,)
        name = "SelfAttention" if isinstance(module, OctAttention) else type(module).__name__
        found.append((name, sum(p.shape[1] for p in parts), parts[0].shape[2]))

    inner = {id(m) for a in net.modules() if isinstance(a, OctAttention) for m in a.children()}
    inner |= {id(m.block) for m in net.modules() if isinstance(m, GanUpscale) and isinstance(net, GanDecoder)}
    for module in net.modules():
        if isinstance(module, Block | GanUpscale | ResBlock | SelfAttention | OctAttention) and id(module) not in inner:
            module.register_forward_hook(note)
    net(x)
    return found


@pytest.mark.parametrize(("size", "sides"), [(64, []), (128, [64]), (256, [64, 128])])
@pytest.mark.parametrize("width", ["full", "light"])
def test_smaller_pictures_come_from_64_pixels_up(size: int, sides: list[int], width: str) -> None:
    with torch.device("meta"):
        config = GanConfig(size=size, width=width)
        x = torch.zeros(2, 3, size, size)
        code = (LightEncoder if width == "light" else GanEncoder)(config)(x)
        drawn = (LightDecoder if width == "light" else GanDecoder)(config)(code)
        assert Judge(config)(torch.cat([x, x], 1)).shape == (2, 1, 8, 8)
    assert drawn.rgb.shape == (2, 3, size, size)
    assert drawn.mask.shape == (2, 1, size, size)
    assert [small.shape for small in drawn.smaller] == [(2, 3, side, side) for side in sides]


def test_self_attention_is_softmax_over_products_and_starts_as_nothing() -> None:
    layer = SelfAttention(8)
    x = torch.randn(2, 8, 3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(x), x, rtol=0, atol=0)  # gamma is 0
    with torch.no_grad():
        layer.gamma.fill_(0.5)
        f, g, h = (conv(x).flatten(2) for conv in (layer.query, layer.key, layer.value))
        share = torch.softmax(torch.einsum("bci,bcj->bij", f, g), -1)  # position i attends to all j
        expected = x + 0.5 * torch.einsum("bij,bcj->bci", share, h).reshape(x.shape)
        torch.testing.assert_close(layer(x), expected)


def test_two_positions_attended_to_by_hand() -> None:
    # query . key = ln 3 for the first position and 0 for the second: shares 3/4 and 1/4 of values 8 and 4
    query, key = torch.tensor([[[[1.0]]]]), torch.tensor([[[[1.0986123]], [[0.0]]]]).reshape(1, 1, 2, 1)
    value = torch.tensor([[[[8.0], [4.0]]]])
    torch.testing.assert_close(attend(query, key, value), torch.tensor([[[[7.0]]]]))


def test_icnr_starts_each_shuffled_block_as_one_pixel() -> None:
    up = GanUpscale(4, 3, norm=False, alphas=(0.0, 0.0))
    init_gan(up, torch.Generator().manual_seed(0))
    out = up(torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(1))).detach()
    for k, j in ((0, 1), (1, 0), (1, 1)):
        torch.testing.assert_close(out[..., k::2, j::2], out[..., ::2, ::2])

"""FaceShifter's networks: the published shapes and sizes, what each part does, and the compact form's budget."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bianlian.errors import ConfigError, InputError
from bianlian.model.blocks import count_parameters
from bianlian.model.faceshifter.aad import Aad, AadBlock, normalised
from bianlian.model.faceshifter.aei import AeiNet, bend, init_aei, toned
from bianlian.model.faceshifter.attributes import AttributeEncoder
from bianlian.model.faceshifter.config import CONFIGS, DESCRIPTION, LOOK_SIDE, AeiConfig
from bianlian.model.faceshifter.critics import Critics, artist_loss, critic_loss
from bianlian.model.faceshifter.hear import CHANNELS, HearNet, heuristic_error
from bianlian.model.faceshifter.losses import attribute_loss, change_loss, identity_loss, same_reconstruction

PAPER, COMPACT = CONFIGS["paper"], CONFIGS["compact"]
TINY = AeiConfig(size=16, down=(4, 8), up=(8, 8, 8), look=3, identity=5, maps=2, output="change")


def made(config: AeiConfig, seed: int = 0) -> AeiNet:
    network = AeiNet(config)
    init_aei(network, torch.Generator().manual_seed(seed))
    return network.eval()


def pictures(count: int, size: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def chequered(size: int) -> Tensor:
    """Squares of two pixels, -1 and 1 by turns: (1, 3, size, size)."""
    line = torch.arange(size) // 2
    return (((line + line[:, None]) % 2) * 2.0 - 1).expand(1, 3, size, size)


def on_meta(network: nn.Module, *shapes: tuple[int, ...]) -> object:
    """Run a network without numbers: shapes alone."""
    return network.to("meta")(*(torch.zeros(shape, device="meta") for shape in shapes))


def test_attribute_maps_are_the_published_ones() -> None:
    with torch.device("meta"):
        encoder = AttributeEncoder(PAPER.down)
    maps = on_meta(encoder, (1, 3, 256, 256))
    wanted = [(1024, 2), (2048, 4), (1024, 8), (512, 16), (256, 32), (128, 64), (64, 128), (64, 256)]
    assert isinstance(maps, list)
    assert [(m.shape[1], m.shape[2]) for m in maps] == wanted
    assert encoder.widths == tuple(channels for channels, _ in wanted)


def test_parameters_of_the_paper_are_those_of_its_layers() -> None:
    with torch.device("meta"):
        network = AeiNet(PAPER)
    down, widths = (3, *PAPER.down), network.attributes.widths
    # 4x4 convolutions without bias, and two numbers a channel of the normalisation; up: from each map to the skip it is joined with
    encoder = sum(16 * a * b + 2 * b for a, b in pairwise(down))
    encoder += sum(16 * a * b + 2 * b for a, b in zip(widths, reversed(PAPER.down[:-1]), strict=False))
    start = DESCRIPTION * 1024 * 2 * 2 + 1024  # from 1 x 1 to 2 x 2

    def aad(channels: int, attributes: int) -> int:
        return 2 * channels * (attributes + 1) + 2 * channels * (DESCRIPTION + 1) + channels + 1  # scale and shift twice, mask

    def conv(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + outputs

    blocks = 0
    for inputs, outputs, attributes in zip(PAPER.up, PAPER.up[1:], widths, strict=False):
        blocks += 2 * aad(inputs, attributes) + conv(inputs, inputs) + conv(inputs, outputs)
        blocks += (aad(inputs, attributes) + conv(inputs, outputs)) if inputs != outputs else 0
    assert count_parameters(network) == encoder + start + blocks
    assert sum(block.short is not None for block in network.blocks if isinstance(block, AadBlock)) == 5  # 1024 x 3, then narrower


def test_the_paper_draws_256_pixels() -> None:
    with torch.device("meta"):
        network = AeiNet(PAPER)
    drawn = on_meta(network, (2, 3, 256, 256), (2, DESCRIPTION))
    assert isinstance(drawn, Tensor)
    assert drawn.shape == (2, 3, 256, 256)


def test_compact_keeps_its_budget() -> None:
    network, work = made(COMPACT), [0]

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        taps = module.weight.numel() // output.shape[1]  # type: ignore[operator]
        work[0] += 2 * taps * (output.shape[2] * output.shape[3] if output.ndim == 4 else 1) * output.shape[1]

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        drawn = network(pictures(1, 128), torch.zeros(1, COMPACT.told), pictures(1, 128), pictures(1, 128))
    assert drawn.shape == (1, 3, 128, 128)
    assert work[0] < 3e9  # operations of the convolutions down and in the generator
    assert 2 * count_parameters(network) < 16e6  # bytes in half precision


def test_aad_chooses_between_attributes_and_identity() -> None:
    layer = Aad(2, 3, 4)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    assert layer.attribute.bias is not None
    assert layer.mask is not None
    assert layer.mask.bias is not None
    layer.attribute.bias.data = torch.tensor([1.0, 1.0, 10.0, 10.0])  # scale 1 + 1, shift 10
    layer.identity.bias.data = torch.tensor([-1.0, -1.0, -5.0, -5.0])  # scale 1 - 1, shift -5
    h = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    normal = (h - h.mean((2, 3), keepdim=True)) / h.var((2, 3), unbiased=False, keepdim=True).add(1e-5).sqrt()
    for bias, share in ((-50.0, 0.0), (50.0, 1.0), (0.0, 0.5)):
        layer.mask.bias.data.fill_(bias)
        wanted = (1 - share) * (2 * normal + 10) + share * torch.full_like(h, -5.0)
        assert torch.allclose(layer(h, torch.zeros(1, 3, 4, 4), torch.zeros(1, 4)), wanted, atol=1e-4)


def test_aad_without_its_mask_is_the_mean_of_both() -> None:
    layer = Aad(2, 3, 4, masked=False)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    assert layer.attribute.bias is not None
    layer.attribute.bias.data = torch.tensor([0.0, 0.0, 4.0, 4.0])
    layer.identity.bias.data = torch.tensor([0.0, 0.0, 2.0, 2.0])
    h = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    drawn = layer(h, torch.zeros(1, 3, 4, 4), torch.zeros(1, 4))
    assert torch.allclose(drawn.mean((2, 3)), torch.full((1, 2), 3.0), atol=1e-5)  # normalised features have no mean


def test_normalised_is_the_instance_norm_of_the_library_with_its_gradient() -> None:
    h = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(3)) * 3 + 5
    back = torch.randn(h.shape, generator=torch.Generator().manual_seed(4))
    h = h.contiguous(memory_format=torch.channels_last).requires_grad_()
    mine, wanted = normalised(h), functional.instance_norm(h)
    assert torch.allclose(mine, wanted, atol=1e-5)
    assert mine.is_contiguous(memory_format=torch.channels_last)
    for a, b in zip(torch.autograd.grad(mine, h, back), torch.autograd.grad(wanted, h, back), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    assert torch.autograd.gradcheck(normalised, h.detach().double().requires_grad_())


def test_what_is_drawn_follows_target_and_source() -> None:
    network = made(TINY)
    target, told = pictures(2, 16), torch.randn(2, TINY.told, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        drawn = network(target, told)
        other_source, other_target = network(target, told.flip(0)), network(target.flip(0), told)
    assert not torch.allclose(drawn, other_source, atol=1e-5)
    assert not torch.allclose(drawn, other_target, atol=1e-3)


def test_change_begins_near_the_target() -> None:
    network = made(replace(COMPACT, photo=False))
    target = torch.linspace(0, 1, 128).expand(1, 3, 128, 128)
    with torch.no_grad():
        drawn = network(target, torch.zeros(1, COMPACT.told), 0.5 + 0.25 * chequered(128))
    # at first an eighth (sigmoid of -2) of the draft, a quarter away but for its tone, is laid over, and nothing is bent far
    assert 0.25 / 16 < float((drawn - target).abs().mean()) < 2 * 0.25 / 8


def test_a_draft_is_seen_and_drawn_over() -> None:
    network = made(replace(TINY, draft=True))
    target, told = pictures(1, 16), torch.zeros(1, TINY.told)
    with torch.no_grad():
        dark, bright = (network(target, told, 0.5 + height * chequered(16)) for height in (-0.3, 0.3))
    # an eighth of the draft lies over the target at first
    share = float(((bright - dark) * chequered(16)).mean()) / 0.6
    assert share == pytest.approx(torch.tensor(-2.0).sigmoid().item(), rel=0.5)
    with pytest.raises(InputError, match="takes a draft"):
        network(target, told)
    with pytest.raises(InputError, match="takes no draft"):
        made(TINY)(target, told, target)
    with pytest.raises(ConfigError, match="draft wants the output change"):
        replace(PAPER, draft=True)
    with pytest.raises(ConfigError, match="multiple of 16, over which its tone is matched, got 8"):
        replace(TINY, draft=True, size=8)


def test_a_photo_lends_its_details_to_the_draft() -> None:
    network = made(replace(TINY, draft=True, photo=True))
    target, told = pictures(1, 16), torch.zeros(1, TINY.told)
    plain = torch.full_like(target, 0.5)
    with torch.no_grad():
        dark, bright = (network(target, told, plain, 0.2 + height * chequered(16)) for height in (-0.3, 0.3))
        lit = network(target, told, plain, 0.6 + 0.3 * chequered(16))
    # seven eighths (sigmoid of 2) of the draft lie over the target at first, and half of that is the photo's
    share = float(((bright - dark) * chequered(16)).mean()) / 0.6
    assert share == pytest.approx(torch.tensor(2.0).sigmoid().item() / 2, rel=0.5)
    assert torch.allclose(lit, bright, atol=1e-4)  # its tone is not taken
    with pytest.raises(InputError, match="takes a photo"):
        network(target, told, plain)
    with pytest.raises(InputError, match="takes no photo"):
        made(replace(TINY, draft=True))(target, told, plain, plain)
    with pytest.raises(ConfigError, match="photo wants draft"):
        replace(TINY, photo=True)


def test_a_shadow_of_the_target_goes_where_the_network_says_so() -> None:
    network = made(replace(TINY, draft=True, photo=True, size=64))
    target, plain = torch.full((1, 3, 64, 64), 0.6), torch.full((1, 3, 64, 64), 0.5)
    chin = (..., slice(36, 60), slice(20, 44))
    target[chin] = 0.2
    found = []
    assert network.head is not None
    assert network.head.bias is not None
    with torch.no_grad():
        network.head.weight[-1] = 0
        for says in (-20, 20):
            network.head.bias[-1] = says
            found.append(network(target, torch.zeros(1, TINY.told), plain, plain)[chin].mean().item())
    lighter = (toned(plain, target, 32) - toned(plain, target, 16))[chin].mean().item()
    assert lighter > 0.1  # of the 0.4 that the chin is darker than the rest
    assert found[1] - found[0] == pytest.approx(torch.tensor(2.0).sigmoid().item() * lighter, rel=0.2)


def test_what_is_drawn_beside_a_photo_has_no_colour_and_nothing_fine() -> None:
    network = made(replace(TINY, draft=True, photo=True))
    grey = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(5)).expand(3, 3, 16, 16)
    assert network.head is not None
    with torch.no_grad():
        plain = network(grey[:1], torch.zeros(1, TINY.told), grey[1:2], grey[2:])
        network.head.weight.mul_(30)
        drawn = network(grey[:1], torch.zeros(1, TINY.told), grey[1:2], grey[2:])
    assert float((drawn - plain).abs().mean()) > 0.05
    torch.testing.assert_close(drawn, drawn[:, :1].expand(1, 3, 16, 16))
    finest = torch.tensor([1.0, -1]).repeat(4)  # a lattice of pixels at half the side
    for pattern, seen in ((finest, False), (torch.ones(8), True)):
        hook = network.head.register_forward_hook(
            lambda _head, _inputs, out, pattern=pattern: torch.cat([out[:, :1] + pattern, out[:, 1:]], 1)
        )
        with torch.no_grad():
            change = network(grey[:1], torch.zeros(1, TINY.told), grey[1:2], grey[2:]) - drawn
        hook.remove()
        assert (float(change[..., 4:-4].abs().max()) > 1e-4) == seen


def test_toned_takes_what_is_coarse_and_leaves_what_is_fine() -> None:
    like = torch.full((1, 3, 32, 32), 0.7)
    for side in (8, 16):
        done = toned(0.2 + 0.1 * chequered(32), like, side)
        assert torch.allclose(done, 0.7 + 0.1 * chequered(32), atol=1e-5)
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    inner = (..., slice(8, -8))
    assert torch.allclose(toned(torch.zeros_like(ramp), ramp, 16)[inner], ramp[inner], atol=1e-2)  # a tone changes smoothly


def test_bend_fetches_from_the_right() -> None:
    picture = pictures(1, 8)
    push = torch.zeros(1, 2, 8, 8)
    push[:, 0] = 2 / 8  # a side is 2 long: one pixel to the right
    assert torch.allclose(bend(picture, push)[..., :-1], picture[..., 1:], atol=1e-6)
    assert torch.allclose(bend(picture, torch.zeros(1, 2, 8, 8)), picture, atol=1e-6)


def test_several_photos_are_one_person() -> None:
    network = made(TINY)
    looks, descriptions = pictures(2, LOOK_SIDE), torch.randn(2, DESCRIPTION)
    told = network.tell(looks, descriptions)
    assert told.shape == (2, TINY.told)
    assert torch.allclose(network.tell(looks[:1], descriptions[:1]), told[:1], atol=1e-5)


@pytest.mark.parametrize("maps", [1, 3, 8])
def test_fewer_attribute_maps_still_reach_all_blocks(maps: int) -> None:
    with torch.device("meta"):
        network = AeiNet(replace(PAPER, maps=maps))
    drawn = on_meta(network, (1, 3, 256, 256), (1, DESCRIPTION))
    assert isinstance(drawn, Tensor)
    assert drawn.shape == (1, 3, 256, 256)
    used = {block.first.attribute.in_channels for block in network.blocks if isinstance(block, AadBlock)}
    assert used <= set(network.attributes.widths[:maps])


@pytest.mark.parametrize(
    "wrong",
    [{"size": 100}, {"up": (8, 8)}, {"maps": 0}, {"maps": 9}, {"up": (*PAPER.up[:-1], 4)}, {"identity": 64}, {"down": ()}],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(PAPER, **wrong)  # type: ignore[arg-type]


def test_first_weights_are_fixed_by_the_generator() -> None:
    first, second, other = made(TINY, 3), made(TINY, 3), made(TINY, 4)
    target, told = pictures(1, 16), torch.ones(1, TINY.told)
    assert torch.equal(first(target, told), second(target, told))
    assert not torch.equal(first(target, told), other(target, told))


def test_hear_corrects_with_five_halvings() -> None:
    with torch.device("meta"):
        network = HearNet()
    assert len(network.body.down) == len(network.body.up) + 1 == len(CHANNELS) == 5
    corrected = on_meta(network, (1, 3, 256, 256), (1, 3, 256, 256))
    assert isinstance(corrected, Tensor)
    assert corrected.shape == (1, 3, 256, 256)


def test_heuristic_error_is_what_redrawing_loses() -> None:
    network, target = made(TINY), pictures(1, 16)
    own = torch.zeros(1, TINY.told)
    error = heuristic_error(network, target, own)
    assert torch.allclose(error + network(target, own), target, atol=1e-6)
    assert not error.requires_grad


def test_critics_judge_three_scales() -> None:
    critics = Critics(width=4)
    assert [tuple(s.shape) for s in critics(pictures(2, 128))] == [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 2, 2)]


def test_hinge_losses() -> None:
    real, drawn = [torch.tensor([2.0, 0.0])], [torch.tensor([-3.0, 1.0])]
    # real: 0 and 1 are missing to 1; drawn: 0 and 2 too many above -1
    assert float(critic_loss(real, drawn)) == pytest.approx((0 + 1) / 2 + (0 + 2) / 2)
    assert float(artist_loss(drawn)) == pytest.approx(1.0)  # minus the mean of -3 and 1


def test_losses_of_the_paper() -> None:
    a, b = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 3.0], [0.0, 1.0]])
    assert float(identity_loss(a, b)) == pytest.approx(0.5)  # 1 for what is at right angles, 0 for what is along
    maps = [torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 1, 1)]
    others = [torch.full((1, 1, 2, 2), 2.0), torch.full((1, 2, 1, 1), 1.0)]
    assert float(attribute_loss(maps, others)) == pytest.approx((4 + 1) / 2)
    drawn, target = torch.zeros(2, 3, 2, 2), torch.ones(2, 3, 2, 2)
    assert float(same_reconstruction(drawn, target, torch.tensor([True, False]))) == pytest.approx(0.5 / 2)
    assert float(change_loss(drawn, target)) == pytest.approx(1.0)

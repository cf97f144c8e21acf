"""How the GAN trains: who learns from which score, what the schedule does, and that the base is drawn unchanged at first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bianlian.model.autoencoder import DeepfakeConfig, reconstruction_losses
from bianlian.model.base import Base
from bianlian.model.blocks import init_weights
from bianlian.model.deepfake import Deepfake
from bianlian.model.gan import ALONE, ARTISTS, JUDGES, Gan, GanNetworks
from bianlian.model.gan_config import GanConfig, GanWeights, Phase
from bianlian.model.gan_losses import edges, mask_loss, reconstruction
from bianlian.model.protocol import Batch, Engine

pytestmark = pytest.mark.usefixtures("slim")
PEOPLE = ("ana", "ben")


def gan(people: tuple[str, ...] = PEOPLE, **settings: Any) -> Gan:
    return Gan(GanConfig(**{"size": 64, "perceptual": "none", **settings}), people, torch.Generator().manual_seed(0))


def faces(count: int = 2) -> list[Batch]:
    g = torch.Generator().manual_seed(1)
    one = torch.ones(count, 1, 64, 64)
    return [Batch(torch.rand(count, 3, 64, 64, generator=g), torch.rand(count, 3, 64, 64, generator=g), one, one) for _ in PEOPLE]


def step(model: Gan, iteration: int = 0) -> dict[str, Tensor]:
    optimizer = torch.optim.Adam(model.parameter_groups())
    return model.step(faces(), Engine(model.networks, optimizer, torch.Tensor.backward, iteration))


class Mean(nn.Module):
    """A judge whose score is the mean of the picture that it sees."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :3].mean((1, 2, 3))[:, None, None, None]


@pytest.mark.parametrize("adversarial", ["mixup", "relativistic"])
def test_judges_teach_themselves_and_artists_move_no_judge(adversarial: str) -> None:
    networks, batch = gan(adversarial=adversarial).networks, faces()
    arguments = [b.warped for b in batch], [b.truth for b in batch], torch.tensor([0.3, 0.6])
    torch.stack([row["scores"].sum() for row in networks(*arguments, JUDGES)]).sum().backward()  # type: ignore[no-untyped-call]
    assert all(w.grad is None for w in networks.encoder.parameters())
    assert all(w.grad is None for w in networks.decoders.parameters())
    assert all(w.grad is not None for w in networks.judges.parameters())


def test_a_judge_sees_the_mix_that_it_is_asked_for() -> None:
    networks, batch = gan().networks, faces()
    networks.judges = nn.ModuleList([Mean(), Mean()])
    said = networks([b.warped for b in batch], [b.truth for b in batch], torch.tensor([0.25, 1.0]), JUDGES)
    drawn = networks.draw([b.warped for b in batch])
    real = batch[0].truth * 2 - 1
    for half, picture in zip(
        said[0]["scores"].chunk(2),
        (drawn[0].mask * drawn[0].rgb + (1 - drawn[0].mask) * (batch[0].warped * 2 - 1), drawn[0].rgb),
        strict=True,
    ):
        expected = 0.25 * real.mean((1, 2, 3)) + 0.75 * picture.mean((1, 2, 3))
        torch.testing.assert_close(half.flatten(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(said[1]["scores"].chunk(2)[0].flatten(), (batch[1].truth * 2 - 1).mean((1, 2, 3)))


@pytest.mark.parametrize("settings", [{}, {"judges": "one"}, {"adversarial": "relativistic"}, {"weights": GanWeights(cycle=10.0)}])
def test_a_step_moves_everybody_and_names_its_losses(settings: dict[str, Any]) -> None:
    model = gan(**settings)
    before = {name: value.clone() for name, value in model.networks.state_dict().items()}
    losses = step(model)
    wanted = {"adversarial", "reconstruction", "edge", "mask", "total", "judge", "total/ana", "total/ben"}
    assert set(losses) == wanted | ({"cycle"} if "weights" in settings else set())
    parts = sum(float(losses[name]) for name in losses if name not in ("total", "judge") and "/" not in name)
    assert float(losses["total"]) == pytest.approx(parts, rel=1e-4)
    moved = {name.split(".")[0] for name, value in model.networks.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"encoder", "decoders", "judges"}
    assert len(model.networks.judges) == (1 if settings.get("judges") == "one" else 2)
    assert all(w.requires_grad for w in model.networks.parameters())


def test_without_judges_a_step_is_one_on_either_half() -> None:
    model, twin = gan(schedule="short", iterations=10), gan(schedule="short", iterations=10)
    before = {name: value.clone() for name, value in model.networks.state_dict().items()}
    batch, optimizers = faces(), [torch.optim.Adam(m.parameter_groups()) for m in (model, twin)]
    for group in optimizers[1].param_groups:
        group["lr"] *= 2  # the first phase's rate
    told = model.step(batch, Engine(model.networks, optimizers[0], torch.Tensor.backward, 0))
    assert float(told["judge"]) == 0
    assert "adversarial" not in told
    assert "perceptual" not in told
    for half in (slice(0, 1), slice(1, 2)):  # by hand: the artists' own losses, no judge near
        optimizers[1].zero_grad()
        drawn = twin.networks.draw([b.warped[half] for b in batch])
        losses = []
        for d, b in zip(drawn, batch, strict=True):
            truth, weights = b.truth[half] * 2 - 1, twin.config.weights
            seen = (truth, b.eyes[half], weights.eyes)
            drawing = reconstruction(d, *seen) + weights.edge * edges(d.rgb, *seen)
            losses.append(drawing + mask_loss(d.mask, weights, Phase(0, hinge=0.98)))
        torch.stack(losses).mean().backward()  # type: ignore[no-untyped-call]
        optimizers[1].step()
    for name, value in model.networks.state_dict().items():
        torch.testing.assert_close(value, twin.networks.state_dict()[name], rtol=1e-4, atol=1e-6)
        assert not name.startswith("judges") or torch.equal(value, before[name])
    assert not torch.equal(model.networks.state_dict()["encoder.plain.spread.weight"], before["encoder.plain.spread.weight"])


def test_the_judges_come_by_the_clock_where_it_is_ahead() -> None:
    for clock, judged in ((0.4, False), (0.6, True)):
        model = gan(schedule="short")
        engine = Engine(model.networks, torch.optim.Adam(model.parameter_groups()), torch.Tensor.backward, 0, clock=clock)
        assert ("adversarial" in model.step(faces(), engine)) == judged
    model = gan(perceptual="base")  # the reference's phases are of iterations
    engine = Engine(model.networks, torch.optim.Adam(model.parameter_groups()), torch.Tensor.backward, 0, clock=0.9)
    assert "perceptual" not in model.step(faces(), engine)


def test_the_loss_on_the_face_is_that_of_the_autoencoder() -> None:
    from_base = Gan.defaults("light", based=True, iterations=None)["face"]
    assert from_base > 0 == Gan.defaults("light", based=False, iterations=None)["face"]
    model, batch = gan(face=from_base), faces()[0]
    row = model.networks([b.warped for b in faces()], [b.shown for b in faces()], torch.zeros(2), ALONE)[0]
    terms = model._losses(row, batch, Phase(0.0, adversarial=False))
    drawn = (row["drawn"][0] + 1) / 2
    wanted = reconstruction_losses(DeepfakeConfig(), drawn, batch.truth, batch.weight)["total"]
    torch.testing.assert_close(terms["face"], from_base * wanted)


def test_the_mask_is_taught_to_leave_what_is_in_front_as_filmed() -> None:
    model, batch = gan(weights=GanWeights(hidden=3.0, bare=0.5)), faces()
    left = torch.zeros(2, 1, 64, 64)
    left[..., :16] = 1
    batch = [replace(b, hidden=left, bare=1 - left) for b in batch]
    with torch.no_grad():
        masks = [d.mask for d in model.networks.draw([b.warped[1:] for b in batch])]  # the artists take the second half
    told = model.step(batch, Engine(model.networks, torch.optim.Adam(model.parameter_groups()), torch.Tensor.backward, 0))
    # where it is hidden -log(1 - mask), where the face is seen -log(mask); 1e-4 keeps both finite
    shut, opened = ([-(share + 1e-4).log() for share in shares] for shares in ([1 - mask for mask in masks], masks))
    wanted = [(3 * s[..., :16].sum() + 0.5 * o[..., 16:].sum()) / s.numel() for s, o in zip(shut, opened, strict=True)]
    torch.testing.assert_close(told["front"], torch.stack(wanted).mean(), rtol=1e-4, atol=1e-5)
    shown = batch[0].shown
    torch.testing.assert_close(shown[..., :16], batch[0].warped[..., :16])
    torch.testing.assert_close(shown[..., 16:], batch[0].truth[..., 16:])


def test_the_perceptual_loss_counts_from_a_fifth_of_the_schedule_on() -> None:
    model = gan(perceptual="base", iterations=10)
    assert "perceptual" not in step(model, 1)
    assert float(step(model, 2)["perceptual"]) > 0


def test_the_schedule_scales_the_rates_and_exchanges_decoders_once() -> None:
    model = gan(iterations=10, lr=1e-9, weight_decay=0.0)
    first, second = ({k: v.clone() for k, v in d.state_dict().items()} for d in model.networks.decoders)
    optimizer = torch.optim.Adam(model.parameter_groups())
    model.step(faces(), Engine(model.networks, optimizer, torch.Tensor.backward, 8))  # 8 T / 10
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([3e-10, 3e-10, 6e-10, 6e-10])
    for decoder, state in zip(model.networks.decoders, (second, first), strict=True):
        for name, value in decoder.state_dict().items():
            torch.testing.assert_close(value, state[name], rtol=0, atol=1e-6)
    step(model, 9)
    torch.testing.assert_close(model.networks.decoders[0].state_dict()["plain.rgb.weight"], second["plain.rgb.weight"])


def test_later_parts_of_a_step_neither_scale_nor_exchange_again() -> None:
    model = gan(iterations=10, lr=1e-9, weight_decay=0.0)
    first = {k: v.clone() for k, v in model.networks.decoders[0].state_dict().items()}
    optimizer = torch.optim.Adam(model.parameter_groups())
    for part in range(3):
        model.step(faces(), Engine(model.networks, optimizer, torch.Tensor.backward, 8, part))
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([3e-10, 3e-10, 6e-10, 6e-10])
    for name, value in model.networks.decoders[1].state_dict().items():
        torch.testing.assert_close(value, first[name], rtol=0, atol=1e-6)


def test_kernels_alone_decay() -> None:
    groups = gan().parameter_groups()
    assert [(g["weight_decay"], g["lr"]) for g in groups] == [(1e-4, 1e-4), (0.0, 1e-4), (1e-4, 2e-4), (0.0, 2e-4)]
    assert all((w.ndim > 1) == (g["weight_decay"] > 0) for g in groups for w in g["params"])


def test_from_the_base_it_draws_what_the_base_draws_under_an_open_mask() -> None:
    base = Base(DeepfakeConfig(size=64))
    init_weights(base, torch.Generator().manual_seed(3))
    g = torch.Generator().manual_seed(4)
    portraits = [torch.rand(2, 3, 64, 64, generator=g) for _ in PEOPLE]
    plain = Deepfake(DeepfakeConfig(size=64, width="light"), PEOPLE, torch.Generator().manual_seed(0))
    model = gan()
    assert model.config.base == ("light", 64)
    for each in (plain, model):
        each.start_from(base.state_dict(), portraits)
    with torch.no_grad():
        drawn = model.path(1)(portraits[0])
        torch.testing.assert_close(drawn[:, :3], plain.path(1)(portraits[0]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(drawn[:, 3], torch.full((2, 64, 64), 0.9526), atol=1e-4, rtol=0)  # sigmoid(3)


def test_the_reference_width_runs_a_step_at_every_size() -> None:
    with torch.device("meta"):
        for size in (64, 128, 256):
            networks = GanNetworks(GanConfig(size=size, width="full"), 2)
            pictures = [torch.zeros(2, 3, size, size)] * 2
            said = networks(pictures, pictures, torch.zeros(2), ARTISTS)
            assert [tuple(row["scores"].shape) for row in said] == [(4, 1, 8, 8)] * 2
            assert [tuple(t.shape) for t in said[0]["drawn"][:2]] == [(2, 3, size, size), (2, 1, size, size)]

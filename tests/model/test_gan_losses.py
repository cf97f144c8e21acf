"""Losses and schedule of the GAN, against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from bianlian.errors import ConfigError
from bianlian.model.drawn import Drawn, masked
from bianlian.model.gan_config import SCHEDULE, SHORT_SCHEDULE, GanConfig, GanWeights, Phase, phase_at
from bianlian.model.gan_losses import (
    edges,
    eyes_l1,
    feature_distance,
    mask_loss,
    reconstruction,
    relativistic,
    toward,
    variation,
)

WEIGHTS = GanWeights()


def flat(value: float, channels: int = 3, side: int = 8) -> torch.Tensor:
    return torch.full((1, channels, side, side), float(value))


def close(value: torch.Tensor, expected: float) -> None:
    assert float(value) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_masked_lays_the_drawing_over_what_is_under_it() -> None:
    close(masked(Drawn(flat(0.8), flat(0.25, 1)), flat(-0.4)).mean(), 0.25 * 0.8 - 0.75 * 0.4)


def test_least_squares() -> None:
    scores = torch.tensor([0.5, 2.0])
    close(toward(scores, 1.0), (0.5**2 + 1**2) / 2)
    close(toward(scores, torch.tensor(0.3)), (0.2**2 + 1.7**2) / 2)  # the mix's share of the real one


def test_relativistic_average() -> None:
    real, drawn = torch.tensor([2.0, 4.0]), torch.tensor([0.0, 1.0])  # means 3 and 0.5
    # real against 0.5 + 1: 0.5 and 2.5; drawn against 3 - 1: 2 and 1
    close(relativistic(real, drawn), ((0.25 + 6.25) / 2 + (4 + 1) / 2) / 2)
    # the other way round: drawn against 3 + 1: 4 and 3; real against 0.5 - 1: 2.5 and 4.5
    close(relativistic(drawn, real), ((16 + 9) / 2 + (6.25 + 20.25) / 2) / 2)
    close(relativistic(torch.tensor([1.0]), torch.tensor([0.0])), 0)


def test_reconstruction_counts_eyes_and_smaller_pictures() -> None:
    eyes = flat(0, 1)
    eyes[..., :2, :4] = 0.5  # 8 of 64 pixels, half on
    drawn = Drawn(flat(0.5), flat(1, 1), (flat(0.1, 3, 4),))
    truth = flat(0.1)
    close(eyes_l1(drawn.rgb, truth, eyes), 0.4 * 0.5 * 8 / 64)
    close(reconstruction(drawn, truth, eyes, 30), 0.4 + 30 * 0.4 * 0.5 * 8 / 64 + 0)
    lower = Drawn(flat(0.5), flat(1, 1), (flat(0.3, 3, 4), flat(0.0, 3, 2)))
    close(reconstruction(lower, truth, flat(0, 1), 30), 0.4 + 0.2 + 0.1)


def test_smaller_pictures_are_compared_with_the_resized_truth() -> None:
    truth = flat(0)
    truth[..., ::2] = 1  # every other column: means of 2x2 blocks are 0.5
    close(reconstruction(Drawn(truth, flat(1, 1), (flat(0.5, 3, 4),)), truth, flat(0, 1), 30), 0)


def test_edges_compare_sizes_of_first_differences() -> None:
    step, down = flat(0), flat(0)
    step[..., 4:] = 1.0
    down[..., 4:] = -1.0
    # a step up and a step down are of one size
    close(edges(step, down, flat(1, 1), 30), 0)
    # across: 8 rows x 1 of 8 x 7 differences is 1, down: none
    close(edges(step, flat(0), flat(0, 1), 30), 8 / 56)
    eyes = flat(0, 1)
    eyes[..., :2, 4] = 1.0  # two rows, at the pixel right of the step
    close(edges(step, flat(0), eyes, 30), 8 / 56 + 30 * 2 / 56)


def test_mask_is_kept_small_or_above_the_hinge_and_smooth() -> None:
    mask = flat(0.2, 1)
    close(mask_loss(mask, WEIGHTS, Phase(0)), 0.01 * 0.2)
    close(mask_loss(mask, WEIGHTS, Phase(0, hinge=0.5)), 0.1 * 0.3)
    close(mask_loss(mask, WEIGHTS, Phase(0, hinge=0.1)), 0)
    mask[..., 4:] = 0.7  # one step of 0.5 in each of 8 rows of 7 differences
    close(variation(mask), 0.5 / 7)
    close(variation(mask.transpose(2, 3)), 0.5 / 7)
    close(mask_loss(mask, WEIGHTS, Phase(0)), 0.01 * 0.45 + 0.1 * 0.5 / 7)


def test_for_who_starts_from_the_base_the_mask_is_opened_in_every_phase() -> None:
    for phase in SHORT_SCHEDULE:
        mask = flat(0.6, 1).requires_grad_()
        mask_loss(mask, WEIGHTS, phase).backward()  # type: ignore[no-untyped-call]
        assert mask.grad is not None
        assert (mask.grad < 0).all()
        close(mask_loss(flat(0.99, 1), WEIGHTS, phase), 0)


def test_feature_distance_is_of_instance_normalised_maps() -> None:
    half = torch.zeros(1, 1, 2, 2)
    half[..., 0] = 1.0  # normalised: +1 and -1
    # brighter and with twice the contrast is the same; the negative differs by 2 everywhere: 4
    close(feature_distance([half], [5 + 2 * half], [1.0]), 0)
    assert float(feature_distance([half, half], [-half, half], [0.3, 0.1])) == pytest.approx(0.3 * 4, rel=1e-3)


@pytest.mark.parametrize(
    ("iteration", "perceptual", "hinge", "rate", "rotate", "first"),
    [
        (0, False, None, 1.0, False, True),
        (7_999, False, None, 1.0, False, False),
        (8_000, True, None, 1.0, False, True),
        (12_000, True, 0.5, 1.0, False, True),
        (16_000, True, 0.2, 1.0, False, True),
        (20_000, True, 0.4, 1.0, False, True),
        (26_666, True, 0.4, 1.0, False, False),
        (26_667, True, None, 0.3, False, True),
        (32_000, True, 0.1, 0.3, True, True),
        (32_001, True, 0.1, 0.3, True, False),
        (36_000, True, None, 0.1, False, True),
        (90_000, True, None, 0.1, False, False),
    ],
)
def test_schedule_of_the_reference(
    iteration: int, perceptual: bool, hinge: float | None, rate: float, rotate: bool, first: bool
) -> None:
    phase, begins = phase_at(SCHEDULE, iteration, GanConfig().iterations)
    assert (phase.perceptual, phase.hinge, phase.rate, phase.rotate, begins) == (perceptual, hinge, rate, rotate, first)


def test_weights_of_the_reference() -> None:
    named = (
        WEIGHTS.adversarial,
        WEIGHTS.reconstruction,
        WEIGHTS.eyes,
        WEIGHTS.edge,
        WEIGHTS.mask,
        WEIGHTS.hinge,
        WEIGHTS.variation,
    )
    assert named == (0.1, 1, 30, 0.1, 0.01, 0.1, 0.1)
    assert WEIGHTS.perceptual == (0.1, 0.3, 0.1, 0.01)  # maps of 112, 55, 28 and 7 pixels
    assert GanConfig().lr == 1e-4
    assert GanConfig().lr * GanConfig().judge_rate == 2e-4
    assert GanConfig().betas[0] == 0.5


@pytest.mark.parametrize("settings", [{"size": 96}, {"width": "wide"}, {"lr": 0.0}, {"weight_decay": -1.0}, {"octave": 1.0}])
def test_settings_out_of_range(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        GanConfig(**settings)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        GanWeights(cycle=-1.0)

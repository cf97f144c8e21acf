"""The memory planner: what a step takes, against sums over the layers, and what is said and done about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bianlian.errors import ConfigError
from bianlian.model.blocks import count_parameters
from bianlian.train import memory
from bianlian.train.augment import AugmentConfig
from bianlian.train.memory import SPARE, Need, fit, free_memory, need_of
from bianlian.train.run import PersonEntry, RunConfig

GB = 2**30
RUN = RunConfig(
    model="deepfake",
    people=(PersonEntry("ana", ""), PersonEntry("ben", "")),
    settings={"size": 64, "width": "light"},
    augment=AugmentConfig(),
    batch=8,
    precision="32-true",
    start="scratch",
    seed=0,
)


def test_the_need_of_a_step_counts_weights_and_pictures() -> None:
    need = need_of(RUN)
    assert need is not None
    weights = 4 * count_parameters(RUN.build().networks)
    # weights, gradients, two moments and the average: five times the weights
    assert need.fixed == pytest.approx(5 * weights, rel=0.05)
    # Kept for the way back at least: the four convolutions down (64, 128, 256, 192 maps of 32, 16, 8, 4 px, before and after
    # their LeakyReLU, which keeps its input), the encoder's upscale (768 of 4 px, shuffled to 192 of 8 px), the decoder's three
    # (512, 256, 128 maps of 8, 16, 32 px, then shuffled), warped, truth, drawn picture: floats of two people's faces
    down = 64 * 32**2 + 128 * 16**2 + 256 * 8**2 + 192 * 4**2
    up = 768 * 4**2 + 512 * 8**2 + 256 * 16**2 + 128 * 32**2
    least = 2 * 4 * (down + 2 * up + 3 * 3 * 64**2)
    assert least < need.face < 4 * least


def test_a_line_tells_the_largest_batch() -> None:
    need = Need(fixed=2 * GB, face=GB // 8)
    assert need.bytes(8) == int(SPARE * 3 * GB)
    for free in (3 * GB, 7 * GB):
        largest = need.largest(free)
        assert need.bytes(largest) <= free < need.bytes(largest + 1)
    assert need.largest(GB) == 0


@pytest.fixture
def heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that takes 1 GB and a tenth of it for each face, spare included; 2.05 GB leave room for 10 faces."""
    monkeypatch.setattr(memory, "need_of", lambda _: Need(int(GB / SPARE), int(GB / 10 / SPARE)))


ROOM = int(2.05 * GB)


@pytest.mark.usefixtures("heavy")
def test_what_fits_is_said_and_left_as_it_is() -> None:
    said: list[str] = []
    assert fit(RUN, ROOM, asked=True, faces=0, note=said.append) == RUN
    assert said == ["memory: about 1.8 GB of 2.0 GB for a batch of 8 at 64 px; up to 10 would fit"]


@pytest.mark.usefixtures("heavy")
def test_an_open_batch_is_lowered_to_equal_parts() -> None:
    said: list[str] = []
    fitted = fit(replace(RUN, batch=24), ROOM, asked=False, faces=0, note=said.append)
    assert (fitted.batch, fitted.training.accumulate) == (8, 3)
    assert "3 batches of 8 make a step" in said[0]


@pytest.mark.usefixtures("heavy")
@pytest.mark.parametrize(
    ("batch", "free", "message"),
    [
        (24, ROOM, r"a batch of 24 at 64 px takes 3\.4 GB, and 2\.0 GB are free; .* --batch 10 \(with --accumulate 3"),
        (1, GB, "takes 1.1 GB for a batch of 1, and 1.0 GB are free; choose a smaller --size or --width light"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_way_out(batch: int, free: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(replace(RUN, batch=batch), free, asked=True, faces=0, note=print)


@pytest.mark.usefixtures("heavy")
def test_decoded_crops_take_room_too() -> None:
    said: list[str] = []
    fit(replace(RUN, batch=5), ROOM, asked=True, faces=GB // 2, note=said.append)
    assert said == ["memory: about 1.5 GB of 1.5 GB for a batch of 5 at 64 px; up to 5 would fit"]


def test_this_machine_has_some_memory() -> None:
    assert free_memory(cuda=False) > 50 << 20

"""Every model of the table keeps the contract ``Trainable``: N people, steps that learn, state that survives, one swap."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bianlian import plugins
from bianlian.config import from_mapping, to_mapping
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.model.base import Base
from bianlian.model.blocks import init_weights
from bianlian.model.protocol import Batch, Engine, Trainable
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.checkpoint import optimizer_tensors, restore_optimizer
from made_faces import make_faceset

pytestmark = [pytest.mark.parametrize("name", list(plugins.TABLES["model"])), pytest.mark.usefixtures("slim")]
SIZE = 64
MORE: dict[str, dict[str, Any]] = {"gan": {"perceptual": "none"}, "octgan": {"perceptual": "none"}}
"""What makes a model quick enough for a test."""
BLIND: dict[str, dict[str, Any]] = {"rgba": {"visible": False}}
"""What lets a model learn pictures in which no face is seen: where its mask stays shut nothing is drawn."""


def settings(name: str, **more: Any) -> dict[str, Any]:
    kind = plugins.load("model", name)
    return {**kind.defaults("light", based=False, iterations=None), "size": SIZE, "width": "light", **MORE.get(name, {}), **more}


def make(name: str, people: int = 2, **more: Any) -> Trainable:
    kind = plugins.load("model", name)
    config = from_mapping(kind.Config, settings(name, **more))
    model: Trainable = kind(config, [f"person{k}" for k in range(people)], torch.Generator().manual_seed(0))
    return model


@cache
def batches(people: int, count: int) -> list[Batch]:
    """Faces that are plain colours with a bright spot; what is seen is shifted by two pixels."""
    rng = np.random.default_rng(0)
    made = []
    for k in range(people):
        truth = torch.full((count, 3, SIZE, SIZE), 0.2)
        truth[:, k % 3, 12:52, 12:52] = 0.8
        for face in truth:
            y, x = rng.integers(20, 40, 2)
            face[:, y : y + 6, x : x + 6] = 0.0
        weight = torch.ones(count, 1, SIZE, SIZE)
        made.append(Batch(truth.roll(2, 3), truth, weight, 0.1 * weight))
    return made


def taught(model: Trainable, batch: list[Batch], steps: int) -> list[dict[str, float]]:
    """Train as the loop does -> the losses of each step."""
    optimizer = torch.optim.Adam(model.parameter_groups())
    rates = [group["lr"] for group in optimizer.param_groups]
    said = []
    for k in range(steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        losses = model.step(batch, Engine(model.networks, optimizer, torch.Tensor.backward, k))
        said.append({term: float(value) for term, value in losses.items()})
    return said


def test_a_swap_gives_faces_and_maybe_masks_within_zero_and_one(name: str) -> None:
    model = make(name)
    crops = torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    assert model.size == SIZE
    with torch.no_grad():
        drawn = [model.path(k)(crops) for k in range(2)]
    for picture in drawn:
        assert picture.shape in ((3, 3, SIZE, SIZE), (3, 4, SIZE, SIZE))
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
    assert float((drawn[0][:, :3] - drawn[1][:, :3]).abs().max()) > 1e-3  # each person is drawn by networks of their own


def test_a_step_decreases_the_loss_on_a_tiny_set_and_names_everybody(name: str) -> None:
    said = taught(make(name, lr=2e-3, **BLIND.get(name, {})), batches(2, 2), 5)
    assert {"total", "total/person0", "total/person1"} <= set(said[0])
    drawing = "reconstruction" if "reconstruction" in said[0] else "total"  # judges learn as well: a total may rise
    assert np.isfinite([list(s.values()) for s in said]).all()
    assert said[-1][drawing] < 0.8 * said[0][drawing]


def test_the_same_seed_gives_the_same_steps(name: str) -> None:
    first, second = (taught(make(name), batches(2, 2), 2) for _ in "ab")
    assert first == second


def test_any_number_of_people(name: str) -> None:
    model = make(name, people=3)
    losses = taught(model, batches(3, 2), 1)[0]
    assert {f"total/person{k}" for k in range(3)} <= set(losses)
    weights = [w for group in model.parameter_groups() for w in group["params"]]
    assert {id(w) for w in weights} == {id(w) for w in model.networks.parameters() if w.requires_grad}
    assert len(weights) == len({id(w) for w in weights})


def test_octave_is_an_option_that_keeps_shapes_and_parameters(name: str) -> None:
    plain, octave = make(name, octave=0.0), make(name, octave=0.5)
    crops = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        assert plain.path(0)(crops).shape == octave.path(0)(crops).shape
    taught(octave, batches(2, 2), 1)
    with pytest.raises(Exception, match="octave"):
        make(name, octave=1.0)


def test_networks_can_be_counted_without_memory_and_settings_survive_a_file(name: str) -> None:
    kind = plugins.load("model", name)
    config = from_mapping(kind.Config, settings(name))
    with torch.device("meta"):
        empty = kind.networks_for(config, 2)
    model = make(name)
    assert {k: v.shape for k, v in empty.state_dict().items()} == {k: v.shape for k, v in model.networks.state_dict().items()}
    assert from_mapping(kind.Config, to_mapping(config)) == config
    assert kind.card.purpose
    assert kind.card.origin


def test_what_is_saved_goes_on_as_if_it_had_not_been_stopped(name: str) -> None:
    whole, stopped, fresh = make(name), make(name), make(name)
    expected = taught(whole, batches(2, 2), 2)
    optimizer = torch.optim.Adam(stopped.parameter_groups())
    stopped.step(batches(2, 2), Engine(stopped.networks, optimizer, torch.Tensor.backward, 0))
    again = torch.optim.Adam(fresh.parameter_groups())
    fresh.networks.load_state_dict({key: value.clone() for key, value in stopped.networks.state_dict().items()})
    restore_optimizer(again, {key: value.clone() for key, value in optimizer_tensors(optimizer).items()})
    losses = fresh.step(batches(2, 2), Engine(fresh.networks, again, torch.Tensor.backward, 1))
    assert {term: float(value) for term, value in losses.items()} == expected[1]
    for key, value in whole.networks.state_dict().items():
        assert torch.equal(value, fresh.networks.state_dict()[key]), key


def test_people_start_from_the_base_where_it_fits(name: str) -> None:
    kind = plugins.load("model", name)
    assert from_mapping(kind.Config, settings(name, octave=0.5)).base is None
    config = from_mapping(kind.Config, settings(name, octave=0.0))
    assert config.base == ("light", SIZE)
    model, base = make(name, octave=0.0), Base(DeepfakeConfig(size=SIZE))
    init_weights(base, torch.Generator().manual_seed(2))
    faces = [batch.truth for batch in batches(2, 2)]
    model.start_from(base.state_dict(), faces)
    with torch.no_grad():
        first, second = (model.path(k)(faces[0])[:, :3] for k in range(2))
        people = [base.identity(face).mean(0) for face in faces]
        if name == "facereplace":  # one decoder for all: everybody is drawn as their mean at first
            people = [torch.stack(people).mean(0)] * 2
        for drawn, who in zip((first, second), people, strict=True):
            expected = base.decoder(base.encoder(faces[0]), who.expand(2, -1))
            torch.testing.assert_close(drawn, expected, atol=1e-4, rtol=1e-3)


def test_batches_hold_the_faces_that_a_step_splits(name: str, tmp_path: Path) -> None:
    model = make(name)
    faceset = make_faceset(tmp_path / "ana", "ana")
    made = BatchMaker(People([faceset]), SIZE, 2 * model.shares, AugmentConfig(), 0).make(0)[0]
    parts = [made.part(2 * k, 2 * k + 2) for k in range(model.shares)]
    assert all(part.truth.shape == (2, 3, SIZE, SIZE) and part.eyes.shape == (2, 1, SIZE, SIZE) for part in parts)

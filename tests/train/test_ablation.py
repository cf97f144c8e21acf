"""The ablation bench: each variant differs in what it says it does, and all of them learn."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_swaps import TINY, make_swaps
from torch import Tensor

from bianlian.model.faceshifter.config import AeiConfig
from bianlian.train.swaps import Swaps

BENCH = Path(__file__).parents[2] / "bench" / "quality"


class Glance:
    """Stands for the recogniser: describes a picture by the means of its channels."""

    def to(self, device: torch.device) -> Glance:
        del device
        return self

    def look(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        return pictures.mean((2, 3)).repeat(1, 43)[:, :128], [pictures]

    def compare(self, drawn: Tensor, truth: Tensor, described: Tensor) -> tuple[Tensor, Tensor]:
        return (self.look(drawn)[0] - described).abs().mean(), (drawn - truth).abs().mean()


class Grey:
    """Stands for the base: draws a face without colours."""

    def to(self, device: torch.device) -> Grey:
        del device
        return self

    def __call__(self, target: Tensor, portrait: Tensor) -> Tensor:
        del portrait
        return target.mean(1, keepdim=True).expand_as(target)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCH))
    return import_module("ablation")


@pytest.fixture
def swaps(tmp_path: Path) -> Swaps:
    return make_swaps(tmp_path)


def test_variants_differ_in_one_thing_each(bench: Any) -> None:
    found = bench.variants(replace(TINY, draft=True, photo=True, maps=3))
    assert list(found) == ["all", "no truth", "attribute loss", "no mask", "no photo", "3 maps"]
    whole = found["all"]
    assert found["attribute loss"] == replace(whole, attribute=True)
    assert found["no truth"] == replace(whole, supervised=False, attribute=True)
    assert found["no mask"] == replace(whole, config=replace(whole.config, masked=False))
    assert found["no photo"] == replace(whole, config=replace(whole.config, photo=False))
    assert found["3 maps"] == replace(whole, config=replace(whole.config, maps=3))


def test_without_the_truth_no_answer_is_seen(bench: Any, swaps: Swaps) -> None:
    recipe = bench.AblationRecipe(bench.variants(TINY)["no truth"], Glance(), None)
    made = recipe.batch(swaps, 4, np.random.default_rng(0))
    batch = tuple(torch.from_numpy(array) for array in made)
    other = (*batch[:3], 255 - batch[3], *batch[4:])  # another answer
    first, second = (recipe.losses(recipe.draw(b).float(), b) for b in (batch, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert set(first) == {"identity", "reconstruction", "attribute", "total"}
    target, portrait, described, truth, _, photo = recipe.asked(batch)
    assert torch.equal(truth[:2], target[:2])  # the first half shows the target's own person
    own = target[:2].float().mean((1, 2)) / 255
    torch.testing.assert_close(described[:2, :3], own, atol=0.01, rtol=0)
    torch.testing.assert_close(portrait[:2].float().mean((1, 2)) / 255, own, atol=0.02, rtol=0)
    assert torch.equal(portrait[2:], batch[1][2:])
    assert torch.equal(photo[:2], target[:2].flip(2))  # mirrored: as it is it would be the answer
    assert torch.equal(photo[2:], batch[5][2:])


@pytest.mark.parametrize("name", ["all", "no truth", "attribute loss", "no mask", "no photo", "3 maps"])
@pytest.mark.parametrize("config", [TINY, replace(TINY, draft=True, photo=True)])
def test_every_variant_learns(bench: Any, swaps: Swaps, name: str, config: AeiConfig) -> None:
    recipe = bench.AblationRecipe(bench.variants(config)[name], Glance(), Grey() if config.draft else None)
    batch = tuple(torch.from_numpy(array) for array in recipe.batch(swaps, 4, np.random.default_rng(1)))
    optimizer, said = torch.optim.Adam(recipe.network.parameters(), lr=2e-3), list[float]()
    for _ in range(20):
        losses = recipe.losses(recipe.draw(batch).float(), batch)
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        said.append(float(losses["total"].detach()))
    assert said[-1] < 0.95 * said[0]
    assert ("attribute" in losses) == (name in ("no truth", "attribute loss"))

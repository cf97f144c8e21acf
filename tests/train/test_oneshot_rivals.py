"""What trains beside the network from one photo: critics learn against it and are saved, HEAR-Net learns to correct it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_swaps import TINY, make_swaps
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from bianlian.errors import WeightsError
from bianlian.model.faceshifter.aei import AeiNet, init_aei
from bianlian.model.faceshifter.critics import Critics
from bianlian.model.faceshifter.hear import HearNet
from bianlian.train.pretrain import PretrainConfig, pretrain
from bianlian.train.pretrain_hear import HearRecipe
from bianlian.train.pretrain_oneshot import CriticRival, OneShotRecipe
from bianlian.train.swaps import Swaps

CONFIG = PretrainConfig(batch=3, lr=1e-3)


class Colours:
    """Stands for the recogniser: describes a picture by its colours in a coarse grid."""

    def to(self, device: torch.device) -> Colours:
        return self

    def look(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        return functional.adaptive_avg_pool2d(pictures, 7).flatten(1)[:, :128], []


@pytest.fixture
def swaps(tmp_path: Path) -> Swaps:
    return make_swaps(tmp_path)


def critics(seed: int) -> Critics:
    made = Critics(width=2, scales=1)
    init_aei(made, torch.Generator().manual_seed(seed))
    return made


def test_critics_learn_to_tell_and_go_on(tmp_path: Path, swaps: Swaps) -> None:
    judges, out = critics(0), tmp_path / "weights.safetensors"
    recipe, steps, shown = OneShotRecipe(TINY, 0, critics=judges), iter(range(41)), list[dict[str, float]]()
    done = pretrain(
        recipe,
        swaps,
        out,
        CONFIG,
        stop=lambda: next(steps) >= 40,
        watch=lambda _i, _s, losses: shown.append(losses),
        rival=CriticRival(judges, 2e-3),
    )
    assert done == 40
    batch = tuple(torch.from_numpy(a) for a in recipe.batch(swaps, 6, np.random.default_rng(1)))
    with torch.no_grad():
        told = [float(judges(p)[0].mean()) for p in (batch[3].permute(0, 3, 1, 2) / 255, recipe.draw(batch)[:, :3])]
        terms = recipe.losses(recipe.draw(batch), batch)
    assert told[0] > told[1]  # answers are judged better than what is drawn
    assert float(terms["total"]) == pytest.approx(sum(float(v) for k, v in terms.items() if k != "total"), rel=1e-5)
    assert not any(name.startswith("critics") for name in load_file(out))  # what ships holds the network alone
    again, steps = critics(5), iter(range(1))
    pretrain(
        OneShotRecipe(TINY, 1, critics=again), swaps, out, CONFIG, stop=lambda: next(steps, 1) >= 0, rival=CriticRival(again, 1)
    )
    for mine, theirs in zip(again.state_dict().values(), judges.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_state_with_other_critics_is_named(tmp_path: Path, swaps: Swaps) -> None:
    out, judges = tmp_path / "weights.safetensors", critics(0)
    pretrain(OneShotRecipe(TINY, 0, critics=judges), swaps, out, CONFIG, stop=lambda: True, rival=CriticRival(judges, 1e-3))
    wider = Critics(width=3, scales=1)
    with pytest.raises(WeightsError, match="delete it to start anew"):
        pretrain(OneShotRecipe(TINY, 0, critics=wider), swaps, out, CONFIG, rival=CriticRival(wider, 1e-3))


def test_hear_learns_to_correct(tmp_path: Path, swaps: Swaps) -> None:
    aei = AeiNet(TINY)
    init_aei(aei, torch.Generator().manual_seed(0))
    before = {k: v.clone() for k, v in aei.state_dict().items()}
    recipe = HearRecipe(aei, None, Colours(), 0, HearNet((8, 16, 16)))  # type: ignore[arg-type]
    batch = tuple(torch.from_numpy(a) for a in recipe.batch(swaps, 4, np.random.default_rng(0)))

    def loss() -> float:
        with torch.no_grad():
            return float(recipe.losses(recipe.draw(batch), batch)["total"])

    first, steps = loss(), iter(range(41))
    pretrain(recipe, swaps, tmp_path / "hear.safetensors", PretrainConfig(batch=3, lr=3e-3), stop=lambda: next(steps) >= 40)
    assert loss() < 0.8 * first
    assert all(torch.equal(v, before[k]) for k, v in aei.state_dict().items())  # what it corrects is not trained

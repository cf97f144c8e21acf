"""``tuned`` as it is trained: one person alone, the base's encoder kept, and a swapper at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bianlian import plugins
from bianlian.cli import main
from bianlian.errors import RunError
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.model.base import Base
from bianlian.model.blocks import init_weights
from bianlian.model.tuned import Tuned, TunedConfig
from bianlian.score.measure import Eyes
from bianlian.score.previews import PreviewJudge
from bianlian.score.run import RunJudge
from bianlian.swap.swapper import open_swapper
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.checkpoint import load_average, newest
from bianlian.train.plateau import Plateau
from bianlian.train.run import open_run
from made_faces import make_faceset

pytestmark = pytest.mark.usefixtures("slim")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Weights of a base that has learned nothing, of 64 px."""
    made, path = Base(DeepfakeConfig(size=64)), tmp_path / "base.safetensors"
    init_weights(made, torch.Generator().manual_seed(5))
    save_file({name: value.contiguous() for name, value in made.state_dict().items()}, path)
    return path


def trained(tmp_path: Path, base: Path | str, *more: str) -> Path:
    run = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
    ana = make_faceset(tmp_path / f"ana{run.name}", "ana").path
    words = [
        "--model",
        "tuned",
        "--size",
        "64",
        "--from",
        str(base),
        "--batch",
        "2",
        "--iterations",
        "3",
        "--no-score",
        *more,
    ]
    assert main(["train", str(ana), "-o", str(run), *words]) == 0
    return run


def moved(run: Path, part: str) -> float:
    """How far the weights of a part moved between the first checkpoint and the last."""
    folders = sorted((run / "checkpoints").iterdir(), key=lambda folder: int(folder.name))
    first, last = load_average(folders[0]), load_average(newest(run))
    return max(float((last[name] - first[name]).abs().max()) for name in first if part in name)


def test_one_person_is_tuned_and_the_encoder_is_kept(tmp_path: Path, base: Path) -> None:
    run = trained(tmp_path, base)
    assert (open_run(run).names, open_run(run).settings["kept"]) == (("ana",), True)
    assert moved(run, "encoder") == 0
    assert moved(run, "decoders") > 1e-5
    swapper = open_swapper(run, "ana", threads=1)
    assert swapper.swap(np.zeros((1, 64, 64, 3), np.uint8))[0].shape == (1, 64, 64, 3)


def test_a_resumed_run_keeps_the_encoder_too(tmp_path: Path, base: Path) -> None:
    run = trained(tmp_path, base)
    before = load_average(newest(run))
    assert main(["train", "-o", str(run), "--resume", "--iterations", "5", "--no-score"]) == 0
    after = load_average(newest(run))
    assert all(torch.equal(after[name], value) for name, value in before.items() if "encoder" in name)
    assert any(not torch.equal(after[name], value) for name, value in before.items() if "decoders" in name)


def test_without_a_base_or_when_asked_the_encoder_learns(tmp_path: Path, base: Path) -> None:
    scratch, asked = trained(tmp_path, "scratch"), trained(tmp_path, base, "--set", "kept=false")
    assert open_run(scratch).settings["kept"] is False
    assert moved(scratch, "encoder") > 1e-6
    assert moved(asked, "encoder") > 1e-6


def test_the_first_picture_is_the_bases_own() -> None:
    config = TunedConfig(size=64)
    model, base = Tuned(config, ("ana", "ben"), torch.Generator().manual_seed(0)), Base(DeepfakeConfig(size=64))
    init_weights(base, torch.Generator().manual_seed(1))
    portraits = [torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(k)) for k in (2, 3)]
    model.start_from(base.state_dict(), portraits)
    target = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        for person, pictures in enumerate(portraits):
            wanted = base.decoder(base.encoder(target), base.identity(pictures).mean(0, keepdim=True))
            torch.testing.assert_close(model.path(person)(target), wanted, atol=1e-5, rtol=1e-4)


def test_a_run_of_one_person_has_no_direction_to_score(tmp_path: Path) -> None:
    maker = BatchMaker(People([make_faceset(tmp_path / "ana", "ana")]), 64, 1, AugmentConfig(), 0)
    eyes = Eyes(None, None)  # type: ignore[arg-type]
    with pytest.raises(RunError, match="nobody else's faces"):
        RunJudge(maker, eyes)
    said: list[str] = []
    judge = PreviewJudge(tmp_path, eyes, Plateau(0), said.append)
    model = plugins.load("model", "tuned")(TunedConfig(size=64), ("ana",), torch.Generator().manual_seed(0))
    assert [judge(model, maker, k) for k in range(2)] == [{}, {}]
    assert len(said) == 1

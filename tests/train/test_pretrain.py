"""Pretraining: shards become aligned triples, examples keep what belongs together together, and both recipes learn and go on."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from bianlian import plugins
from bianlian.cli import main
from bianlian.errors import InputError, WeightsError
from bianlian.landmark.schemes import convert
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.model.base import Base
from bianlian.model.refiner import Refiner, detail_bands
from bianlian.train import disturb, pretrain_base, pretrain_refiner
from bianlian.train.pairs import PAIR_FACE, PAIR_SIZE, Pairs, Triple, align_shards
from bianlian.train.pretrain import PretrainConfig, pretrain
from bianlian.train.pretrain_base import BaseRecipe
from bianlian.train.pretrain_refiner import RefinerRecipe
from bianlian.types import Face, Frame, Image

CONFIG = DeepfakeConfig(size=64, width="light")


def jpeg_columns(name: str, pictures: list[Image]) -> dict[str, NDArray[np.generic]]:
    blobs = [cv2.imencode(".jpg", p[..., ::-1])[1].ravel() for p in pictures]
    return {name: np.concatenate(blobs), f"{name.removesuffix('_jpeg')}_end": np.array(list(accumulate(map(len, blobs))))}


def triple(seed: int = 0) -> Triple:
    """A coloured noise picture each, smooth enough to be resampled; the weight marks the middle."""
    rng = np.random.default_rng(seed)
    pictures = [cv2.GaussianBlur(rng.integers(0, 256, (PAIR_SIZE, PAIR_SIZE, 3), np.uint8), (0, 0), 9) for _ in range(3)]
    pose_from, face_of, truth = (np.asarray(cv2.normalize(p, p, 0, 255, cv2.NORM_MINMAX), np.uint8) for p in pictures)
    return Triple(pose_from, face_of, truth, np.full((PAIR_SIZE, PAIR_SIZE), 80, np.uint8))


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    rows = [replace(row, pose_from=row.truth) for row in map(triple, range(3))]  # a swap that is easily learned
    columns = {
        name: torch.from_numpy(np.stack([getattr(row, name) for row in rows]))
        for name in ("pose_from", "face_of", "truth", "weight")
    }
    save_file(columns, tmp_path / "made.safetensors")
    return Pairs([tmp_path / "made.safetensors"])


@pytest.fixture(scope="session")
def shard(tmp_path_factory: pytest.TempPathFactory, demo_frames: list[Frame]) -> Path:
    """A shard as the renderer writes it: three triples out of frames of the demo, and one that is no face."""
    detector, mesh = plugins.load("detector", "blazeface")(), plugins.load("landmarker", "facemesh")()
    images = [np.asarray(cv2.resize(f.image, (256, 256), interpolation=cv2.INTER_AREA), np.uint8) for f in demo_frames]
    points = [convert(mesh.mark(i, detector.detect([i])[0][:1])[0].landmarks, "ibug68").points for i in images]
    grey = np.full((256, 256, 3), 128, np.uint8)
    data: dict[str, Any] = {
        **jpeg_columns("jpeg", [*images[:3], grey]),
        **jpeg_columns("truth_jpeg", [*images[:3], grey]),
        **jpeg_columns("source_jpeg", [images[3], images[4], images[3], grey]),
        "landmarks68": np.stack([*points[:3], points[0]]),
    }
    path = tmp_path_factory.mktemp("shard") / "crops_0000.npz"
    np.savez(path, **data)
    return path


def test_shards_are_aligned_once(tmp_path: Path, shard: Path) -> None:
    mesh = plugins.load("landmarker", "facemesh")()
    done = align_shards([shard], tmp_path, mesh)
    found = Pairs(done)
    assert len(found) == 3  # the grey one is left out
    # Where the crop lies is what extraction does: the mesh's points land in the same place in every picture.
    places = []
    for k in range(3):
        image = found[k].truth
        five = plugins.load("detector", "blazeface")().detect([image])[0][:1]
        places.append(convert(mesh.mark(image, five)[0].landmarks, "ibug68").points[[36, 45, 33]].mean(0))
    assert np.ptp(places, axis=0).max() < 0.03 * PAIR_FACE
    stamp = done[0].stat().st_mtime_ns
    assert align_shards([shard], tmp_path, mesh) == done
    assert done[0].stat().st_mtime_ns == stamp


def test_what_is_no_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no shard")

    class Blind:
        def mark(self, image: Image, faces: list[Face]) -> list[None]:
            return [None for _ in faces]

    with pytest.raises(InputError, match=r"x\.npz is no shard"):
        align_shards([tmp_path / "x.npz"], tmp_path, Blind())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no aligned pairs"):
        Pairs([])
    save_file({"truth": torch.zeros(1, 8, 8, 3, dtype=torch.uint8)}, tmp_path / "old.safetensors")
    with pytest.raises(InputError, match=r"old\.safetensors holds no aligned pairs"):
        Pairs([tmp_path / "old.safetensors"])


def test_mirroring_keeps_pose_answer_and_weight_together() -> None:
    row = triple()
    seen = set()
    for seed in range(20):
        pose_from, face_of, truth, _ = row.mirrored(np.random.default_rng(seed))
        turned = [np.array_equal(a, b[:, ::-1]) for a, b in ((pose_from, row.pose_from), (truth, row.truth))]
        assert turned[0] == turned[1]
        seen.add((turned[0], np.array_equal(face_of, row.face_of[:, ::-1])))
    assert len(seen) == 4


def test_a_base_example_asks_for_the_answer_in_the_pose_that_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain_base, "degrade", lambda image, rng: image)
    monkeypatch.setattr(pretrain_base, "bend", lambda image, rng: image)
    row = triple()
    same = replace(row, pose_from=row.truth)
    for seed in range(10):
        seen, small, answer, weight = pretrain_base.example(same, 64, np.random.default_rng(seed))
        assert (seen.shape, small.shape, weight.shape) == ((64, 64, 3), (64, 64, 3), (64, 64))
        # The same light and place, but for a misalignment of about a hundredth of the side.
        dx, dy = cv2.phaseCorrelate(*(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float64) for p in (seen, answer)))[0]
        assert np.hypot(dx, dy) < 0.04 * 64
        assert abs(float(seen.mean()) - float(answer.mean())) < 6


def test_a_refiner_example_films_target_and_answer_alike() -> None:
    row = triple()
    same = replace(row, pose_from=row.truth)
    for seed in range(10):
        seen, small, _, answer, _, soft, share, table = pretrain_refiner.example(same, 64, 96, np.random.default_rng(seed))
        np.testing.assert_array_equal(seen, answer)  # the very same noise
        assert (small.shape, soft.shape, share.shape, table.shape) == ((64, 64, 3), (64, 64, 3), (), (256, 3))


def test_cutting_does_not_alias() -> None:
    stripes = np.zeros((PAIR_SIZE, PAIR_SIZE, 3), np.uint8)
    stripes[:, ::2] = 255
    half = disturb.cut(stripes, np.array([[0.4, 0.0, 0.0], [0.0, 0.4, 0.0]]), 64)
    assert half[8:-8, 8:-8].std() < 10


def test_detail_bands_and_what_is_left_make_the_picture() -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    rest = torch.nn.functional.avg_pool2d(x, 8)
    for _ in range(3):
        rest = torch.nn.functional.interpolate(rest, scale_factor=2.0, mode="bilinear", align_corners=False)
    torch.testing.assert_close(sum(detail_bands(x)) + rest, x, rtol=0, atol=1e-5)


def test_the_refiner_starts_as_no_change_and_can_let_detail_through() -> None:
    net = Refiner()
    g = torch.Generator().manual_seed(1)
    drawn, target = torch.rand(2, 3, 32, 32, generator=g), torch.rand(2, 3, 32, 32, generator=g)
    with torch.no_grad():
        torch.testing.assert_close(net(drawn, target), drawn, rtol=0, atol=0)
        dict(net.named_parameters())["out.bias"][-3:] = 1.0  # open all gates
        torch.testing.assert_close(net(drawn, target), drawn + sum(detail_bands(target)))


def recipes() -> dict[str, BaseRecipe | RefinerRecipe]:
    base = Base(CONFIG)
    return {"base": BaseRecipe(CONFIG, 0), "refiner": RefinerRecipe(CONFIG, {k: v.half() for k, v in base.state_dict().items()})}


@pytest.mark.parametrize("what", ["base", "refiner"])
def test_a_recipe_learns_saves_and_goes_on(tmp_path: Path, pairs: Pairs, what: str) -> None:
    recipe, out = recipes()[what], tmp_path / "weights.safetensors"
    rng = np.random.default_rng(5)
    fixed = tuple(torch.from_numpy(a) for a in recipe.batch(pairs, 4, rng))

    def loss() -> float:
        with torch.no_grad():
            return float(recipe.losses(recipe.draw(fixed), fixed)["total"])

    before, steps = loss(), iter(range(31))
    assert pretrain(recipe, pairs, out, PretrainConfig(batch=2, lr=1e-3), stop=lambda: next(steps) >= 30) == 30
    assert loss() < before
    assert all(v.dtype == torch.float16 for v in load_file(out).values())
    again, steps = recipes()[what], iter(range(2))
    assert pretrain(again, pairs, out, PretrainConfig(batch=2), stop=lambda: next(steps) >= 1) == 31


def test_a_damaged_state_is_named(tmp_path: Path, pairs: Pairs) -> None:
    out = tmp_path / "weights.safetensors"
    (tmp_path / "weights.safetensors.state").write_bytes(b"half")
    with pytest.raises(WeightsError, match="delete it to start anew"):
        pretrain(BaseRecipe(CONFIG, 0), pairs, out, PretrainConfig())


def test_the_command_aligns_and_trains(tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", str(shard), "--what", "refiner", "--batch", "1", "--minutes", "0.02"]) == 0
    tensors = load_file(tmp_path / "refiner.safetensors")
    Refiner().load_state_dict({k: v.float() for k, v in tensors.items()})
    assert main(["pretrain", "--size", "64", "--batch", "1", "--minutes", "0.02"]) == 0
    Base(CONFIG).load_state_dict({k: v.float() for k, v in load_file(tmp_path / "base.safetensors").items()})


def test_without_pairs_or_with_another_base_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "--pairs", str(tmp_path)]) == 2
    assert "render some first" in capsys.readouterr().err
    (tmp_path / "made.safetensors").write_bytes(b"")
    (tmp_path / "base").write_bytes(b"no base")
    arguments = ["--pairs", str(tmp_path), "--what", "refiner", "--base", str(tmp_path / "base")]
    assert main(["pretrain", *arguments]) == 2
    assert "is no base of light width at 128 px" in capsys.readouterr().err

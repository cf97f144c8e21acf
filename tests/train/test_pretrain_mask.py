"""The learned mask's recipe: shards in, examples whose truth is known, a network that learns, the command."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from bianlian.align import template
from bianlian.cli import main
from bianlian.errors import InputError
from bianlian.mask.unet import MaskNet
from bianlian.train import pretrain_mask
from bianlian.train.occluders import put_before
from bianlian.train.pretrain import PretrainConfig, pretrain
from bianlian.train.pretrain_mask import Glimpse, MaskRecipe, MaskShards, Seen, example

SIZE = 320
EYES = np.array([[48.0, 52.0], [80.0, 52.0]])


def person(shade: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A light oval on a dark ground, and its zones as the renderer writes them."""
    picture = np.full((SIZE, SIZE, 3), 30, np.uint8)
    zones = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(picture, (160, 150), (80, 110), 0, 0, 360, (90, 70, 60), -1)
    cv2.ellipse(zones, (160, 150), (80, 110), 0, 0, 360, 128, -1)
    cv2.ellipse(picture, (160, 160), (60, 80), 0, 0, 360, (shade, shade - 40, shade - 60), -1)
    cv2.ellipse(zones, (160, 160), (60, 80), 0, 0, 360, 255, -1)
    return picture, zones


def column(name: str, end: str, kind: str, pictures: list[NDArray[np.uint8]]) -> dict[str, NDArray[np.generic]]:
    blobs = [cv2.imencode(kind, p)[1].ravel() for p in pictures]
    return {name: np.concatenate(blobs), end: np.array(list(accumulate(map(len, blobs))))}


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    people = [person(shade) for shade in (170, 200, 230)]
    front = np.zeros((SIZE, SIZE), np.uint8)
    cv2.circle(front, (160, 200), 30, 255, -1)
    points = np.stack([template("ibug68", SIZE, 0.42)] * len(people))
    data = {
        **column("jpeg", "jpeg_end", ".jpg", [p for p, _ in people]),
        **column("mask_png", "mask_end", ".png", [z for _, z in people]),
        **column("occlusion_png", "occlusion_end", ".png", [front] * len(people)),
        "landmarks68": points,
    }
    path = tmp_path / "crops_0000.npz"
    np.savez(path, **data)  # type: ignore[arg-type]
    return path


def test_a_shard_gives_pictures_and_zones_at_half_its_size(shard: Path) -> None:
    data = MaskShards([shard, shard])
    assert len(data) == 6
    row = data[1]
    assert row.image.shape == (160, 160, 3)
    assert row.image[80, 70].tolist() == pytest.approx([140, 160, 200], abs=8)  # written as BGR, read as RGB
    # zones of 255 are the inner face; 128 and 255 are the head: ovals of 60 x 80 and 80 x 110, halved
    assert (row.inner > 127).sum() == pytest.approx(np.pi * 30 * 40, rel=0.03)
    assert (row.head > 127).sum() == pytest.approx(np.pi * 40 * 55, rel=0.05)
    assert (row.hidden > 127).sum() == pytest.approx(np.pi * 15**2, rel=0.05)
    np.testing.assert_allclose(row.points, template("ibug68", 160, 0.42), atol=0.51)


def test_what_is_no_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no shard")
    with pytest.raises(InputError, match=r"x\.npz is no shard"):
        MaskShards([tmp_path / "x.npz"])
    with pytest.raises(InputError, match="no shards"):
        MaskShards([])


def test_the_truth_is_the_inner_face_less_what_hides_it(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain_mask, "_filmed", lambda image, rng: image)
    data = MaskShards([shard])
    for seed in range(12):
        rng = np.random.default_rng(seed)
        row, other = data.pick(rng)
        image, truth, lost = example(row, other, 128, rng)
        assert image.shape == (128, 128, 3)
        assert truth.shape == lost.shape == (128, 128)
        assert (truth.astype(int) + lost).max() <= 256
        # Where the face shows, its colour shows (but for a shadow): red leads green leads blue, in that order of BGR.
        shown = image[truth > 250].astype(int)
        if len(shown) > 50:
            assert (shown[:, 2] - shown[:, 0]).mean() > 10
        assert lost.max() > 250  # the ball of the shard at least


def test_an_unhidden_example_keeps_the_whole_face(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain_mask, "OCCLUDED", 0.0)
    row = MaskShards([shard])[0]
    free = Seen(row.image, row.inner, row.head, np.zeros_like(row.hidden), row.points)
    # coverage 0.42 of 160 px against 0.52 of 128 px: the face's area is kept but for the random zoom
    scale = (0.52 * 128 / (0.42 * 160)) ** 2
    areas = []
    for seed in range(30):
        _, truth, lost = example(free, Glimpse(row.image, row.points), 128, np.random.default_rng(seed))
        assert lost.max() == 0
        areas.append((truth > 127).sum())
    assert np.median(areas) == pytest.approx(np.pi * 30 * 40 * scale, rel=0.1)


def test_things_in_front_hide_what_they_cover_and_nothing_else() -> None:
    image = np.full((128, 128, 3), 128, np.uint8)
    kinds = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        seen, cover = put_before(image, EYES, np.full_like(image, 20), rng)
        assert cover.dtype == np.float32
        assert 0 <= cover.min() <= cover.max() <= 1
        assert (seen[cover == 0] <= 128).all()  # the same, or in a shadow
        kinds.add(bool((seen[cover > 0.99] != 128).any()))
    assert True in kinds


def test_the_recipe_learns_saves_and_goes_on(tmp_path: Path, shard: Path) -> None:
    data, recipe, out = MaskShards([shard]), MaskRecipe(0), tmp_path / "mask.safetensors"
    fixed = tuple(torch.from_numpy(a) for a in recipe.batch(data, 6, np.random.default_rng(5)))

    def loss() -> float:
        with torch.no_grad():
            return float(recipe.losses(recipe.draw(fixed), fixed)["total"])

    before, steps = loss(), iter(range(26))
    assert pretrain(recipe, data, out, PretrainConfig(batch=2, lr=2e-3), stop=lambda: next(steps) >= 25) == 25
    assert loss() < 0.9 * before
    weights = load_file(out)
    assert all(v.dtype == torch.float16 for v in weights.values())
    assert out.stat().st_size < 4_000_000
    MaskNet().load_state_dict({k: v.float() for k, v in weights.items()})
    steps = iter(range(2))
    assert pretrain(MaskRecipe(0), data, out, PretrainConfig(batch=2), stop=lambda: next(steps) >= 1) == 26


def test_the_command_trains_a_mask(tmp_path: Path, shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pretrain", str(shard), "--what", "mask", "--batch", "1", "--minutes", "0.01"]) == 0
    MaskNet().load_state_dict({k: v.float() for k, v in load_file(tmp_path / "mask.safetensors").items()})
    assert not (tmp_path / "pairs").exists()


def test_without_shards_the_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "--what", "mask"]) == 2
    assert "render some" in capsys.readouterr().err

"""Shards of crops: what training reads, aligned, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bianlian.actors.bank import Bank
from bianlian.actors.crops import CropMaker, CropSettings, crop_transform, read_shard, write_shard
from bianlian.actors.renderer import Renderer
from bianlian.errors import ConfigError, InputError
from bianlian.geometry import apply

SETTINGS = CropSettings(size=64, align="umeyama68", coverage=0.6, jitter=0, pairs=True, occluders=0.5)


def test_a_shard_holds_what_training_reads(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    people = [bank.person(n) for n in bank.names]
    write_shard(tmp_path / "s.npz", CropMaker(renderer, SETTINGS), people, 6, (1, 0), workers=2)
    parts = {name: read_shard(tmp_path / "s.npz", name) for name in ("jpeg", "truth", "source", "mask", "occlusion")}
    assert [len(p) for p in parts.values()] == [6] * 5
    assert all(p[0].shape == (64, 64, 3) for n, p in parts.items() if n in ("jpeg", "truth", "source"))
    assert {int(v) for m in parts["mask"] for v in np.unique(m)} == {0, 128, 255}
    assert 0 < sum(bool(m.any()) for m in parts["occlusion"]) < 6
    with np.load(tmp_path / "s.npz") as data:
        assert data["landmarks68"].shape == (6, 68, 2)
        assert data["pose"].shape == (6, 3)
        assert (data["identity"] != data["source_identity"]).all()
        assert [str(n) for n in data["identity_names"]] == ["ana", "ben", "cleo"]
        middle = data["landmarks68"].mean((0, 1))
        size = np.ptp(data["landmarks68"], axis=1).max(1)
    # a neutral face would span 0.6 * 64 pixels; turned ones are fitted to it
    np.testing.assert_allclose(middle, [32, 32], atol=6)
    np.testing.assert_allclose(size, 0.6 * 64, rtol=0.2)


def test_the_same_seed_gives_the_same_shard(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    people = [bank.person(n) for n in bank.names]
    for name, seed, workers in (("a", 1, 1), ("b", 1, 3), ("c", 2, 1)):
        write_shard(tmp_path / name, CropMaker(renderer, SETTINGS), people, 4, (seed,), workers=workers)
    one, same, other = ((tmp_path / n).read_bytes() for n in "abc")
    assert one == same
    assert one != other


def test_the_template_takes_the_points_where_they_belong() -> None:
    rng = np.random.default_rng(0)
    template = rng.uniform(0.2, 0.8, (68, 2))
    turn = np.array([[0.0, -3.0], [3.0, 0.0]])  # a quarter turn and a scale of 3
    crop_from_frame = crop_transform(template @ turn.T + [50, 7], 100, "umeyama68", template)
    np.testing.assert_allclose(apply(crop_from_frame, template @ turn.T + [50, 7]), 100 * template, atol=1e-9)


def test_an_ffhq_crop_holds_the_eyes_level_above_the_mouth() -> None:
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[48], points[54] = [40, 50], [60, 50], [44, 70], [56, 70]
    found = apply(crop_transform(points, 100, "ffhq", points), points)
    # x is 20 + 20 long after the turn, so that its half side is max(20 * 2, 20 * 1.8) = 40: 80 pixels of the frame a crop
    np.testing.assert_allclose(found[42] - found[36], [100 * 20 / 80, 0], atol=1e-3)
    np.testing.assert_allclose((found[48] + found[54]) / 2 - (found[36] + found[42]) / 2, [0, 25], atol=1e-3)


def test_bad_input_is_refused(renderer: Renderer, bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="occluders of crops must lie in 0 to 1, got 2"):
        CropSettings(occluders=2)
    with pytest.raises(InputError, match="two people or more, got 1"):
        write_shard(tmp_path / "s.npz", CropMaker(renderer, SETTINGS), [bank.person("ana")], 2, (0,))
    assert not (tmp_path / "s.npz").exists()
    np.savez(tmp_path / "o.npz", other=np.zeros(3))
    with pytest.raises(InputError, match="holds no pictures 'jpeg'"):
        read_shard(tmp_path / "o.npz")

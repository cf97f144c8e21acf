"""Checkpoints: whole or not at all, and damage is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bianlian.errors import OutputError, RunError
from bianlian.train import checkpoint as module
from bianlian.train.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_average,
    load_checkpoint,
    newest,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)


def state(iteration: int) -> Checkpoint:
    tensors = {"w": torch.full((4, 4), float(iteration))}
    return Checkpoint(iteration, 1.5, tensors, {"w": tensors["w"] + 1}, {"0.step": torch.tensor(3.0)})


def test_round_trip_and_only_the_newest_two_stay(tmp_path: Path) -> None:
    for iteration in (100, 200, 1_000_000):
        save_checkpoint(tmp_path, state(iteration))
    assert [p.name for p in list_checkpoints(tmp_path)] == ["000200", "1000000"]
    back = load_checkpoint(newest(tmp_path))
    assert (back.iteration, back.seconds) == (1_000_000, 1.5)
    assert float(back.networks["w"][0, 0]) == 1_000_000
    assert float(load_average(newest(tmp_path))["w"][0, 0]) == 1_000_001
    assert float(back.optimizer["0.step"]) == 3


@pytest.mark.parametrize("name", ["networks.safetensors", "average.safetensors", "state.json"])
def test_a_file_cut_in_half_is_damage_and_the_way_out_is_named(tmp_path: Path, name: str) -> None:
    save_checkpoint(tmp_path, state(100))
    folder = save_checkpoint(tmp_path, state(200))
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RunError, match=rf"000200 is damaged \({name}.*go on from checkpoint .*000100"):
        load_checkpoint(newest(tmp_path))


def test_a_flipped_bit_is_damage(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, state(5))
    path = folder / "average.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RunError, match="there is no other one"):
        load_average(folder)


@pytest.mark.parametrize("text", ["[]", "{}", '{"schema": 99}', '{"schema": 1, "iteration": "7", "seconds": 0, "sha256": {}}'])
def test_nonsense_in_the_state_is_an_error_not_a_crash(tmp_path: Path, text: str) -> None:
    folder = save_checkpoint(tmp_path, state(5))
    (folder / "state.json").write_text(text)
    with pytest.raises(RunError):
        load_checkpoint(folder)


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no checkpoint yet"):
        newest(tmp_path)


def test_a_failed_write_leaves_the_older_ones_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, state(100))
    calls = []

    def full_disk(tensors: object, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        path.write_bytes(b"x")

    monkeypatch.setattr(module, "save_file", full_disk)
    with pytest.raises(OutputError, match="the disk is full"):
        save_checkpoint(tmp_path, state(200))
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["000100"]
    assert load_checkpoint(newest(tmp_path)).iteration == 100


def test_optimizer_state_round_trip() -> None:
    def fresh() -> tuple[torch.nn.Linear, torch.optim.Adam]:
        layer = torch.nn.Linear(3, 2)
        return layer, torch.optim.Adam(layer.parameters(), lr=0.1)

    layer, adam = fresh()
    layer(torch.ones(1, 3)).sum().backward()
    adam.step()
    _, other = fresh()
    restore_optimizer(other, optimizer_tensors(adam))
    for row, same in zip(adam.state_dict()["state"].values(), other.state_dict()["state"].values(), strict=True):
        for name in row:
            torch.testing.assert_close(row[name], same[name], rtol=0, atol=0)

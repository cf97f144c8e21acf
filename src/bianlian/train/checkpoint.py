"""Checkpoints: the state after an iteration, written whole or not at all, checked by sha256 when read.

checkpoints/000300/networks.safetensors   weights
checkpoints/000300/average.safetensors    their moving average, which is what swaps and previews use
checkpoints/000300/optimizer.safetensors  Adam's moments and steps
checkpoints/000300/state.json             schema, iteration, seconds of training, setbacks, shares, sha256 of each file
snapshots/000300.safetensors              the moving average alone, in half precision, never dropped
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bianlian.errors import OutputError, RunError
from bianlian.files import replacing, replacing_folder

SCHEMA = 1
KEPT, BACKUPS = 2, 3
"""Newest checkpoints that stay, and newest backups among the older ones."""
FILES = ("networks", "average", "optimizer")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """State of a run after ``iteration`` steps. seconds: spent training so far. The rest: name -> tensor on the CPU.

    setbacks: how often training was rolled back. shares: of each person in the batches, none while they are equal.
    """

    iteration: int
    seconds: float
    networks: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    setbacks: int = 0
    shares: tuple[float, ...] = ()


def save_checkpoint(run: Path, checkpoint: Checkpoint, backup_every: int = 0) -> Path:
    """Write a checkpoint and drop old ones -> its folder. Raises OutputError; older ones stay then.

    The newest two stay, and of the older ones the newest three whose iteration is a multiple of backup_every (0: none).
    """
    folder = run / "checkpoints" / f"{checkpoint.iteration:06d}"
    with replacing_folder(folder) as temporary:
        digests = {}
        for name in FILES:
            path = temporary / f"{name}.safetensors"
            tensors = {key: value.detach().cpu().contiguous() for key, value in getattr(checkpoint, name).items()}
            try:
                save_file(tensors, path)
            except SafetensorError as error:
                raise OutputError(f"{folder}: the checkpoint cannot be written: {error}") from error
            digests[path.name] = _sha256(path)
        numbers = {name: getattr(checkpoint, name) for name in ("iteration", "seconds", "setbacks", "shares")}
        state = {"schema": SCHEMA, **numbers, "sha256": digests}
        (temporary / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
    older = list_checkpoints(run)[:-KEPT]
    backups = [p for p in older if backup_every and int(p.name) and int(p.name) % backup_every == 0][-BACKUPS:]
    for old in older:
        if old not in backups:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def snapshot_path(run: Path, iteration: int) -> Path:
    """Tell where the snapshot of an iteration lies."""
    return run / "snapshots" / f"{iteration:06d}.safetensors"


def save_snapshot(run: Path, iteration: int, average: Mapping[str, Tensor]) -> Path:
    """Write averaged weights in half precision -> the file. Raises OutputError."""
    path = snapshot_path(run, iteration)
    with replacing(path) as temporary:
        save_file({k: v.detach().cpu().to(_half(v)).contiguous() for k, v in average.items()}, temporary)
    return path


def load_snapshot(run: Path, iteration: int) -> dict[str, Tensor]:
    """Read the averaged weights of a snapshot as float32. Raises RunError, naming those there are."""
    path = snapshot_path(run, iteration)
    if not path.is_file():
        there = ", ".join(str(int(p.stem)) for p in sorted(path.parent.glob("*.safetensors"))) or "none"
        raise RunError(f"{run} has no snapshot of iteration {iteration}; there are: {there} (train --snapshot-every makes them)")
    try:
        return {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise RunError(f"the snapshot {path} is damaged: {error}; choose another one") from error


def _half(tensor: Tensor) -> torch.dtype:
    return torch.float16 if tensor.is_floating_point() else tensor.dtype


def list_checkpoints(run: Path) -> list[Path]:
    """List the checkpoint folders of a run, oldest first."""
    folder = run / "checkpoints"
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.is_dir() and p.name.isdecimal()), key=lambda p: int(p.name))


def newest(run: Path) -> Path:
    """Find the newest checkpoint. Raises RunError when there is none."""
    found = list_checkpoints(run)
    if not found:
        raise RunError(f"{run} holds no checkpoint yet; train it first with `bianlian train`")
    return found[-1]


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read all of a checkpoint. Raises RunError when it is damaged, saying what to do."""
    state = _state(folder)
    parts = {name: _load(folder, name, state) for name in FILES}
    return Checkpoint(state["iteration"], float(state["seconds"]), **parts, setbacks=state["setbacks"], shares=state["shares"])


def load_average(folder: Path) -> dict[str, Tensor]:
    """Read only the averaged weights of a checkpoint. Raises RunError when they are damaged."""
    return _load(folder, "average", _state(folder))


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Flatten the state of an optimiser: ``"3.exp_avg"`` -> tensor."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": torch.as_tensor(value) for index, row in state.items() for name, value in row.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put flattened state back. The optimiser must hold the same weights in the same order.

    Moments get the memory order of their weights: a fused step rounds differently over tensors of another order, and a resumed
    run would drift from an unbroken one.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        weight = weights[int(index)]
        ordered = torch.empty_like(weight).copy_(value) if value.shape == weight.shape else value
        state.setdefault(int(index), {})[name] = ordered
    whole = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def _state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if state["schema"] != SCHEMA:
            raise RunError(f"{folder} has schema {state['schema']!r}, this version reads schema {SCHEMA}")
        numbers = {"setbacks": int(state.get("setbacks", 0)), "shares": tuple(map(float, state.get("shares", ())))}
        if not isinstance(state["iteration"], int) or not isinstance(state["seconds"], int | float):
            raise TypeError("iteration or seconds")
        return {**state, **numbers, "sha256": dict(state["sha256"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(_damaged(folder, "state.json")) from error


def _load(folder: Path, name: str, state: Mapping[str, Any]) -> dict[str, Tensor]:
    path = folder / f"{name}.safetensors"
    try:
        if _sha256(path) != state["sha256"].get(path.name):
            raise RunError(_damaged(folder, path.name))
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(_damaged(folder, path.name)) from error


def _damaged(folder: Path, name: str) -> str:
    others = [p.name for p in list_checkpoints(folder.parent.parent) if p != folder]
    rest = f"remove that folder to go on from checkpoint {others[-1]}" if others else "there is no other one: train again"
    return f"the checkpoint {folder} is damaged ({name} is cut or altered); {rest}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

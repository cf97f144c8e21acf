"""Checkpoints: the state after an iteration, written whole or not at all, checked by sha256 when read.

checkpoints/000300/networks.safetensors   weights
checkpoints/000300/average.safetensors    their moving average, which is what swaps and previews use
checkpoints/000300/optimizer.safetensors  Adam's moments and steps
checkpoints/000300/state.json             schema, iteration, seconds of training, setbacks, shares, sha256 of each file
snapshots/000300.safetensors              the moving average alone, in half precision, never dropped
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bianlian.errors import OutputError, RunError
from bianlian.files import read_plain, refuse_link, replacing, replacing_folder, sha256_of

SCHEMA = 1
KEPT, BACKUPS = 2, 3
"""Newest checkpoints that stay, and newest backups among the older ones."""
FILES = ("networks", "average", "optimizer")
_LARGEST_STATE = 1 << 16
_MOST_ITERATIONS, _MOST_SETBACKS = 1 << 53, 1000
_MOMENTS = {"step", "exp_avg", "exp_avg_sq"}
"""What Adam keeps for each weight."""


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
    refuse_link(folder.parent)
    with replacing_folder(folder) as temporary:
        digests = {}
        for name in FILES:
            path = temporary / f"{name}.safetensors"
            tensors = {key: value.detach().cpu().contiguous() for key, value in getattr(checkpoint, name).items()}
            try:
                save_file(tensors, path)
            except SafetensorError as error:
                raise OutputError(f"{folder}: the checkpoint cannot be written: {error}") from error
            digests[path.name] = sha256_of(path)
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
    refuse_link(path.parent)
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
    except (OSError, SafetensorError, ValueError, KeyError, AttributeError) as error:
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
    return Checkpoint(state["iteration"], state["seconds"], **parts, setbacks=state["setbacks"], shares=state["shares"])


def load_average(folder: Path) -> dict[str, Tensor]:
    """Read only the averaged weights of a checkpoint. Raises RunError when they are damaged."""
    return _load(folder, "average", _state(folder))


def fill(networks: nn.Module, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Put the weights of a checkpoint into networks. Raises RunError unless names, shapes and numbers are what they take."""
    own = networks.state_dict()
    odd = sorted(own.keys() ^ weights.keys())
    odd = odd or [n for n, w in weights.items() if w.shape != own[n].shape or w.is_floating_point() != own[n].is_floating_point()]
    odd = odd or [n for n, w in weights.items() if not bool(torch.isfinite(w).all())]
    if odd:
        raise RunError(_unfit(folder, odd[0]))
    networks.load_state_dict(weights)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Flatten the state of an optimiser: ``"3.exp_avg"`` -> tensor."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": torch.as_tensor(value) for index, row in state.items() for name, value in row.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put flattened state back. The optimiser must hold the same weights in the same order.

    Moments get the memory order of their weights: a fused step rounds differently over tensors of another order, and a resumed
    run would drift from an unbroken one. Raises RunError for a state of other weights.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        fits = index.isdecimal() and len(index) < 10 and int(index) < len(weights)
        if not fits or value.shape not in (weights[int(index)].shape, ()) or name not in _MOMENTS:
            raise RunError(_unfit(Path("optimizer.safetensors"), key))
        weight = weights[int(index)]
        ordered = torch.empty_like(weight).copy_(value) if value.shape == weight.shape else value
        state.setdefault(int(index), {})[name] = ordered
    if any(row.keys() != _MOMENTS for row in state.values()):
        raise RunError(_unfit(Path("optimizer.safetensors"), "a moment is missing"))
    whole = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def _state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads(read_plain(folder / "state.json", _LARGEST_STATE))
        if state["schema"] != SCHEMA:
            raise RunError(f"{folder} has schema {str(state['schema'])[:20]}, this version reads schema {SCHEMA}")
        return _checked(state)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise RunError(_damaged(folder, "state.json")) from error


def _checked(state: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values of a state, each within what training can reach. Raises TypeError, KeyError, ValueError or OverflowError."""
    for name, most in (("iteration", _MOST_ITERATIONS), ("setbacks", _MOST_SETBACKS)):
        if type(state.get(name, 0)) is not int or not 0 <= state.get(name, 0) <= most:
            raise TypeError(name)
    shares = tuple(state.get("shares", ()))
    for number in (state["seconds"], *shares):
        if type(number) not in (int, float) or not 0 <= number < math.inf:
            raise TypeError("seconds or shares")
    return {
        "iteration": state["iteration"],
        "seconds": float(state["seconds"]),
        "setbacks": state.get("setbacks", 0),
        "shares": tuple(map(float, shares)),
        "sha256": dict(state["sha256"]),
    }


def _load(folder: Path, name: str, state: Mapping[str, Any]) -> dict[str, Tensor]:
    path = folder / f"{name}.safetensors"
    try:
        if sha256_of(path) != state["sha256"].get(path.name):
            raise RunError(_damaged(folder, path.name))
        return load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, AttributeError) as error:
        raise RunError(_damaged(folder, path.name)) from error


def _damaged(folder: Path, name: str) -> str:
    others = [p.name for p in list_checkpoints(folder.parent.parent) if p != folder]
    rest = f"remove that folder to go on from checkpoint {others[-1]}" if others else "there is no other one: train again"
    return f"the checkpoint {folder} is damaged ({name} is cut or altered); {rest}"


def _unfit(folder: Path, name: str) -> str:
    return f"the weights of {folder} are of another network or no numbers ({name[:80]!r}); train again, or use the run's own files"

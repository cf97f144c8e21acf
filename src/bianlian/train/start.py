"""Begin or go on with a run: check the people, choose settings that fit the machine, find the weights to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bianlian.errors import ConfigError, RunError, WeightsError
from bianlian.faceset.store import Faceset
from bianlian.train.checkpoint import list_checkpoints
from bianlian.train.run import SETTINGS, RunConfig, open_run
from bianlian.weights import CARDS, locate

BASE, SCRATCH = "base", "scratch"
PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
_BASES: Mapping[tuple[str, int], str] = {("light", 128): "base-light-128"}


def defaults(model: str, width: str, size: int, cuda: bool) -> dict[str, Any]:
    """Choose the settings that were left open: width by device, learning rate by width -> settings of the model."""
    if width == "auto":
        width = "full" if cuda else "light"
    rate = {"full": 5e-5, "light": 2e-4}.get(width, 5e-5)
    return {"size": size, "width": width, "lr": rate}


def load_base(start: str, settings: Mapping[str, Any]) -> tuple[dict[str, Tensor] | None, str]:
    """Find the weights that new people start from -> state of the base (None from scratch) and what was chosen.

    start: ``base``, ``scratch``, or a weights file. Where no base of that size and width ships, it is scratch.
    Raises ConfigError for a file that is missing, WeightsError for one that is no weights file.
    """
    if start == SCRATCH:
        return None, SCRATCH
    if start == BASE:
        name = _BASES.get((settings["width"], settings["size"]))
        if name is None:
            return None, SCRATCH
        path = locate(CARDS[name])
    else:
        path = Path(start)
        if not path.is_file():
            raise ConfigError(f"--from takes base, scratch or a weights file; {start!r} is none of them")
    try:
        return load_file(path), start
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no safetensors file: {error}") from error


def open_facesets(paths: Sequence[Path]) -> list[Faceset]:
    """Open the facesets of a run. Raises FacesetError, or RunError when two are of one person."""
    facesets = [Faceset.open(path) for path in paths]
    names = [f.person for f in facesets]
    for name in names:
        if names.count(name) > 1:
            raise RunError(f"two facesets are of {name!r}; give one faceset a person (extract adds to an existing one)")
    return facesets


def check_new(folder: Path) -> None:
    """Raise RunError when ``folder`` already holds a run, or something that is no run."""
    if (folder / SETTINGS).exists():
        done = list_checkpoints(folder)
        at = f"at iteration {int(done[-1].name)}" if done else "without a checkpoint"
        raise RunError(f"{folder} already holds a run {at}; go on with --resume, or choose another -o")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} exists and is no run; choose another -o")


def check_same_people(run: RunConfig, facesets: Sequence[Faceset], folder: Path) -> None:
    """Raise RunError unless the facesets are those of the run's people, in their order."""
    names = tuple(f.person for f in facesets)
    if names != run.names:
        raise RunError(f"{folder} was made for {', '.join(run.names)}, not for {', '.join(names)}; give those, in that order")


def resume(folder: Path, paths: Sequence[Path]) -> tuple[RunConfig, list[Faceset]]:
    """Open a run to go on with it; without paths, the facesets that it names. Raises RunError or FacesetError."""
    run = open_run(folder)
    facesets = open_facesets(paths or [Path(p.faceset) for p in run.people])
    check_same_people(run, facesets, folder)
    return run, facesets


def has_cuda() -> bool:
    """Tell whether a CUDA device can be used."""
    return torch.cuda.is_available()

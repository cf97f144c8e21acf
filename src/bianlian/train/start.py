"""Begin or go on with a run: check the people, choose settings that fit the machine, find the weights to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bianlian import plugins
from bianlian.config import from_mapping, to_mapping
from bianlian.errors import ConfigError, RunError, WeightsError
from bianlian.faceset.store import Faceset
from bianlian.files import is_part
from bianlian.train.augment import GAN_REFERENCE, GENTLE, AugmentConfig
from bianlian.train.checkpoint import list_checkpoints
from bianlian.train.cpu import best_precision, flushed
from bianlian.train.memory import fit, free_memory
from bianlian.train.processes import ALONE, Processes
from bianlian.train.run import SETTINGS, RunConfig, entries, open_run
from bianlian.train.settings import TrainSettings
from bianlian.types import Note, silent
from bianlian.weights import CARDS, locate

BASE, SCRATCH = "base", "scratch"
CPU_BATCH, GPU_BATCH = 8, 64
_BASES: Mapping[tuple[str, int], str] = {("light", 128): "base-light-128"}
_AUGMENTS: Mapping[str, AugmentConfig] = {"gan": GAN_REFERENCE, "octgan": GAN_REFERENCE}
"""Augmentation of new people from scratch, by model, where it is not the original deepfake's."""


@dataclass(frozen=True)
class Choices:
    """What a user chooses of a new run; None and ``auto`` are filled in for the machine.

    model: name in the table. size: side of the pictures. width: ``auto``, ``light`` or ``full``. lr: learning rate. batch: faces
    of each person a step. precision: ``auto`` or Fabric's name. start: ``base``, ``scratch`` or a weights file. seed: fixes first
    weights and batches. iterations: of the run in all, for models that train by a schedule. settings, augment: more settings of the
    model and of the augmentation, as plain values by name. training: how it trains.
    """

    model: str = "deepfake"
    size: int = 128
    width: str = "auto"
    lr: float | None = None
    batch: int | None = None
    precision: str = "auto"
    start: str = BASE
    seed: int = 0
    iterations: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)
    training: TrainSettings = field(default_factory=TrainSettings)

    def chosen(self, cuda: bool) -> dict[str, Any]:
        """Settings of the model that are chosen, the width by the device where it was left open."""
        width = ("full" if cuda else "light") if self.width == "auto" else self.width
        rate = {} if self.lr is None else {"lr": self.lr}
        return {"size": self.size, "width": width, **rate, **self.settings}


@dataclass(frozen=True, eq=False)
class Begun:
    """A run that is ready to train. base: weights for new people, None from scratch or when resumed."""

    run: RunConfig
    facesets: list[Faceset]
    base: Mapping[str, Tensor] | None
    resumed: bool


@flushed()
def begin(folder: Path, paths: Sequence[Path], choices: Choices, *, note: Note = silent, processes: Processes = ALONE) -> Begun:
    """Make a new run in ``folder`` for the people of some facesets and write its ``run.toml``.

    A batch that was left open is made to fit into memory. processes: all call this; the first one checks and writes.
    Raises RunError when the folder is taken or two facesets are of one person; FacesetError, ConfigError, PluginError,
    WeightsError, OutputError. Nothing is written then.
    """
    if not paths:
        raise ConfigError("give the facesets of the people to train on, such as faces/ana faces/ben")
    facesets = open_facesets(paths)
    settings, base, start = _settled(choices, torch.cuda.is_available())
    if processes.first:
        check_new(folder)
        run = _new_run(facesets, choices, settings, start, note)
        run.save(folder)
    processes.wait()
    return Begun(open_run(folder), facesets, base, resumed=False)


def _new_run(facesets: Sequence[Faceset], choices: Choices, settings: dict[str, Any], start: str, note: Note) -> RunConfig:
    cuda = torch.cuda.is_available()
    augment = GENTLE if start != SCRATCH else _AUGMENTS.get(choices.model, AugmentConfig())
    run = RunConfig(
        model=choices.model,
        people=entries(facesets),
        settings=settings,
        augment=from_mapping(AugmentConfig, {**to_mapping(augment), **choices.augment}, "augmentation"),
        batch=choices.batch if choices.batch is not None else (GPU_BATCH if cuda else CPU_BATCH),
        precision=best_precision(cuda) if choices.precision == "auto" else choices.precision,
        start=start,
        seed=choices.seed,
        training=choices.training,
    )
    run.build()  # settings that do not fit show before anything is written
    crops = sum(3 * f.header.size**2 * f.kept_count for f in facesets)
    run = fit(run, free_memory(cuda), asked=choices.batch is not None, faces=crops, note=note)
    if start != choices.start:
        plain = "" if not settings.get("octave") else " with octave convolutions"
        note(f"no base ships for width {settings['width']} at {settings['size']} px{plain}: starting from random weights")
    return run


def _settled(choices: Choices, cuda: bool) -> tuple[dict[str, Any], dict[str, Tensor] | None, str]:
    """Settle the model's settings and the weights it starts from -> both, and the name of the latter."""
    kind, chosen = plugins.load("model", choices.model), choices.chosen(cuda)
    open_settings = {**kind.defaults(chosen["width"], based=False, iterations=choices.iterations), **chosen}
    config = from_mapping(kind.Config, open_settings, f"settings of {choices.model}")
    base, start = load_base(choices.start, config.base)
    return {**kind.defaults(chosen["width"], based=base is not None, iterations=choices.iterations), **chosen}, base, start


def load_base(start: str, fits: tuple[str, int] | None) -> tuple[dict[str, Tensor] | None, str]:
    """Find the weights that new people start from -> state of the base (None from scratch) and what was chosen.

    start: ``base``, ``scratch``, or a weights file. fits: width and size of the base that the model takes, None for none. Where no
    base of that size and width ships, it is scratch.
    Raises ConfigError for a file that is missing or that the model cannot take, WeightsError for one that is no weights file.
    """
    if start == SCRATCH:
        return None, SCRATCH
    if start == BASE:
        name = None if fits is None else _BASES.get(fits)
        if name is None:
            return None, SCRATCH
        path = locate(CARDS[name])
    else:
        path = Path(start)
        if not path.is_file():
            raise ConfigError(f"--from takes base, scratch or a weights file; {start!r} is none of them")
        if fits is None:
            raise ConfigError(f"a model of these settings starts from no pretrained weights; leave --from {start} out")
    try:
        return load_file(path), start
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
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
    if folder.exists() and (not folder.is_dir() or not all(is_part(p) for p in folder.iterdir())):
        raise RunError(f"{folder} exists and is no run; choose another -o")


def check_same_people(run: RunConfig, facesets: Sequence[Faceset], folder: Path) -> None:
    """Raise RunError unless the facesets are those of the run's people, in their order."""
    names = tuple(f.person for f in facesets)
    if names != run.names:
        raise RunError(f"{folder} was made for {', '.join(run.names)}, not for {', '.join(names)}; give those, in that order")


@flushed()
def resume(folder: Path, paths: Sequence[Path]) -> Begun:
    """Open a run to go on with it; without paths, the facesets that it names. One that was stopped before its first checkpoint
    begins anew, with its own settings. Raises RunError, FacesetError or WeightsError."""
    run = open_run(folder)
    facesets = open_facesets(paths or [Path(p.faceset) for p in run.people])
    check_same_people(run, facesets, folder)
    if not list_checkpoints(folder):
        config = from_mapping(plugins.load("model", run.model).Config, run.settings, f"settings of {run.model}")
        return Begun(run, facesets, load_base(run.start, config.base)[0], resumed=False)
    return Begun(run, facesets, None, resumed=True)

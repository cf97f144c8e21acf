"""A run: a folder that holds the settings, checkpoints, previews and logs of one trained model.

RUN/run.toml          the resolved settings: model, people and their facesets, augmentation, seed
RUN/checkpoints/N/    state after iteration N (``checkpoint``), the newest two and some backups
RUN/snapshots/N       weights after iteration N that are never dropped, where they are wanted
RUN/previews/N.png    pictures after iteration N, never overwritten
RUN/log/              TensorBoard
RUN/metrics.jsonl     losses, learning rate, share of waiting: a line every few iterations
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bianlian import plugins
from bianlian.config import from_mapping, read_toml, short, to_mapping, to_toml
from bianlian.errors import ConfigError, InputError, RunError
from bianlian.faceset.header import check_person
from bianlian.faceset.store import Faceset
from bianlian.files import replacing
from bianlian.model.protocol import Trainable
from bianlian.train.augment import AugmentConfig
from bianlian.train.settings import TrainSettings

SCHEMA = 1
SETTINGS = "run.toml"
MOST_PEOPLE = 64
"""Each has a decoder of up to 25 MB."""
MOST_FACES = 4096
"""Of one person, a step."""
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")
"""Fabric's names."""


@dataclass(frozen=True)
class PersonEntry:
    """One person of a run: name, where their faceset lay, and the consent recorded there."""

    name: str
    faceset: str
    consent: str = ""


@dataclass(frozen=True)
class RunConfig:
    """Everything that fixes a run.

    model: name in the table of models. people: in the order of the decoders. settings: the model's own, as plain values.
    batch: faces of each person a step. precision: Fabric's name, such as ``32-true`` or ``bf16-mixed``. start: ``base``,
    ``scratch`` or a weights file. seed: fixes weights and batches. training: how it trains.
    """

    model: str
    people: tuple[PersonEntry, ...]
    settings: dict[str, Any]
    augment: AugmentConfig
    batch: int
    precision: str
    start: str
    seed: int
    schema: int = SCHEMA
    training: TrainSettings = field(default_factory=TrainSettings)

    def __post_init__(self) -> None:
        names = [p.name for p in self.people]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"a run wants people of different names, got {', '.join(names) or 'none'}")
        if len(names) > MOST_PEOPLE:
            raise ConfigError(f"a run draws at most {MOST_PEOPLE} people, got {len(names)}; train several runs")
        for name in names:
            try:
                check_person(name)
            except InputError as error:
                raise ConfigError(str(error)) from error
        if not 1 <= self.batch <= MOST_FACES:
            raise ConfigError(f"batch must be 1 to {MOST_FACES}, got {self.batch}")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision[:80]!r}")
        if not 0 <= self.seed < 1 << 63:
            raise ConfigError(f"seed must be 0 or more and below 2^63, got {self.seed}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the people, in the order of the decoders."""
        return tuple(p.name for p in self.people)

    def build(self) -> Trainable:
        """Make the model with fresh weights. Raises PluginError or ConfigError."""
        kind = plugins.load("model", self.model)
        config = from_mapping(kind.Config, self.settings, f"settings of {self.model}")
        model: Trainable = kind(config, self.names, torch.Generator().manual_seed(self.seed))
        return model

    def save(self, folder: Path) -> None:
        """Write ``run.toml`` whole. Raises OutputError."""
        values = to_mapping(self)
        with replacing(folder / SETTINGS) as path:
            path.write_text(to_toml(values), encoding="utf-8")


def entries(facesets: Sequence[Faceset]) -> tuple[PersonEntry, ...]:
    """Name the people of some facesets."""
    return tuple(PersonEntry(f.person, str(f.path.resolve()), f.header.consent or "") for f in facesets)


def open_run(folder: Path) -> RunConfig:
    """Read ``run.toml``. Raises RunError when the folder is no run, or one of another schema version."""
    path = folder / SETTINGS
    if not path.is_file():
        raise RunError(f"{folder} is not a training run: there is no {SETTINGS} in it; make one with `bianlian train`")
    try:
        values = read_toml(path)
        if values.get("schema") != SCHEMA:
            raise RunError(f"{path} has schema {short(values.get('schema'))}, this version reads schema {SCHEMA}")
        return from_mapping(RunConfig, values, str(path))
    except ConfigError as error:
        raise RunError(f"{error}") from error


def person_index(run: RunConfig, name: str, folder: Path) -> int:
    """Find a person's place in a run. Raises RunError that lists the known names."""
    if name not in run.names:
        raise RunError(f"{folder} draws nobody called {name!r}; it knows: {', '.join(run.names)}")
    return run.names.index(name)

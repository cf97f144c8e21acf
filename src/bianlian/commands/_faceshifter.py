"""``bianlian train --model faceshifter``: rendered swaps -> a network that swaps from one photo."""

from __future__ import annotations

from dataclasses import fields
from math import inf
from typing import TYPE_CHECKING

from rich.console import Console

from bianlian.commands._show import shown
from bianlian.commands._watch import stopping, watching
from bianlian.config import assigned, from_mapping, to_mapping
from bianlian.errors import ConfigError, Interrupted
from bianlian.model.faceshifter.config import CONFIGS
from bianlian.train.faceshifter import READY, WEIGHTS, FaceshifterConfig, begin_recipe, open_recipe, train_faceshifter
from bianlian.train.loop import Limits
from bianlian.train.ready import made_ready
from bianlian.train.start import BASE, SCRATCH

if TYPE_CHECKING:
    from bianlian.commands.train import Train

SHAPES = {"auto": "compact", "light": "compact", "full": "paper"}
"""Of ``model.faceshifter.config``, by width."""
_TAKEN = frozenset(
    {"facesets", "out", "model", "width", "iterations", "minutes", "resume", "start", "batch", "lr", "schedule", "seed", "set"}
)
"""Options of ``Train`` that count here."""


def train_from_photos(asked: Train, planned: int | None) -> None:
    """Begin or go on with a run, train, tell. planned: iterations in all. Raises ConfigError, Interrupted after Ctrl-C (saved)."""
    _check(asked)
    minutes, limits = inf if asked.minutes is None else asked.minutes, Limits(planned, asked.minutes)
    if not asked.resume:
        begin_recipe(asked.out, _recipe(asked))
    config = open_recipe(asked.out)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    with shown(console) as (progress, note):
        ready = made_ready(config.swaps, config.people, asked.out / READY, progress=progress, note=note)
    falls = asked.schedule == "cosine"
    with stopping(console) as stop, watching(console, limits) as watch:
        done = train_faceshifter(asked.out, config, ready, minutes=minutes, iterations=planned, falls=falls, stop=stop, watch=watch)
    line = f"{asked.out}: iteration {done}"
    if stop():
        raise Interrupted(f"{line}; saved, go on with --resume")
    out = Console(highlight=False, markup=False, soft_wrap=True)
    out.print(f"{line}; weights in {asked.out / WEIGHTS}; `bianlian swap CLIP --source PHOTO --model {asked.out}` swaps with them")


def _check(asked: Train) -> None:
    """Refuse options that mean nothing here. Raises ConfigError."""
    for option in fields(asked):
        if option.name not in _TAKEN and getattr(asked, option.name) != option.default:
            name = option.name.replace("_", "-")
            raise ConfigError(f"--{name} is of training people on their facesets; leave it out with --model faceshifter")
    if asked.resume and asked.facesets:
        raise ConfigError("a run of faceshifter goes on with the swaps that it names; leave the paths out with --resume")
    if asked.schedule == "linear" or (asked.schedule == "cosine" and asked.minutes is None):
        raise ConfigError("the learning rate of faceshifter is constant, or falls at the end of --minutes with --schedule cosine")


def _recipe(asked: Train) -> FaceshifterConfig:
    shape = to_mapping(CONFIGS[SHAPES[asked.width]])
    chosen = {
        "swaps": [str(path) for path in asked.facesets],
        "start": None if asked.start in (BASE, SCRATCH) else asked.start,
        "batch": asked.batch,
        "lr": asked.lr,
        "seed": asked.seed,
    }
    more = assigned(asked.set)
    values = {name: value for name, value in chosen.items() if value is not None} | more
    if isinstance(own := more.get("network", {}), dict):
        values["network"] = shape | own
    return from_mapping(FaceshifterConfig, values, "settings of faceshifter").anywhere()

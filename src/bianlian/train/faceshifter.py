"""A run of the network from one photo: a folder with the recipe, the swaps made ready, where training stands, and the weights.

RUN/recipe.toml                     every setting; what goes on reads it
RUN/ready/                          swaps made ready for training, from the shards and people that the recipe names
RUN/faceshifter.safetensors         weights so far, averaged, in half precision: ``bianlian swap --source PHOTO --model RUN``
RUN/faceshifter.safetensors.state   weights, averages and moments
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from bianlian.config import from_mapping, read_toml, to_mapping, to_toml
from bianlian.errors import ConfigError, RunError, WeightsError
from bianlian.files import is_part, replacing
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.model.base import filled_base
from bianlian.model.faceshifter.config import CONFIGS, AeiConfig
from bianlian.model.faceshifter.critics import Critics
from bianlian.model.faceshifter.recogniser import Recogniser
from bianlian.train.pretrain import PretrainConfig, Rival, Watch, pretrain
from bianlian.train.pretrain_oneshot import CriticRival, OneShotRecipe
from bianlian.train.swaps import Swaps, listed
from bianlian.weights import CARDS, locate

RECIPE, WEIGHTS, READY = "recipe.toml", "faceshifter.safetensors", "ready"
SCHEMA = 1


@dataclass(frozen=True)
class FaceshifterConfig:
    """Everything that fixes a run. Raises ConfigError.

    swaps: shards, files of swaps made ready, and folders of either. people: folders with pictures of one real person each, who are
    their own answers. held: a folder of swaps made ready, of people who are not trained on, for measuring. network: its shape.
    base: weights of the base that draws the draft, the one that ships when None. start: weights that the network starts from.
    recogniser: looks at some examples. critics: judge what is drawn. batch: examples a step. lr: learning rate. seed: fixes the
    first weights and the order of the examples.
    """

    swaps: tuple[Path, ...]
    people: tuple[Path, ...] = ()
    held: Path | None = None
    network: AeiConfig = CONFIGS["compact"]
    base: Path | None = None
    start: Path | None = None
    recogniser: bool = True
    critics: bool = False
    batch: int = 16
    lr: float = 5e-4
    seed: int = 0
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.batch < 1 or self.lr <= 0 or self.seed < 0:
            raise ConfigError(f"batch, lr and seed must be 1, above 0 and 0 at least, got {self.batch}, {self.lr} and {self.seed}")

    def anywhere(self) -> FaceshifterConfig:
        """Make all paths absolute, so that the run goes on from any folder."""
        swaps, people = (tuple(path.absolute() for path in paths) for paths in (self.swaps, self.people))
        held, base, start = (path and path.absolute() for path in (self.held, self.base, self.start))
        return replace(self, swaps=swaps, people=people, held=held, base=base, start=start)


def begin_recipe(folder: Path, config: FaceshifterConfig) -> None:
    """Make the folder of a new run. Raises ConfigError and InputError without anything to train on, RunError when it is taken."""
    if not config.swaps:
        raise ConfigError("give rendered swaps to train on: shards of bench/tools/render_swaps.py, or a folder of them")
    for path in (*config.swaps, *filter(None, [config.held])):
        listed(path)
    if (folder / RECIPE).exists():
        raise RunError(f"{folder} already holds a run; go on with --resume, or choose another -o")
    if folder.exists() and (not folder.is_dir() or not all(is_part(p) for p in folder.iterdir())):
        raise RunError(f"{folder} exists and is no run; choose another -o")
    with replacing(folder / RECIPE) as path:
        path.write_text(to_toml(to_mapping(config)), encoding="utf-8")


def open_recipe(folder: Path) -> FaceshifterConfig:
    """Read the recipe of a run. Raises RunError where there is none or it is of another version, ConfigError for a damaged one."""
    path = folder / RECIPE
    if not path.is_file():
        raise RunError(f"{folder} is no run of a network from one photo: there is no {RECIPE} in it")
    values = read_toml(path)
    if values.get("schema") != SCHEMA:
        raise RunError(f"{path} has schema {values.get('schema')!r:.80}, this version reads schema {SCHEMA}")
    return from_mapping(FaceshifterConfig, values, str(path))


def has_recipe(folder: Path) -> bool:
    """Tell whether a folder is a run of the network from one photo."""
    return (folder / RECIPE).is_file()


def train_faceshifter(
    folder: Path,
    config: FaceshifterConfig,
    ready: Sequence[Path],
    *,
    minutes: float,
    iterations: int | None = None,
    falls: bool = False,
    stop: Callable[[], bool] = lambda: False,
    watch: Watch | None = None,
) -> int:
    """Train -> iterations of the run so far. ready: files of swaps (``train.ready.made_ready``); minutes: of this call; iterations:
    of the run in all. falls: the learning rate sinks in the second half of the minutes.

    Goes on from the folder's state. Raises InputError without swaps, WeightsError for weights of another shape.
    """
    data, (recipe, rival) = Swaps(ready), recipe_of(config)
    held = None if config.held is None else recipe.judge(Swaps(listed(config.held)))
    settings = PretrainConfig(config.batch, config.lr, minutes, config.seed, not falls, iterations)
    return pretrain(recipe, data, folder / WEIGHTS, settings, stop=stop, watch=watch, judge=held, rival=rival)


def recipe_of(config: FaceshifterConfig) -> tuple[OneShotRecipe, Rival | None]:
    """Make the network and what trains beside it. Raises WeightsError."""
    shape, base = config.network, None
    if shape.draft:
        path = config.base or locate(CARDS["base-light-128"])
        with _fitting(path):
            base = filled_base(DeepfakeConfig(size=shape.size), load_file(path))
    critics = Critics() if config.critics else None
    recipe = OneShotRecipe(shape, config.seed, Recogniser() if config.recogniser else None, base, critics)
    if config.start is not None:
        with _fitting(config.start):
            recipe.network.load_state_dict({name: value.float() for name, value in load_file(config.start).items()})
    return recipe, None if critics is None else CriticRival(critics, config.lr)


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """Raise WeightsError when a file cannot be loaded."""
    try:
        yield
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsError(f"{path} does not fit this network: {str(error).splitlines()[0]}") from error

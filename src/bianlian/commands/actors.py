"""``bianlian actors``: rendered people with exact truth: clips, pairs for the benchmark, crops for training."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from rich.console import Console
from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, Positional, arg, subcommand

from bianlian.actors.bank import Bank
from bianlian.actors.crops import CropMaker, CropSettings, write_shard
from bianlian.actors.film import Look, contact_sheet, film_pair, film_person, film_two, write_picture
from bianlian.actors.head import Head
from bianlian.actors.ict import open_model
from bianlian.actors.occluders import Occluder
from bianlian.actors.performance import Performance, Script, random_performance, read_performance
from bianlian.actors.renderer import Renderer
from bianlian.commands._show import shown
from bianlian.commands.actors_fit import Fit
from bianlian.errors import ConfigError


@dataclass(frozen=True)
class Cast:
    """Who plays, on which head."""

    people: Path = Path("people.npz")
    """People to choose from, as `bianlian actors fit` writes them."""

    ict: str | None = None
    """The head model ICT-FaceKit: its folder, a zip of it, or an https address of one that ends in #sha256=; BIANLIAN_ICT when
    left out."""

    samples: int = 2
    """Samples a side of a pixel, against jagged edges; 1 is twice as fast."""

    def open(self) -> tuple[Renderer, Bank]:
        """Open the head and the people. Raises WeightsError, InputError, ConfigError."""
        renderer = Renderer(Head(open_model(self.ict)), samples=self.samples)
        return renderer, Bank(self.people, renderer.head)


@dataclass(frozen=True)
class Motion:
    """What a random performance is like."""

    seconds: float = 6.0
    """Length of the clip."""

    rate: float = 25.0
    """Frames a second."""

    yaw: float = 36.0
    """Peak angle to the side, degrees, at most 40."""

    pitch: float = 15.0
    """Peak angle up and down, at most 18."""

    roll: float = 12.0
    """Peak tilt, at most 15."""

    def script(self) -> Script:
        """Write it as the library takes it. Raises ConfigError."""
        if not (0 < self.rate <= 1000 and 0 < self.seconds <= 36000):
            raise ConfigError(f"seconds and rate must be more than 0, got {self.seconds} and {self.rate}")
        rate = Fraction(self.rate).limit_denominator(1001)
        return Script(round(self.seconds * self.rate), rate, self.yaw, self.pitch, self.roll)


@dataclass(frozen=True)
class Video:
    """Write a talking head: OUT.mp4, OUT_mask.mp4 (255 inner face, 128 head) and OUT_gt.npz (the truth about each frame)."""

    person: Positional[str]
    """A name, a mix such as ana+ben or ana*2+ben, or random:SEED."""

    out: Annotated[Path, arg(aliases=["-o"])]
    """Video to write."""

    play: Path | None = None
    """Truth (npz) of another clip, whose performance, light and room are played again."""

    occluder: Occluder | None = None
    """Something before the face; OUT_occlusion.mp4 says which pixels it hides."""

    seed: int = 0
    """Fixes the performance, the room and the looks of what is before the face."""

    cast: Cast = field(default_factory=Cast)
    motion: Motion = field(default_factory=Motion)
    look: Look = field(default_factory=Look)

    def run(self) -> None:
        """Render. Raises as ``actors.film.film_person``."""
        renderer, bank = self.cast.open()
        actor, act = bank.find(self.person), _act(self.play, self.seed, self.motion)
        with shown() as (progress, _):
            film_person(renderer, actor, act, self.out, self.look, occluder=self.occluder, seed=self.seed, progress=progress)
        _say(f"{self.out}: {len(act)} frames of {actor.name}")


@dataclass(frozen=True)
class Swap:
    """Write a pair for `bianlian bench quality`: a target, and the true swaps of it with a source, frame for frame.

    OUT/target.mp4, truth_face.mp4 (the source's inner face on the target's head), truth.mp4 (the source plays), source.jpg,
    target_mask.mp4, gt.npz.
    """

    target: Positional[str]
    """Who plays: a name, a mix such as ana+ben, or random:SEED."""

    source: Positional[str]
    """Whose face goes in."""

    out: Annotated[Path, arg(aliases=["-o"])]
    """Folder to write, PAIRS/NAME; it must not hold anything yet."""

    play: Path | None = None
    """Truth (npz) of another clip, whose performance, light and room are played again."""

    seed: int = 0
    """Fixes the performance and the rooms."""

    cast: Cast = field(default_factory=Cast)
    motion: Motion = field(default_factory=Motion)
    look: Look = field(default_factory=Look)

    def run(self) -> None:
        """Render. Raises as ``actors.film.film_pair``."""
        renderer, bank = self.cast.open()
        target, source, act = bank.find(self.target), bank.find(self.source), _act(self.play, self.seed, self.motion)
        with shown() as (progress, _):
            film_pair(renderer, target, source, act, self.out, self.look, progress=progress)
        _say(f"{self.out}: {len(act)} frames; score swaps with `bianlian bench quality {self.out.parent} --results DIR`")


@dataclass(frozen=True)
class Two:
    """Write a scene of two people, 1280 x 720: one leaves, nobody, a cut, they change places. OUT.mp4 and OUT_gt.json."""

    first: Positional[str]
    """Who is on the left at first."""

    second: Positional[str]
    """Who is on the right at first."""

    out: Annotated[Path, arg(aliases=["-o"])]
    """Video to write."""

    seed: int = 0
    """Fixes both performances and the rooms."""

    cast: Cast = field(default_factory=Cast)
    motion: Motion = field(default_factory=lambda: Motion(seconds=10.0))
    look: Look = field(default_factory=Look)

    def run(self) -> None:
        """Render. Raises as ``actors.film.film_two``."""
        renderer, bank = self.cast.open()
        people = bank.find(self.first), bank.find(self.second)
        script = self.motion.script()
        acts = random_performance(self.seed, script), random_performance(self.seed + 1, script)
        with shown() as (progress, _):
            film_two(renderer, people, acts, self.out, self.look, progress=progress)
        _say(f"{self.out}: {len(acts[0])} frames of {people[0].name} and {people[1].name}")


@dataclass(frozen=True)
class Crops:
    """Write aligned crops of random people in random poses as npz shards, for `bianlian pretrain`.

    A shard that is there already is kept, so that the same command goes on.
    """

    out: Annotated[Path, arg(aliases=["-o"])]
    """Folder of the shards."""

    count: int = 1000
    """Crops in all."""

    per_shard: int = 500
    """Crops of a shard."""

    who: Literal["pure", "mixed", "both"] = "both"
    """People as they are, random mixes of them, or both."""

    mixes: int = 100
    """How many mixes."""

    seed: int = 0
    """Fixes everything."""

    workers: int | None = None
    """Threads; all cores when left out."""

    crop: CropSettings = field(default_factory=CropSettings)
    cast: Cast = field(default_factory=Cast)

    def run(self) -> None:
        """Render the shards that are not there. Raises as ``actors.crops.write_shard``, ConfigError."""
        if min(self.count, self.per_shard) < 1 or self.mixes < 0 or self.seed < 0:
            raise ConfigError("count and per-shard must be 1 or more, mixes and seed 0 or more")
        renderer, bank = self.cast.open()
        rng = np.random.default_rng(self.seed)
        people = [] if self.who == "mixed" else [bank.person(n) for n in bank.names]
        people += [] if self.who == "pure" else [bank.random(rng, f"mix{k:04d}") for k in range(self.mixes)]
        maker = CropMaker(renderer, self.crop)
        with shown() as (progress, _):
            for k, first in enumerate(range(0, self.count, self.per_shard)):
                path, count = self.out / f"crops_{k:04d}.npz", min(self.per_shard, self.count - first)
                if not path.exists():
                    write_shard(path, maker, people, count, (self.seed, k), workers=self.workers, progress=progress)
        _say(f"{self.out}: {self.count} crops of {len(people)} people")


@dataclass(frozen=True)
class Sheet:
    """Draw all people, or some, as one picture: a row each, in poses of a performance of their own."""

    who: Positional[tuple[str, ...]] = ()
    """Names or mixes; all people when left out."""

    out: Annotated[Path, arg(aliases=["-o"])] = Path("people.png")
    """Picture to write."""

    size: int = 192
    """Side of each frame in pixels."""

    columns: int = 6
    """Frames of each person."""

    seed: int = 0
    """Fixes the performances."""

    cast: Cast = field(default_factory=Cast)

    def run(self) -> None:
        """Render. Raises as ``actors.film.write_picture``, ConfigError."""
        if not (32 <= self.size <= 2048 and 1 <= self.columns <= 100):
            raise ConfigError(f"size must lie in 32 to 2048 and columns in 1 to 100, got {self.size} and {self.columns}")
        renderer, bank = self.cast.open()
        people = [bank.find(name) for name in self.who or bank.names]
        write_picture(self.out, contact_sheet(renderer, people, size=self.size, columns=self.columns, seed=self.seed))
        _say(f"{self.out}: {len(people)} people")


@dataclass(frozen=True)
class Actors:
    """Render people with exact truth about every frame, to measure swaps and to train on.

    The head model is ICT-FaceKit (MIT), which is not part of bianlian: `git clone https://github.com/ICT-VGL/ICT-FaceKit`, and name
    its folder with --ict or BIANLIAN_ICT. People come from photos, by `bianlian actors fit`.
    """

    what: OmitArgPrefixes[
        OmitSubcommandPrefixes[
            Annotated[Video, subcommand("video")]
            | Annotated[Swap, subcommand("swap")]
            | Annotated[Two, subcommand("two")]
            | Annotated[Crops, subcommand("crops")]
            | Annotated[Fit, subcommand("fit")]
            | Annotated[Sheet, subcommand("sheet")]
        ]
    ]

    def run(self) -> None:
        """Run what was asked for."""
        self.what.run()


def _act(play: Path | None, seed: int, motion: Motion) -> Performance:
    return random_performance(seed, motion.script()) if play is None else read_performance(play)


def _say(line: str) -> None:
    Console(highlight=False, markup=False, soft_wrap=True).print(line)

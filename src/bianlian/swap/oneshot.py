"""A person as a ``Swapper`` from photos alone: the networks from one photo, told who they are, compiled for the CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bianlian.errors import ConfigError, WeightsError
from bianlian.identity.people import centre
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.model.base import Base, filled_base
from bianlian.model.faceshifter.aei import AeiNet
from bianlian.model.faceshifter.config import CONFIGS
from bianlian.model.path import PersonPath
from bianlian.runtime import Network, compile_module
from bianlian.swap.liken import LEAST, MARGIN, check_likeness, liken, likeness_line
from bianlian.swap.meet import Met
from bianlian.swap.photos import Eyes, Sitter, sit
from bianlian.swap.pipeline import Role
from bianlian.swap.refine import load_refiner
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import EDGE, STEPS, Lessons, crops_of, study
from bianlian.swap.swapper import CompiledSwapper
from bianlian.types import Note, Progress, silent
from bianlian.weights import CARDS, locate

BASE, ONE_PHOTO = "base-light-128", "one photo"
"""Card of the base that ships, and what reports call the networks from one photo."""
CONFIG = CONFIGS["compact"]
STUDIED = DeepfakeConfig(size=CONFIG.size, edge=EDGE)
"""Settings of the base."""


def photo_roles(
    people: Sequence[tuple[str | None, Sequence[Path]]],
    settings: SwapSettings,
    *,
    weights: Path | None = None,
    steps: int = STEPS,
    likeness: float = MARGIN,
    progress: Progress = silent,
    note: Note = silent,
) -> list[Role]:
    """Make the roles of a swap from photos. people: who is replaced (None: as ``settings`` say), and the photos of who goes in.

    settings: name what looks at photos. weights: of ``AeiNet``, None for the base alone. steps: in which each person's photos are
    studied; likeness: margin that new faces shall have, see ``liken.MARGIN``, from -2 (whatever it is) to 1. Raises InputError,
    NoFaceError, FacesetError, PluginError, WeightsError, ConfigError for steps below 0 and a likeness out of its range.
    """
    if steps < 0:
        raise ConfigError(f"study must be 0 steps or more, got {steps}; {STEPS} is the default")
    check_likeness(likeness)
    artist, eyes = open_artist(weights), Eyes.open(settings)
    sitters = [(who, sit(photos, eyes, note=note)) for who, photos in people]
    told = [tell_artist(artist, sitter, steps=steps, likeness=likeness, progress=progress) for _, sitter in sitters]
    return [Role(swapper, who, sitter.consent) for swapper, (who, sitter) in zip(told, sitters, strict=True)]


@dataclass(frozen=True, eq=False)
class Artist:
    """The networks from one photo: base draws anybody in any pose, and network, if there is one, finishes that over the target."""

    base: Base
    network: AeiNet | None = None

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return CONFIG.size


def open_artist(weights: Path | None = None) -> Artist:
    """Load the base that ships, and the second network of ``weights``. Raises WeightsError."""
    base = filled_base(STUDIED, load_file(locate(CARDS[BASE])))
    if weights is None:
        return Artist(base)
    network = AeiNet(CONFIG)
    try:
        network.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsError(f"{weights} is no network from one photo: {str(error).splitlines()[0]}") from error
    return Artist(base, network.eval().requires_grad_(False))


def tell_artist(
    artist: Artist,
    sitter: Sitter,
    *,
    steps: int = STEPS,
    likeness: float = LEAST,
    threads: int | None = None,
    progress: Progress = silent,
) -> CompiledSwapper:
    """Tell the networks who goes in, and compile what is left: target -> swapped. threads: all cores when None.

    A person who was studied wants to meet the faces that are replaced, unless the likeness is to be left as it is.
    """
    told = Told.of(artist, sitter, steps=steps, progress=progress)
    compiled = _compiled(told, artist.size, threads)
    if steps and likeness > LEAST and artist.network is None:
        return PhotoSwapper(compiled, artist, sitter, told, likeness, threads)
    return CompiledSwapper(compiled, artist.size, sitter.name)


def _compiled(told: Told, size: int, threads: int | None) -> Network:
    return compile_module(told, (1, 3, size, size), threads=threads or os.cpu_count() or 1, dynamic_batch=True)


class PhotoSwapper(CompiledSwapper):
    """A person from photos who can be fitted to the footage, see ``swap.liken``. For one thread at a time."""

    def __init__(
        self, network: Network, artist: Artist, sitter: Sitter, told: Told, likeness: float, threads: int | None = None
    ) -> None:
        super().__init__(network, artist.size, sitter.name)
        self._artist, self._sitter, self._told, self._likeness, self._threads = artist, sitter, told, likeness, threads

    def meet(
        self, faces: Sequence[Met], settings: SwapSettings, *, progress: Progress = silent, note: Note = silent
    ) -> CompiledSwapper:
        """Fit the person to some of the faces that are replaced -> itself when nothing had to be moved. Raises WeightsError."""
        base, views = self._artist.base, self._sitter.views
        path, likeness = liken(
            PersonPath(base.encoder, self._told.decoder),
            Lessons.of(base, views, STUDIED, np.random.default_rng(0)),
            crops_of(views, STUDIED.size),
            faces,
            load_refiner().requires_grad_(False),
            settings,
            margin=self._likeness,
            progress=progress,
        )
        note(likeness_line(self.person, likeness))
        if not likeness.share:
            return self
        fitted = Told(self._artist, path.decoder, self._told.told)
        return CompiledSwapper(_compiled(fitted, self.size, self._threads), self.size, self.person)


class Told(nn.Module):
    """The networks for one person: (B, 3, S, S) in [0, 1] -> (B, 3, S, S), about that.

    decoder: draws them; told (1, ``told`` of the settings): who they are, for the second network.
    """

    told: Tensor

    def __init__(self, artist: Artist, decoder: nn.Module, told: Tensor) -> None:
        super().__init__()
        self.encoder, self.decoder, self.network = artist.base.encoder, decoder, artist.network
        self.register_buffer("told", told)

    @classmethod
    def of(cls, artist: Artist, sitter: Sitter, *, steps: int = STEPS, progress: Progress = silent) -> Told:
        """Tell who a person is: the mean over their photos, those unlike the others left out of the description; and study them."""
        pictures = torch.from_numpy(sitter.portraits.transpose(0, 3, 1, 2).astype(np.float32) / 255)
        described = torch.from_numpy(centre(sitter.descriptions).astype(np.float32)).expand(len(pictures), -1)
        with torch.no_grad():
            told = described if artist.network is None else artist.network.tell(pictures, described)
            known = artist.base.identity(pictures).mean(0, keepdim=True)
        decoder = study(artist.base, known, sitter.views, STUDIED, steps=steps, progress=progress)
        return cls(artist, decoder, told.mean(0, keepdim=True))

    def forward(self, target: Tensor) -> Tensor:
        """Swap."""
        draft: Tensor = self.decoder(self.encoder(target))
        return draft if self.network is None else self.network(target, self.told, draft)

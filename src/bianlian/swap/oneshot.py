"""A person as a ``Swapper`` from photos alone: the networks from one photo, told who they are, compiled for the CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bianlian import align
from bianlian.errors import ConfigError, InputError, WeightsError
from bianlian.identity.people import centre
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.model.base import Base, filled_base
from bianlian.model.faceshifter.aei import AeiNet
from bianlian.model.faceshifter.config import CONFIGS
from bianlian.model.path import PersonPath
from bianlian.runtime import Precision, compile_module
from bianlian.swap.fine import done_fine, resized
from bianlian.swap.liken import LEAST, MARGIN, Finish, check_likeness, liken, likeness_line
from bianlian.swap.meet import Met
from bianlian.swap.photos import Eyes, Sitter, sit
from bianlian.swap.pipeline import Role
from bianlian.swap.refine import load_refiner
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import EDGE, STEPS, Lessons, crops_of, study
from bianlian.swap.swapper import CompiledSwapper, open_swapper, trained_path
from bianlian.train.faceshifter import WEIGHTS, has_recipe, open_recipe
from bianlian.train.lay import View, laid
from bianlian.train.pretrain import as_picture
from bianlian.train.run import RunConfig, open_run, person_index
from bianlian.train.start import BASE as START
from bianlian.types import Note, Points, Progress, silent
from bianlian.weights import CARDS, locate

TUNED = "tuned"
"""The model whose people are finished as those from photos are."""
BASE, FINISH, ONE_PHOTO = "base-light-128", "oneshot-128", "one photo"
"""Cards of the base and of the second network that ship, and what reports call the two."""
CONFIG = CONFIGS["compact"]
LAID, LAID_FINE = 272, 226
"""Width of the photos that are laid over crops of ``CONFIG.size``: half again as fine, as those of training are; and for as many
pixels of the finished face, a quarter finer, which needs no blur."""
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Strengths (``AeiNet.forward``) that are tried, the least first, before the decoder is moved.

96 single frames of people who were not trained on, nearest to the source, L1: 0 85 % 0.032, 0.5 93 % 0.036, 1 96 % 0.041.
"""
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

    settings: name what looks at photos. weights: of ``AeiNet``, None for those that ship. steps: in which each person's photos are
    studied; likeness: margin that new faces shall have, see ``liken.MARGIN``, from -2 (whatever it is) to 1. Raises InputError,
    NoFaceError, FacesetError, PluginError, WeightsError, ConfigError for steps below 0 and a likeness out of its range.
    """
    if steps < 0:
        raise ConfigError(f"study must be 0 steps or more, got {steps}; {STEPS} is the default")
    check_likeness(likeness)
    artist, eyes = open_artist(weights), Eyes.open(settings)
    sitters = [(who, sit(photos, eyes, note=note)) for who, photos in people]
    told = [tell_artist(artist, s, steps=steps, likeness=likeness, progress=progress) for _, s in sitters]
    return [Role(swapper, who, sitter.consent) for swapper, (who, sitter) in zip(told, sitters, strict=True)]


@dataclass(frozen=True, eq=False)
class Artist:
    """The networks from one photo: base draws anybody in any pose, and network, if there is one, finishes that over the target.

    A network of the published shapes takes no draft and draws by itself.
    """

    base: Base
    network: AeiNet | None = None

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return CONFIG.size if self.network is None else self.network.config.size

    def tell(self, sitter: Sitter) -> Tensor:
        """Say who a person is, for the second network -> (1, ``told`` of its settings)."""
        pictures = as_picture(torch.from_numpy(sitter.portraits))
        described = torch.from_numpy(centre(sitter.descriptions).astype(np.float32)).expand(len(pictures), -1)
        with torch.no_grad():
            told = described if self.network is None else self.network.tell(pictures, described)
        return told.mean(0, keepdim=True)


def open_artist(weights: Path | None = None) -> Artist:
    """Load the base that ships, and the second network: of ``weights``, a file or a run of ``train.faceshifter``, or the one that
    ships. Raises WeightsError, and RunError for a run of another version."""
    base = filled_base(STUDIED, load_file(locate(CARDS[BASE])))
    shape, weights = CONFIG, weights or locate(CARDS[FINISH])
    if has_recipe(weights):
        shape, weights = open_recipe(weights).network, weights / WEIGHTS
    if shape.draft and shape.size != CONFIG.size:
        raise WeightsError(f"{weights} wants drafts of {shape.size} px, the base draws {CONFIG.size}; train one of that size")
    network = AeiNet(shape)
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

    A person who was studied wants to meet the faces that are replaced, unless the likeness is to be left as it is. Where the
    network draws by itself, nobody is studied or fitted.
    """
    if artist.network is not None and not artist.network.config.draft:
        shape, alone = (1, 3, artist.size, artist.size), Alone(artist.network, artist.tell(sitter)).eval()
        network = compile_module(alone, shape, threads=threads or os.cpu_count() or 1, precision="bf16", dynamic_batch=True)
        return CompiledSwapper(network, artist.size, sitter.name)
    told = Told.of(artist, sitter, steps=steps, progress=progress)
    return _swapper(artist, sitter, told, likeness if steps else LEAST, threads)


def _swapper(artist: Artist, sitter: Sitter, told: Told, likeness: float, threads: int | None) -> PhotoSwapper:
    if likeness > LEAST:
        return MeetingSwapper(artist, sitter, told, likeness, threads)
    return PhotoSwapper(artist, sitter, told, threads)


def open_person(
    run: Path,
    to: str,
    settings: SwapSettings | None = None,
    *,
    likeness: float = MARGIN,
    threads: int | None = None,
    note: Note = silent,
) -> CompiledSwapper:
    """Load a person of a run: as ``open_swapper`` does, or of ``tuned``, over the base that ships, with the second network.

    settings: name what looks at the faces of ``tuned``. likeness: as of ``photo_roles`` and ``open_swapper``. Raises as both
    do.
    """
    config = open_run(run)
    faceset = Path(config.people[person_index(config, to, run)].faceset)
    if _over_base(config):
        check_likeness(likeness)
        try:
            sitter = sit([faceset], Eyes.open(settings or SwapSettings()), note=note)
        except InputError as error:
            note(f"{to} is drawn as trained, not finished with their pictures: {error}")
        else:
            artist = open_artist()
            told = Told(artist, trained_path(run, to)[0].decoder, artist.tell(sitter))
            return _swapper(artist, sitter, told, likeness, threads)
    return open_swapper(run, to, likeness=likeness, threads=threads)


def _over_base(config: RunConfig) -> bool:
    """Whether a run's people are drawn over the encoder of the base that ships, as it is."""
    wanted = {"kept": True, "size": CONFIG.size, "width": STUDIED.width}
    return config.model == TUNED and config.start == START and all(config.settings.get(k, v) == v for k, v in wanted.items())


class PhotoSwapper(CompiledSwapper):
    """A person from photos, which are laid over each face where the network takes that. For one thread at a time."""

    def __init__(self, artist: Artist, sitter: Sitter, told: Told, threads: int | None = None) -> None:
        shape, cores = (1, told.channels, artist.size, artist.size), threads or os.cpu_count() or 1
        # in bf16 the second network takes half its time, and faces differ by 0.09 grey levels on average, 1.1 at most
        precision: Precision = "f32" if told.network is None else "bf16"
        network = compile_module(told, shape, threads=cores, precision=precision, dynamic_batch=True)
        super().__init__(network, artist.size, sitter.name)
        self._artist, self._sitter, self._told, self._threads = artist, sitter, told, threads
        self._views = dict[int, list[View]]()

    def swap(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Swap a batch whose faces lie as the mean face does, see ``model.Swapper``."""
        mean = align.template("ibug68", self.size, self.coverage)
        return self.swap_at(crops, np.repeat(mean[None], len(crops), 0), crops)

    def swap_at(
        self, crops: NDArray[np.uint8], points: Points, under: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Swap a batch, see ``model.SwapsAt``."""
        self._check(crops)
        side = under.shape[1]
        if not self._told.lays:
            faces, masks = self._run(crops)
            return resized(faces, side, cv2.INTER_CUBIC), resized(masks, side, cv2.INTER_LINEAR)
        photos = self.photos(points, side)
        seen = np.concatenate([crops, resized(photos, self.size, cv2.INTER_AREA)], 3)
        fields = self._network(np.ascontiguousarray(seen.transpose(0, 3, 1, 2), np.float32) / np.float32(255))[0]
        faces = np.stack([done_fine(*one) for one in zip(fields, under, photos, strict=True)])
        return faces, np.ones(faces.shape[:3], np.float32)

    def photos(self, points: Points, side: int) -> NDArray[np.uint8]:
        """Lay the photos over faces. points (N, 68, 2): pixels of crops of ``size`` -> (N, side, side, 3)."""
        factor = side / self.size
        if side not in self._views:
            self._views[side] = views_of(self._sitter, round(factor * (LAID if side == self.size else LAID_FINE)))
        return np.stack([laid(self._views[side], (some + 0.5) * factor - 0.5, side) for some in points])


class MeetingSwapper(PhotoSwapper):
    """A person from photos who can be fitted to the footage, see ``swap.liken``. For one thread at a time."""

    def __init__(self, artist: Artist, sitter: Sitter, told: Told, likeness: float, threads: int | None = None) -> None:
        super().__init__(artist, sitter, told, threads)
        self._likeness = likeness

    def meet(
        self, faces: Sequence[Met], settings: SwapSettings, *, progress: Progress = silent, note: Note = silent
    ) -> CompiledSwapper:
        """Fit the person to some of the faces that are replaced -> itself when nothing had to be changed. Raises WeightsError.

        First less and less of the target shows, then the decoder is moved.
        """
        base, views = self._artist.base, self._sitter.views
        path, likeness = liken(
            PersonPath(base.encoder, self._told.decoder),
            Lessons.of(base, views, STUDIED, np.random.default_rng(0)),
            crops_of(views, STUDIED.size),
            faces,
            load_refiner().requires_grad_(False),
            settings,
            margin=self._likeness,
            finishes=self._finishes(faces),
            progress=progress,
        )
        note(likeness_line(self.person, likeness))
        strength = STRENGTHS[likeness.finish]
        if not likeness.share and strength == self._told.strength:
            return self
        fitted = Told(self._artist, path.decoder, self._told.told, strength)
        return PhotoSwapper(self._artist, self._sitter, fitted, self._threads)

    def _finishes(self, faces: Sequence[Met]) -> list[Finish]:
        told = self._told
        if told.network is None:
            return []
        points = np.stack([face.points for face in faces])
        photos = as_picture(torch.from_numpy(self.photos(points, self.size))) if told.lays else None

        def finish(drawn: Tensor, target: Tensor, some: Tensor, *, strength: float) -> Tensor:
            return told.finish(drawn, target, None if photos is None else photos[some], strength)

        return [partial(finish, strength=strength) for strength in STRENGTHS]


def views_of(sitter: Sitter, width: int = LAID) -> list[View]:
    """Give the photos as they are laid over faces, both ways round. width: of their pictures, at most."""
    shown = [view.at(width) for view in sitter.views]
    return [*shown, *(view.mirrored() for view in shown)]


class Alone(nn.Module):
    """A network that draws by itself, for one person: target (B, 3, S, S) in [0, 1] -> (B, 3, S, S). told: as of ``Told``."""

    told: Tensor

    def __init__(self, network: AeiNet, told: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("told", told)

    def forward(self, target: Tensor) -> Tensor:
        """Swap."""
        drawn: Tensor = self.network(target, self.told.expand(len(target), -1))
        return drawn


class Told(nn.Module):
    """The networks for one person: (B, ``channels``, S, S) in [0, 1] -> (B, 3, S, S), about that; where photos are laid over the
    target, (B, 9, S, S): what is to be done with either, see ``AeiNet.fields``.

    decoder: draws them; told (1, ``told`` of the settings): who they are, and strength (``AeiNet.forward``): how little of the
    target shows, both for the second network.
    """

    told: Tensor

    def __init__(self, artist: Artist, decoder: nn.Module, told: Tensor, strength: float = STRENGTHS[0]) -> None:
        super().__init__()
        self.encoder, self.decoder, self.network, self.strength = artist.base.encoder, decoder, artist.network, strength
        self.register_buffer("told", told)

    @classmethod
    def of(cls, artist: Artist, sitter: Sitter, *, steps: int = STEPS, progress: Progress = silent) -> Told:
        """Tell who a person is: the mean over their photos, those unlike the others left out of the description; and study them."""
        with torch.no_grad():
            known = artist.base.identity(as_picture(torch.from_numpy(sitter.portraits))).mean(0, keepdim=True)
        decoder = study(artist.base, known, sitter.views, STUDIED, steps=steps, progress=progress)
        return cls(artist, decoder, artist.tell(sitter))

    @property
    def lays(self) -> bool:
        """Whether photos are laid over the target."""
        return self.network is not None and self.network.config.photo

    @property
    def channels(self) -> int:
        """Channels that come in: the target's picture, and the photo that is laid over it."""
        return 6 if self.lays else 3

    def forward(self, seen: Tensor) -> Tensor:
        """Swap."""
        target = seen[:, :3]
        draft = self.decoder(self.encoder(target))
        if self.network is None or not self.lays:
            return self.finish(draft, target, None, self.strength)
        return self.network.fields(target, self.told.expand(len(target), -1), draft, seen[:, 3:], self.strength)

    def finish(self, draft: Tensor, target: Tensor, photo: Tensor | None, strength: float) -> Tensor:
        """Let the second network, if there is one, finish what the decoder drew. photo: laid over the target, if it takes one."""
        if self.network is None:
            return draft
        drawn: Tensor = self.network(target, self.told.expand(len(target), -1), draft, photo, strength)
        return drawn

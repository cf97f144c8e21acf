"""A trained person as a ``Swapper``: the networks of a run, compiled for the CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bianlian.align import COVERAGE
from bianlian.errors import InputError, WeightsError
from bianlian.faceset.store import Faceset
from bianlian.model.autoencoder import DeepfakeConfig
from bianlian.model.path import PersonPath
from bianlian.runtime import Network, compile_module
from bianlian.swap.liken import LEAST, MARGIN, check_likeness, liken, likeness_line
from bianlian.swap.meet import Met
from bianlian.swap.refine import load_refiner
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import Lessons
from bianlian.train.augment import AugmentConfig
from bianlian.train.batches import BatchMaker, People
from bianlian.train.checkpoint import fill, load_average, newest
from bianlian.train.run import open_run, person_index
from bianlian.types import Note, Progress, silent

LESSONS = 24
"""Faces of a person that they are kept like."""


class CompiledSwapper:
    """Runs one person's networks through OpenVINO. For one thread at a time."""

    def __init__(self, network: Network, size: int, person: str) -> None:
        self._network, self._size, self._person = network, size, person

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self._size

    @property
    def coverage(self) -> float:
        """Coverage of the crops, see ``align.crop_from_frame``."""
        return COVERAGE

    @property
    def person(self) -> str:
        """Name of the person whose face is drawn."""
        return self._person

    def swap(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Swap a batch: crops (N, S, S, 3) uint8 -> faces of the same shape, masks (N, S, S). See ``model.Swapper``."""
        self._check(crops)
        return self._run(crops)

    def _check(self, crops: NDArray[np.uint8]) -> None:
        wanted = (self._size, self._size, 3)
        if crops.ndim != 4 or crops.shape[1:] != wanted or crops.dtype != np.uint8:
            raise InputError(f"the swapper takes uint8 crops of shape (N, {self._size}, {self._size}, 3), got {crops.shape}")

    def _run(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Run the network on crops (N, S, S, channels that it takes)."""
        pictures = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        drawn = self._network(pictures)[0]
        faces = np.clip(drawn[:, :3].transpose(0, 2, 3, 1) * 255 + 0.5, 0, 255).astype(np.uint8)
        masks = np.clip(drawn[:, 3], 0, 1) if drawn.shape[1] == 4 else np.ones(crops.shape[:3])
        return faces, masks.astype(np.float32)


class TrainedSwapper(CompiledSwapper):
    """A trained person who can be fitted to the footage, see ``swap.liken``. For one thread at a time."""

    def __init__(self, network: Network, path: PersonPath, school: School, threads: int) -> None:
        super().__init__(network, school.size, school.person)
        self._path, self._school, self._threads = path, school, threads

    def meet(
        self, faces: Sequence[Met], settings: SwapSettings, *, progress: Progress = silent, note: Note = silent
    ) -> CompiledSwapper:
        """Fit the person to some of the faces that are replaced -> itself when nothing had to be moved, or nothing is at hand to do
        it with: the faceset lies elsewhere now, or the recogniser cannot be had.
        """
        try:
            lessons, pictures = self._school.teach(self._path)
            refiner = load_refiner().requires_grad_(False)
            path, likeness = liken(
                self._path, lessons, pictures, faces, refiner, settings, margin=self._school.margin, progress=progress
            )
        except (InputError, WeightsError) as error:
            note(f"{self.person} is swapped as trained, not fitted to the footage: {error}")
            return self
        note(likeness_line(self.person, likeness))
        if not likeness.share:
            return self
        return CompiledSwapper(_compiled(path, self.size, self._threads), self.size, self.person)


@dataclass(frozen=True)
class School:
    """What a person is kept like while they are fitted: their faceset, as training changed it, and the margin that is wanted."""

    person: str
    faceset: Path
    size: int
    held_out: float
    augment: AugmentConfig
    margin: float

    def teach(self, path: PersonPath) -> tuple[Lessons, Tensor]:
        """Give lessons, and pictures as they are, (N, 3, S, S). Raises FacesetError, NoFaceError, InputError."""
        faceset = Faceset.open(self.faceset)
        if faceset.person != self.person:
            raise InputError(f"{self.faceset} holds {faceset.person} now, wanted {self.person}")
        people = People([faceset], self.held_out)
        maker = BatchMaker(people, self.size, LESSONS, self.augment, seed=0)
        batch = maker.make(0)[0]
        with torch.no_grad():
            codes = path.encoder(batch.warped)
        return Lessons(batch.truth, batch.weight, codes, DeepfakeConfig()), maker.portraits(0, LESSONS)


def open_swapper(run: Path, to: str, *, likeness: float = MARGIN, threads: int | None = None) -> CompiledSwapper:
    """Load the newest checkpoint of a run for one person, who is fitted to the footage when a swap begins.

    run: the run's folder; to: the person whose face is drawn; likeness: margin that new faces shall have, see ``liken.MARGIN``,
    ``liken.LEAST`` to leave them as trained; threads: of the network, all cores when None. Raises RunError when the folder is no
    run, knows nobody of that name (the known ones are listed), or is damaged; ConfigError for a likeness out of its range.
    """
    check_likeness(likeness)
    config, cores = open_run(run), threads or os.cpu_count() or 1
    path, size = trained_path(run, to)
    network = _compiled(path, size, cores)
    if likeness <= LEAST:
        return CompiledSwapper(network, size, to)
    faceset = Path(config.people[person_index(config, to, run)].faceset)
    school = School(to, faceset, size, config.training.held_out, config.augment, likeness)
    return TrainedSwapper(network, path, school, cores)


def trained_path(run: Path, to: str) -> tuple[PersonPath, int]:
    """Load one person's networks of a run's newest checkpoint, and the side of their crops. Raises RunError as ``open_swapper``."""
    config = open_run(run)
    person, model = person_index(config, to, run), config.build()
    folder = newest(run)
    fill(model.networks, load_average(folder), folder)
    return model.path(person), model.size


def _compiled(path: PersonPath, size: int, threads: int) -> Network:
    return compile_module(path, (1, 3, size, size), threads=threads, dynamic_batch=True)

"""A trained person as a ``Swapper``: the networks of a run, compiled for the CPU."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian.align import COVERAGE
from bianlian.errors import InputError
from bianlian.runtime import Network, compile_module
from bianlian.train.checkpoint import fill, load_average, newest
from bianlian.train.run import open_run, person_index


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
        wanted = (self._size, self._size, 3)
        if crops.ndim != 4 or crops.shape[1:] != wanted or crops.dtype != np.uint8:
            raise InputError(f"the swapper takes uint8 crops of shape (N, {self._size}, {self._size}, 3), got {crops.shape}")
        pictures = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
        drawn = self._network(pictures)[0]
        faces = np.clip(drawn[:, :3].transpose(0, 2, 3, 1) * 255 + 0.5, 0, 255).astype(np.uint8)
        masks = np.clip(drawn[:, 3], 0, 1) if drawn.shape[1] == 4 else np.ones(crops.shape[:3])
        return faces, masks.astype(np.float32)


def open_swapper(run: Path, to: str, *, threads: int | None = None) -> CompiledSwapper:
    """Load the newest checkpoint of a run for one person.

    run: the run's folder; to: the person whose face is drawn; threads: of the network, all cores when None.
    Raises RunError when the folder is no run, knows nobody of that name (the known ones are listed), or is damaged.
    """
    config = open_run(run)
    person = person_index(config, to, run)
    model = config.build()
    folder = newest(run)
    fill(model.networks, load_average(folder), folder)
    network = compile_module(
        model.path(person), (1, 3, model.size, model.size), threads=threads or os.cpu_count() or 1, dynamic_batch=True
    )
    return CompiledSwapper(network, model.size, to)

"""True swaps for the networks from one photo, as they are read in training; ``train.ready`` makes their files.

A ready file holds the pictures as they came (JPEG), and what training asks of them: where their faces and the points of these lie
by the face mesh, target and answer cut alike, and the recogniser's description of the source. Reading it takes neither video nor
detectors nor landmarkers, so that it serves on machines that have none of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bianlian.errors import InputError
from bianlian.types import Image, Matrix, Points

SHARD, MADE = ".npz", ".safetensors"
"""Endings of rendered shards, and of files of swaps that are ready."""
_PICTURES = ("target", "source", "truth")
_ROWS = ("target_place", "source_place", "points", "source_points", "truth_points", "described")


@dataclass(frozen=True, eq=False)
class Swap:
    """One example. target, source, truth: (H, W, 3) RGB uint8; truth is the target's own picture where both are of one person.

    target_place, source_place (2, 3): map a picture to an aligned one of ``PAIR_SIZE``. points, source_points, truth_points
    (68, 2): iBUG, of target, source and truth, pixels of their pictures. described (128,): of the source.
    """

    target: Image
    source: Image
    truth: Image
    target_place: Matrix
    source_place: Matrix
    points: Points
    source_points: Points
    truth_points: Points
    described: NDArray[np.float32]


class Swaps:
    """Ready files, kept compressed in memory and decoded one example at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read files of ``ready_shards`` and ``ready_people``. Raises InputError when there are none, or for another file."""
        self._files: list[dict[str, Any]] = []
        for path in paths:
            try:
                columns = load_file(path)
                self._files.append({name: columns[name] for name in (*_PICTURES, *(f"{p}_end" for p in _PICTURES), *_ROWS)})
            except (SafetensorError, KeyError, OSError) as error:
                raise InputError(f"{path} holds no swaps that are ready for training; make it anew from its shard") from error
        self._ends = np.cumsum([len(columns["described"]) for columns in self._files])
        if not len(self):
            raise InputError("no swaps to train on; render some with the head renderer's `crops --pairs`")

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Swap:
        """Decode one example. index: 0 to len - 1."""
        k = int(np.searchsorted(self._ends, index, side="right"))
        row = index - (int(self._ends[k - 1]) if k else 0)
        columns = self._files[k]
        target, source, truth = (_picture(columns[name], columns[f"{name}_end"], row) for name in _PICTURES)
        places, points = ([columns[name][row].astype(np.float64) for name in some] for some in (_ROWS[:2], _ROWS[2:5]))
        return Swap(target, source, truth, places[0], places[1], points[0], points[1], points[2], columns["described"][row])

    def pick(self, rng: np.random.Generator) -> Swap:
        """Decode a random example."""
        return self[int(rng.integers(len(self)))]


def listed(path: Path) -> list[Path]:
    """List the shards and ready files that a path is or holds, in order. Raises InputError for none."""
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix in (SHARD, MADE))
    else:
        found = [path] if path.is_file() and path.suffix in (SHARD, MADE) else []
    if not found:
        wanted = f"wanted shards ({SHARD}), swaps made ready ({MADE}) or a folder of them, {path} is or holds none"
        raise InputError(f"{wanted}; one person's faceset is trained with --from faceshifter")
    return found


def _picture(blob: NDArray[np.uint8], ends: NDArray[np.int64], row: int) -> Image:
    return decoded(blob[int(ends[row - 1]) if row else 0 : int(ends[row])])


def decoded(jpeg: NDArray[np.uint8]) -> Image:
    """Decode one JPEG (N,) uint8 -> (H, W, 3) RGB uint8."""
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB), np.uint8)

"""True swaps for pretraining: rendered shards -> aligned triples on disk.

A shard (an npz of the head renderer's ``crops --pairs``) holds, for each performance, person *a* playing it (``jpeg``), person
*b* playing the same (``truth_jpeg``), *b* playing another one (``source_jpeg``), and the 68 landmarks of the first. Each picture
is aligned by the face mesh, exactly as extraction and swaps align theirs; the three go to one safetensors file a shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file

from bianlian import align
from bianlian.errors import InputError
from bianlian.files import replacing
from bianlian.geometry import apply, box_of
from bianlian.landmark import Landmarker
from bianlian.landmark.schemes import convert
from bianlian.train.focus import focus_map
from bianlian.types import Face, Image, Landmarks, Note, Progress, silent

PAIR_SIZE = 256
"""Side of the stored pictures."""
PAIR_FACE = 0.8 * PAIR_SIZE
"""Side of the model's crop in them: there is room to turn and shift."""
PAIR_COVERAGE = align.COVERAGE * PAIR_FACE / PAIR_SIZE
WEIGHT_STEPS = 80
"""Steps of the stored weight: 80 is 1.0."""
_KEYS = ("pose_from", "face_of", "truth", "weight")


def align_shards(
    shards: Sequence[Path], out: Path, landmarker: Landmarker, *, progress: Progress = silent, note: Note = silent
) -> list[Path]:
    """Align every triple of some shards -> their files in ``out``; those that are there already are not done again.

    A triple in which the mesh finds a face missing is left out. Raises InputError for a file that is no such shard.
    """
    done = []
    for k, shard in enumerate(shards):
        path = out / f"{shard.stem}.safetensors"
        if not path.exists():
            rows = [row for row in (_align(*triple, landmarker) for triple in _triples(shard)) if row is not None]
            if not rows:
                note(f"{shard}: no usable triple")
                continue
            columns = [torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)]
            with replacing(path) as temporary:
                save_file(dict(zip(_KEYS, columns, strict=True)), temporary)
        done.append(path)
        progress("align", k + 1, len(shards))
    return done


@dataclass(frozen=True, eq=False)
class Triple:
    """A true swap. pose_from, face_of, truth: (256, 256, 3) RGB uint8; weight: (256, 256) uint8, ``WEIGHT_STEPS`` is 1.0."""

    pose_from: Image
    face_of: Image
    truth: Image
    weight: NDArray[np.uint8]

    def mirrored(self, rng: np.random.Generator) -> tuple[Image, Image, Image, NDArray[np.uint8]]:
        """Give the four arrays; half the time pose, answer and weight are mirrored, and half the time, by itself, the portrait."""
        arrays = (self.pose_from, self.face_of, self.truth, self.weight)
        same, portrait = rng.random() < 0.5, rng.random() < 0.5
        turned = (same, portrait, same, same)
        pose_from, face_of, truth, weight = (
            np.ascontiguousarray(a[:, ::-1]) if t else a for a, t in zip(arrays, turned, strict=True)
        )
        return pose_from, face_of, truth, weight


class Pairs:
    """Aligned triples on disk, read one at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open files of ``align_shards``. Raises InputError when there are none, or one of another layout."""
        self._files: list[Any] = [safe_open(path, framework="np") for path in paths]
        for path, file in zip(paths, self._files, strict=True):
            shape = list(file.get_slice("truth").get_shape()[1:]) if set(file.keys()) == set(_KEYS) else None
            if shape != [PAIR_SIZE, PAIR_SIZE, 3]:
                raise InputError(f"{path} holds no aligned pairs of {PAIR_SIZE} px; delete it and align its shard again")
        self._ends = np.cumsum([file.get_slice("truth").get_shape()[0] for file in self._files])
        if not len(self):
            raise InputError("no aligned pairs to train on; render some with the head renderer's `crops --pairs`")

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Triple:
        """Read one triple. index: 0 to len - 1."""
        k = int(np.searchsorted(self._ends, index, side="right"))
        row = index - (int(self._ends[k - 1]) if k else 0)
        pose_from, face_of, truth, weight = (self._files[k].get_slice(key)[row : row + 1][0] for key in _KEYS)
        return Triple(pose_from, face_of, truth, weight)

    def pick(self, rng: np.random.Generator) -> Triple:
        """Read a random triple."""
        return self[int(rng.integers(len(self)))]


def _triples(shard: Path) -> Iterator[tuple[Image, Image, Image, NDArray[np.float64]]]:
    try:
        with np.load(shard, allow_pickle=False) as data:
            pictures = [_decode(data, key) for key in ("jpeg", "source", "truth")]
            landmarks = data["landmarks68"].astype(np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{shard} is no shard of `crops --pairs`: {error}") from error
    yield from zip(*pictures, landmarks, strict=True)


def _decode(data: Any, key: str) -> list[Image]:
    name = "jpeg" if key == "jpeg" else f"{key}_jpeg"
    blob, ends = data[name], np.concatenate([[0], data[f"{key}_end"]])
    return [np.asarray(cv2.imdecode(blob[a:b], cv2.IMREAD_COLOR_RGB), np.uint8) for a, b in pairwise(ends)]


def _align(
    pose_from: Image, face_of: Image, truth: Image, points: NDArray[np.float64], landmarker: Landmarker
) -> tuple[NDArray[np.uint8], ...] | None:
    size = len(face_of)
    middle = align.template("ibug68", size, 0.6)
    found = [find_at(image, where, landmarker) for image, where in ((pose_from, points), (face_of, middle), (truth, points))]
    rows: list[NDArray[np.uint8]] = []
    for image, landmarks in zip((pose_from, face_of, truth), found, strict=True):
        if landmarks is None:
            return None
        crop_from_frame = align.crop_from_frame(landmarks, PAIR_SIZE, PAIR_COVERAGE)
        rows.append(align.cut(image, crop_from_frame, PAIR_SIZE).image)
        last = apply(crop_from_frame, convert(landmarks, "ibug68").points)
    return (*rows, np.asarray(np.round(focus_map(last, PAIR_SIZE) * WEIGHT_STEPS), np.uint8))


def find_at(image: Image, points: NDArray[np.float64], landmarker: Landmarker) -> Landmarks | None:
    """Mark the face of a rendered picture by the 68 points (68, 2) that it was rendered with; None where no face is seen."""
    eyes = Landmarks(align_five(points), "five")
    face = landmarker.mark(image, [Face(box_of(points), 1.0, eyes)])[0]
    return face.landmarks if face is not None else None


def align_five(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the five points of 68: (68, 2) -> (5, 2)."""
    return convert(Landmarks(points, "ibug68"), "five").points

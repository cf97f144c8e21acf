"""True swaps for the networks from one photo: rendered shards and pictures of real people, made ready for training.

A shard (an npz of the head renderer's ``crops --pairs``, or of ``bench/tools/render_swaps.py``) holds person *a* playing
(``jpeg``), the same performance with the face of *b* (``truth_jpeg``), and *b* playing another one (``source_jpeg``). Of real
people there are pictures alone: one of somebody is the target and its own answer, another one is the source.

A ready file holds the pictures as they came (JPEG), and what training asks of them: where their faces and the points of these lie
by the face mesh, target and answer cut alike, and the recogniser's description of the source.
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
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.torch import save_file

from bianlian import align
from bianlian.detect import Detector
from bianlian.errors import InputError
from bianlian.files import replacing
from bianlian.geometry import apply, box_of
from bianlian.identity import Describer
from bianlian.landmark import Landmarker
from bianlian.landmark.schemes import convert
from bianlian.train.pairs import PAIR_COVERAGE, PAIR_SIZE, find_at
from bianlian.types import Face, Image, Landmarks, Matrix, Note, Points, Progress, silent
from bianlian.video import PICTURE_SUFFIXES, frames

LARGEST = 384
"""Side of the stored pictures of real people, which are cut around the face."""
SOURCES = 2
"""Pictures of the same person that are the source of one of theirs."""
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


@dataclass(frozen=True, eq=False)
class _Seen:
    """A picture with its face."""

    jpeg: NDArray[np.uint8]
    place: Matrix
    points: Points
    described: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Row:
    """A swap on its way into a file. truth: JPEG; points (68, 2): of its face."""

    target: _Seen
    source: _Seen
    truth: NDArray[np.uint8]
    points: Points


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
        target, source, truth = (_decoded(columns[name], columns[f"{name}_end"], row) for name in _PICTURES)
        places, points = ([columns[name][row].astype(np.float64) for name in some] for some in (_ROWS[:2], _ROWS[2:5]))
        return Swap(target, source, truth, places[0], places[1], points[0], points[1], points[2], columns["described"][row])

    def pick(self, rng: np.random.Generator) -> Swap:
        """Decode a random example."""
        return self[int(rng.integers(len(self)))]


def ready_shards(
    shards: Sequence[Path],
    out: Path,
    landmarker: Landmarker,
    describer: Describer,
    *,
    progress: Progress = silent,
    note: Note = silent,
) -> list[Path]:
    """Make rendered shards ready -> their files in ``out``; those that are there already are not done again.

    A swap of which the mesh finds no face in one of the pictures is left out. Raises InputError for a file that is no such shard.
    """
    done = []
    for k, shard in enumerate(shards):
        path = out / f"{shard.stem}.safetensors"
        if not path.exists():
            rows = [row for row in _rendered(shard, landmarker, describer) if row is not None]
            if not rows:
                note(f"{shard}: no usable swap")
                continue
            _write(path, rows)
        done.append(path)
        progress("ready", k + 1, len(shards))
    return done


def ready_people(
    people: Sequence[Sequence[Path]],
    out: Path,
    detector: Detector,
    landmarker: Landmarker,
    describer: Describer,
    *,
    note: Note = silent,
) -> Path:
    """Make pictures of real people ready -> the file ``out``. people: the pictures of each; the largest face of one counts.

    Raises InputError when no picture shows a face.
    """
    rows = []
    for pictures in people:
        seen = [s for s in (_look(path, detector, landmarker, describer, note) for path in pictures) if s is not None]
        for k, target in enumerate(seen):
            for step in range(1, 1 + min(SOURCES, max(1, len(seen) - 1))):
                rows.append(_Row(target, seen[(k + step * max(1, len(seen) // 3)) % len(seen)], target.jpeg, target.points))
    if not rows:
        raise InputError("none of the pictures of people shows a face; give clear pictures")
    _write(out, rows)
    return out


def pictures_below(folder: Path) -> list[Path]:
    """List the pictures of a folder and of those in it, in order."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)


def _rendered(shard: Path, landmarker: Landmarker, describer: Describer) -> Iterator[_Row | None]:
    try:
        with np.load(shard, allow_pickle=False) as data:
            jpegs = [_blobs(data, key) for key in ("jpeg", "source", "truth")]
            points = data["landmarks68"].astype(np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{shard} is no shard of `crops --pairs`: {error}") from error
    for target, source, truth, where in zip(*jpegs, points, strict=True):
        image, portrait = _rgb(target), _rgb(source)
        seen = find_at(image, where, landmarker)
        other = find_at(portrait, align.template("ibug68", len(portrait), 0.6), landmarker)
        answer = find_at(_rgb(truth), where, landmarker)
        if seen is None or other is None or answer is None:
            yield None
            continue
        described = describer.describe(portrait, [Face(box_of(other.points), 1.0, other)])[0]
        own = _seen(target, seen, np.zeros(len(described)))
        yield _Row(own, _seen(source, other, described), truth, convert(answer, "ibug68").points)


def _look(path: Path, detector: Detector, landmarker: Landmarker, describer: Describer, note: Note) -> _Seen | None:
    image = next(iter(frames(path))).image
    marked = [f for f in landmarker.mark(image, detector.detect([image])[0]) if f is not None]
    if not marked:
        note(f"{path}: no face found; skipped")
        return None
    face = max(marked, key=lambda f: f.area)
    assert face.landmarks is not None
    described = describer.describe(image, [face])[0]
    side = min(LARGEST, max(PAIR_SIZE, round(1.5 * max(face.box[2] - face.box[0], face.box[3] - face.box[1]))))
    crop = align.cut(image, align.crop_from_frame(face.landmarks, side, 0.5), side)
    jpeg = np.asarray(cv2.imencode(".jpg", crop.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1], np.uint8).ravel()
    points = apply(crop.crop_from_frame, convert(face.landmarks, "ibug68").points)
    return _seen(jpeg, Landmarks(points, "ibug68"), described)


def _seen(jpeg: NDArray[np.uint8], landmarks: Landmarks, described: NDArray[np.float64]) -> _Seen:
    place = align.crop_from_frame(landmarks, PAIR_SIZE, PAIR_COVERAGE)
    return _Seen(jpeg, place, convert(landmarks, "ibug68").points, described.astype(np.float32))


def _write(path: Path, rows: Sequence[_Row]) -> None:
    jpegs = {"target": [r.target.jpeg for r in rows], "source": [r.source.jpeg for r in rows], "truth": [r.truth for r in rows]}
    columns: dict[str, NDArray[np.generic]] = {}
    for name, blobs in jpegs.items():
        columns[name] = np.concatenate(blobs)
        columns[f"{name}_end"] = np.cumsum([len(b) for b in blobs])
    columns["target_place"] = np.stack([r.target.place for r in rows])
    columns["source_place"] = np.stack([r.source.place for r in rows])
    columns["points"] = np.stack([r.target.points for r in rows]).astype(np.float32)
    columns["source_points"] = np.stack([r.source.points for r in rows]).astype(np.float32)
    columns["truth_points"] = np.stack([r.points for r in rows]).astype(np.float32)
    columns["described"] = np.stack([r.source.described for r in rows])
    with replacing(path) as temporary:
        save_file({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in columns.items()}, temporary)


def _blobs(data: Any, key: str) -> list[NDArray[np.uint8]]:
    blob = data["jpeg" if key == "jpeg" else f"{key}_jpeg"]
    return [np.array(blob[a:b]) for a, b in pairwise(np.concatenate([[0], data[f"{key}_end"]]))]


def _decoded(blob: NDArray[np.uint8], ends: NDArray[np.int64], row: int) -> Image:
    return _rgb(blob[int(ends[row - 1]) if row else 0 : int(ends[row])])


def _rgb(jpeg: NDArray[np.uint8]) -> Image:
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB), np.uint8)

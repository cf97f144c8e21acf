"""True swaps for the networks from one photo: rendered shards and pictures of real people, made ready for training.

A shard (an npz of the head renderer's ``crops --pairs``, or of ``bench/tools/render_swaps.py``) holds person *a* playing
(``jpeg``), the same performance with the face of *b* (``truth_jpeg``), and *b* playing another one (``source_jpeg``). Of real
people there are pictures alone: one of somebody is the target and its own answer, another one is the source. What a ready file
holds says ``train.swaps``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from bianlian import align, plugins
from bianlian.detect import Detector
from bianlian.errors import InputError
from bianlian.files import replacing
from bianlian.geometry import apply, box_of
from bianlian.identity import Describer
from bianlian.landmark import Landmarker
from bianlian.landmark.schemes import convert
from bianlian.train.pairs import PAIR_COVERAGE, PAIR_SIZE, find_at
from bianlian.train.swaps import MADE, SHARD, decoded, listed
from bianlian.types import Face, Landmarks, Matrix, Note, Points, Progress, silent
from bianlian.video import PICTURE_SUFFIXES, frames

LARGEST = 384
"""Side of the stored pictures of real people, which are cut around the face."""
SOURCES = 2
"""Pictures of the same person that are the source of one of theirs."""


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


def made_ready(
    swaps: Sequence[Path], people: Sequence[Path], ready: Path, *, progress: Progress = silent, note: Note = silent
) -> list[Path]:
    """Make shards and people ready -> the files to train on. swaps, people: as of ``train.faceshifter.FaceshifterConfig``; ready:
    folder for what is made.

    Raises InputError for a path that is not there, or that holds neither, and for two shards of one name.
    """
    files = [file for path in swaps for file in listed(path)]
    shards = [file for file in files if file.suffix == SHARD]
    twice = [name for name, count in Counter(file.stem for file in shards).items() if count > 1]
    if twice:
        raise InputError(f"shards must have names of their own, {twice[0]}{SHARD} was given twice; rename one")
    done = [file for file in files if file.suffix == MADE]
    eyes = plugins.load("landmarker", "facemesh"), plugins.load("describer", "dlib")
    if shards:
        done += ready_shards(shards, ready, *(open_it() for open_it in eyes), progress=progress, note=note)
    if people:
        out = ready / f"people{MADE}"
        if not out.exists():
            shown = [pictures_below(folder) for folder in people]
            finders = (open_it() for open_it in (plugins.load("detector", "duo"), *eyes))
            ready_people(shown, out, *finders, note=note)
        done.append(out)
    return done


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
        image, portrait = decoded(target), decoded(source)
        seen = find_at(image, where, landmarker)
        other = find_at(portrait, align.template("ibug68", len(portrait), 0.6), landmarker)
        answer = find_at(decoded(truth), where, landmarker)
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

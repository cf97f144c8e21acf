"""Aligned crops of rendered people, drawn straight into the crop, as npz shards for ``bianlian pretrain``.

A shard of N crops holds JPEG and PNG files end to end, and where each ends:

- ``jpeg``, ``jpeg_end``; ``mask_png``, ``mask_end``: 255 inner face, 128 head; with occluders ``occlusion_png``, ``occlusion_end``;
- with pairs ``source_jpeg``, ``source_end`` (somebody else in another pose) and ``truth_jpeg``, ``truth_end`` (that person in the
  pose of the crop), ``source_identity``;
- ``landmarks68`` (N, 68, 2) crop pixels, ``pose`` (N, 3) degrees, ``expression`` (N, E) and ``expression_names``, ``gaze`` (N, 2),
  ``light`` (N, 3), ``identity`` (N,): rows of ``identity_names``; ``parts``: JSON of what is known about them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal, final

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.actors.actor import Actor
from bianlian.actors.backdrop import backdrop
from bianlian.actors.film import in_order
from bianlian.actors.occluders import OCCLUDERS, occlude
from bianlian.actors.performance import Performance, snapshot
from bianlian.actors.renderer import Posed, Renderer, frame_camera
from bianlian.errors import ConfigError, InputError
from bianlian.files import replacing
from bianlian.geometry import compose, umeyama
from bianlian.landmark.schemes import LEFT_EYE, RIGHT_EYE
from bianlian.types import Image, Matrix, Points, Progress, silent

Align = Literal["umeyama68", "ffhq"]
"""How a crop lies: the 68 points on the model's mean face, or eyes and mouth as in the FFHQ set (T. Karras et al., CVPR 2019)."""
KEYS = {"jpeg": "jpeg", "mask": "mask_png", "occlusion": "occlusion_png", "source": "source_jpeg", "truth": "truth_jpeg"}
"""Pictures of a shard, and the names of their bytes; their ends are KEY_end."""
_VIEW = 1000
_MOST = 1 << 31


@dataclass(frozen=True)
class CropSettings:
    """How crops are made. Raises ConfigError for a value out of range."""

    size: int = 256
    """Side in pixels, 32 to 2048."""

    align: Align = "ffhq"
    """How a crop lies: eyes and mouth as in the FFHQ set, or all 68 points on a mean face."""

    coverage: float = 0.75
    """Share of the crop that a neutral face spans with umeyama68, 0.1 to 1.5."""

    jitter: float = 0.02
    """Standard deviation of the error of alignment, of the scale and of the size."""

    pairs: bool = False
    """Add to each crop another person in another pose (the source), and that person in the pose of the crop (the truth)."""

    occluders: float = 0.0
    """Share of crops with something before the face."""

    quality: int = 92
    """Of the JPEGs, 1 to 100."""

    def __post_init__(self) -> None:
        """Check all."""
        for name, low, high in (
            *(("size", 32, 2048), ("coverage", 0.1, 1.5), ("jitter", 0, 0.2)),
            *(("occluders", 0, 1), ("quality", 1, 100)),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} of crops must lie in {low:g} to {high:g}, got {getattr(self, name)}")


@final
class CropMaker:
    """Draws crops. For any number of threads."""

    def __init__(self, renderer: Renderer, settings: CropSettings) -> None:
        self.renderer, self.settings = renderer, settings
        self._template = _template(renderer, settings.coverage)

    def noise(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw an error of alignment (3,): scale, and shift over the size."""
        return rng.normal(0, self.settings.jitter, 3)

    def place(self, landmarks: Points) -> Matrix:
        """Fit ``crop_from_frame`` (2, 3) to a face (68, 2) of a frame."""
        return crop_transform(landmarks, self.settings.size, self.settings.align, self._template)

    def camera(self, posed: Posed, noise: NDArray[np.float64]) -> Matrix:
        """Look at somebody from where their crop is seen."""
        view, size = frame_camera(_VIEW), self.settings.size
        crop_from_view = self.place(posed.landmarks(view)) * (1 + noise[0])
        crop_from_view[:, 2] += size * (noise[1:] - noise[0] / 2)
        return compose(crop_from_view, view)

    def crop(
        self, actor: Actor, act: Performance, under: Image, noise: NDArray[np.float64]
    ) -> tuple[Image, NDArray[np.uint8], Points]:
        """Draw the first frame of a performance over a square picture -> the crop, its mask, its landmarks (68, 2)."""
        posed = self.renderer.pose(actor, act, 0)
        camera = self.camera(posed, noise)
        return *self.renderer.draw(posed, camera, under, act, 0), posed.landmarks(camera)


def crop_transform(landmarks: Points, size: int, align: Align, template: Points) -> Matrix:
    """Fit ``crop_from_frame`` (2, 3). landmarks (68, 2): of a frame; template (68, 2): in the unit square."""
    if align == "umeyama68":
        return umeyama(landmarks, template * size)
    right, left = landmarks[RIGHT_EYE].mean(0), landmarks[LEFT_EYE].mean(0)
    eyes, mouth = (right + left) / 2, (landmarks[48] + landmarks[54]) / 2
    across, down = left - right, mouth - eyes
    x = across - down[::-1] * [-1, 1]
    x *= max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8) / np.hypot(*x)
    y, middle = x[::-1] * [-1, 1], eyes + down * 0.1
    corners = np.array([middle - x - y, middle - x + y, middle + x + y], np.float32)
    square = np.array([[0, 0], [0, size], [size, size]], np.float32)
    return np.asarray(cv2.getAffineTransform(corners, square), np.float64)


def write_shard(
    path: Path, maker: CropMaker, people: Sequence[Actor], count: int, seed: Sequence[int], *, workers: int | None = None,
    progress: Progress = silent,
) -> None:  # fmt: skip
    """Draw ``count`` crops of two or more people, each by ``seed`` and its number alone. Raises InputError, OutputError."""
    if len(people) < 2:
        raise InputError(f"crops want two people or more, got {len(people)}; add photos to the file of people, or mixes")
    rows = []
    for row in in_order(lambda k: _row(maker, people, np.random.default_rng([*seed, k])), count, workers):
        rows.append(row)
        progress(path.stem, len(rows), count)
    columns: dict[str, NDArray[np.generic]] = {}
    for name in rows[0].files:
        blobs = [row.files[name] for row in rows]
        columns[KEYS[name]], columns[f"{name}_end"] = np.concatenate(blobs), np.cumsum([len(b) for b in blobs])
    for name, kind in (("landmarks68", np.float32), *((n, np.float32) for n in ("pose", "gaze", "light", "expression"))):
        columns[name] = np.asarray([row.values[name] for row in rows], kind)
    columns["identity"] = np.asarray([row.people[0] for row in rows], np.int32)
    if maker.settings.pairs:
        columns["source_identity"] = np.asarray([row.people[1] for row in rows], np.int32)
    columns["expression_names"] = np.array(rows[0].names)
    columns["identity_names"] = np.array([p.name for p in people])
    columns["parts"] = np.array(json.dumps([dict(p.info) for p in people]))
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **columns)  # type: ignore[arg-type]


def read_shard(path: Path, name: str = "jpeg") -> list[NDArray[np.uint8]]:
    """Decode pictures of a shard by a name of ``KEYS``: RGB (S, S, 3), masks (S, S). Raises InputError."""
    try:
        with np.load(path, allow_pickle=False) as data:
            blob, ends = data[KEYS[name]], np.concatenate([[0], data[f"{name}_end"]])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} holds no pictures {name!r} ({error}); `bianlian actors crops` makes such shards") from error
    flag = cv2.IMREAD_GRAYSCALE if KEYS[name].endswith("png") else cv2.IMREAD_COLOR_RGB
    return [np.asarray(cv2.imdecode(np.array(blob[a:b]), flag), np.uint8) for a, b in pairwise(ends)]


@dataclass(frozen=True, eq=False)
class _Row:
    """One crop. files: encoded pictures by name; values: by name; names: of the expression; people: who is seen, whose face."""

    people: tuple[int, int]
    names: tuple[str, ...]
    files: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    values: dict[str, NDArray[np.floating]] = field(default_factory=dict)


def _row(maker: CropMaker, people: Sequence[Actor], rng: np.random.Generator) -> _Row:
    settings, size = maker.settings, maker.settings.size
    first, second = (int(k) for k in rng.choice(len(people), 2, replace=False))
    act, under, noise = snapshot(rng), backdrop(int(rng.integers(_MOST)), size, size), maker.noise(rng)
    image, mask, landmarks = maker.crop(people[first], act, under, noise)
    hidden = np.zeros_like(mask)
    if rng.random() < settings.occluders:
        image, hidden = occlude(str(rng.choice(OCCLUDERS)), image, landmarks, int(rng.integers(_MOST)))
    names = tuple(sorted(act.expression))
    row = _Row((first, second), names)
    row.files["jpeg"], row.files["mask"] = _jpeg(image, settings.quality), _png(mask)
    if settings.occluders > 0:
        row.files["occlusion"] = _png(hidden)
    if settings.pairs:
        truth = np.where(hidden[..., None] > 127, image, maker.crop(people[second], act, under, noise)[0])
        other, behind = snapshot(rng), backdrop(int(rng.integers(_MOST)), size, size)
        row.files["truth"] = _jpeg(truth, settings.quality)
        row.files["source"] = _jpeg(maker.crop(people[second], other, behind, maker.noise(rng))[0], settings.quality)
    pose = np.array([act.yaw[0], act.pitch[0], act.roll[0]])
    expression = np.array([act.expression[n][0] for n in names])
    row.values.update(landmarks68=landmarks, pose=pose, gaze=act.gaze[0], light=act.light[0], expression=expression)
    return row


def _template(renderer: Renderer, coverage: float) -> Points:
    """Lay the mean neutral face (68, 2) into the unit square, its larger side spanning ``coverage``."""
    p = renderer.head.neutral[renderer.head.landmarks, :2] * [1.0, -1.0]
    p = p - (p.min(0) + p.max(0)) / 2
    return np.asarray(p / np.ptp(p, axis=0).max() * coverage + 0.5, np.float64)


def _jpeg(image: Image, quality: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1], np.uint8).ravel()


def _png(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.imencode(".png", mask)[1], np.uint8).ravel()

"""How the learned mask is trained: rendered people, things put before them -> which pixels show the inner face.

Takes shards of the head renderer's ``crops`` (an npz: ``jpeg``, ``mask_png`` with 255 for the inner face and 128 for the rest of
the head, ``landmarks68``, and ``occlusion_png`` where it drew hands, glasses and microphones). Each example is changed at random,
so that what was rendered serves footage: another background, further things in front (``train.occluders``), place and turn, light
and colour, motion, lenses, codecs and noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bianlian import align
from bianlian.errors import InputError
from bianlian.geometry import apply, compose, scaling
from bianlian.mask.learned import COVERAGE, SIDE
from bianlian.mask.unet import MaskNet
from bianlian.train.disturb import cut, degrade, light, lit
from bianlian.train.focus import eye_centres
from bianlian.train.occluders import put_before, streaked, texture
from bianlian.train.pretrain import Arrays, as_picture, stacked
from bianlian.types import Image, Landmarks, Mask, Matrix, Points

OCCLUDED = 0.5
"""Share of examples that get a thing in front, on top of what the renderer drew; a third of them get another."""
ELSEWHERE = 0.5
"""Share of examples that get another background."""
SHADED = 0.45
"""Share of examples with a shadow or bright patch whose thrower is not seen: what differs in light alone is not in front."""
GREY = 0.06
"""Share of examples without colour."""
HIDDEN_WEIGHT = 2.0
"""Weight of a pixel of the inner face that something hides; 1 elsewhere."""
_INNER, _HEAD = 192, 64  # cuts between the renderer's mask values


@dataclass(frozen=True, eq=False)
class Seen:
    """A rendered person. image (S, S, 3) RGB uint8; inner, head, hidden (S, S) uint8, 255 inside; points (68, 2) pixels."""

    image: Image
    inner: NDArray[np.uint8]
    head: NDArray[np.uint8]
    hidden: NDArray[np.uint8]
    points: Points


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A picture of someone else. image (S, S, 3) RGB uint8; points (68, 2) pixels."""

    image: Image
    points: Points


class MaskShards:
    """Rendered crops with their masks, kept compressed in memory and decoded one at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read shards. Raises InputError when there are none, or for a file that is no such shard."""
        self._rows: list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None, Points]] = []
        for path in paths:
            try:
                with np.load(path, allow_pickle=False) as data:
                    pictures, masks = _split(data, "jpeg", "jpeg_end"), _split(data, "mask_png", "mask_end")
                    hidden = _split(data, "occlusion_png", "occlusion_end") if "occlusion_png" in data else [None] * len(pictures)
                    self._rows += zip(pictures, masks, hidden, data["landmarks68"].astype(np.float64), strict=True)
            except (OSError, KeyError, ValueError) as error:
                raise InputError(f"{path} is no shard of the head renderer's `crops`: {error}") from error
        if not self._rows:
            raise InputError("no shards to train a mask on; render some with the head renderer's `crops --occluders 0.5`")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Seen:
        """Decode one crop at half its size. index: 0 to len - 1."""
        picture, mask, hidden, points = self._rows[index]
        zones = np.asarray(cv2.imdecode(mask, cv2.IMREAD_GRAYSCALE), np.uint8)
        inner, head = (np.where(zones > level, 255, 0).astype(np.uint8) for level in (_INNER, _HEAD))
        front = np.zeros_like(zones) if hidden is None else np.asarray(cv2.imdecode(hidden, cv2.IMREAD_GRAYSCALE), np.uint8)
        small = _halved(picture)
        inner, head, front = (_shrunk(plane, small.shape) for plane in (inner, head, front))
        return Seen(small, inner, head, front, apply(scaling(0.5), points))

    def pick(self, rng: np.random.Generator) -> tuple[Seen, Glimpse]:
        """Decode a random crop, and another picture."""
        row, other = rng.integers(len(self), size=2)
        picture, _, _, points = self._rows[int(other)]
        return self[int(row)], Glimpse(_halved(picture), apply(scaling(0.5), points))


class MaskRecipe:
    """Recipe of ``mask.unet.MaskNet``."""

    betas = (0.9, 0.999)

    def __init__(self, seed: int) -> None:
        self._network = MaskNet(torch.Generator().manual_seed(seed))

    @property
    def network(self) -> MaskNet:
        """The mask's network."""
        return self._network

    def batch(self, data: MaskShards, count: int, rng: np.random.Generator) -> Arrays:
        """Make ``count`` examples."""
        return stacked([example(*data.pick(rng), SIDE, rng) for _ in range(count)])

    def draw(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Look at the pictures -> logits (B, 1, S, S)."""
        logits: Tensor = self._network(as_picture(batch[0]))
        return logits

    def losses(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare with the truth: cross entropy of each pixel, and 1 - IoU of each picture, both of soft values."""
        truth, hidden = (array[:, None].float() / 255 for array in batch[1:])
        weight = 1 + (HIDDEN_WEIGHT - 1) * hidden
        entropy = functional.binary_cross_entropy_with_logits(drawn, truth, weight)
        share = drawn.sigmoid()
        both = (share * truth).sum((1, 2, 3))
        either = (share + truth - share * truth).sum((1, 2, 3))
        missed = 1 - ((both + 1) / (either + 1)).mean()
        return {"total": entropy + 0.5 * missed, "entropy": entropy, "missed": missed}


def example(row: Seen, other: Glimpse, side: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], ...]:
    """Change one crop at random.

    other: gives background and textures. -> picture (S, S, 3), truth (S, S): 255 where the inner face shows, hidden (S, S): 255
    where something hides it; all uint8.
    """
    put = placed(row.points, side, rng)
    image, inner, head, hidden = (cut(a, put, side) for a in (row.image, row.inner, row.head, row.hidden))
    away = cut(other.image, placed(other.points, side, rng, reach=6.0), side)
    free = 1 - hidden.astype(np.float32) / 255
    if rng.random() < ELSEWHERE:
        image = _before(image, np.maximum(head.astype(np.float32) / 255, 1 - free), away, rng)
    eyes = eye_centres(apply(put, row.points))
    while rng.random() < OCCLUDED:
        image, cover = put_before(image, eyes, away, rng)
        free *= 1 - cover
        if rng.random() > 1 / 3:
            break
    image = _filmed(image, rng)
    face = inner.astype(np.float32)
    truth, lost = (np.asarray(part + 0.5, np.uint8) for part in (face * free, face * (1 - free)))
    if rng.random() < 0.5:
        image, truth, lost = (np.ascontiguousarray(a[:, ::-1]) for a in (image, truth, lost))
    return image, truth, lost


def placed(points: Points, side: int, rng: np.random.Generator, reach: float = 1.0) -> Matrix:
    """Draw a map (2, 3) from a crop to the network's picture, misplaced as landmarks of hidden faces are.

    points (68, 2): of the face in the crop. reach: how far, 1 is usual.
    """
    if rng.random() < 0.2:
        reach *= 2.5
    right = align.crop_from_frame(Landmarks(points, "ibug68"), side, COVERAGE)
    angle, zoom = np.radians(rng.normal(0, 5 * reach)), np.exp(rng.normal(0, 0.06 * reach))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.full(2, (side - 1) / 2)
    shift = middle + rng.normal(0, 0.025 * side * reach, 2) - turn @ middle
    return compose(np.concatenate([turn, shift[:, None]], axis=1), right)


def _before(image: Image, kept: Mask, away: Image, rng: np.random.Generator) -> Image:
    """Put the head before another background: another person's picture, a texture or one colour."""
    kind = rng.random()
    if kind < 0.4:
        back = cv2.GaussianBlur(away[::-1] if rng.random() < 0.5 else away, (0, 0), rng.uniform(0.3, 3)).astype(np.float32)
    elif kind < 0.8:
        back = texture(len(image), rng)
    else:
        back = np.broadcast_to(rng.uniform(0, 255, 3).astype(np.float32), image.shape)
    mixed = back + (image.astype(np.float32) - back) * kept[..., None]
    return np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)


def _filmed(image: Image, rng: np.random.Generator) -> Image:
    """Change light and colour, and do what cameras and codecs do."""
    for _ in range(1 + int(rng.integers(3))):
        image = lit(image, light(rng))
    if rng.random() < 0.3:  # light from a side
        side, angle, strength = len(image), rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6)
        y, x = np.mgrid[:side, :side].astype(np.float32) / side - 0.5
        slope = 1 + strength * (x * np.cos(angle) + y * np.sin(angle)) * 2
        image = np.asarray(np.clip(image * slope[..., None], 0, 255), np.uint8)
    if rng.random() < SHADED:
        image = _shaded(image, rng)
    if rng.random() < 0.25:  # a cast of colour
        image = np.asarray(np.clip(image * np.exp(rng.normal(0, 0.15, 3)), 0, 255), np.uint8)
    if rng.random() < GREY:
        image = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    elif rng.random() < 0.3:  # paler or stronger colours
        grey = image.mean(2, keepdims=True)
        image = np.asarray(np.clip(grey + (image - grey) * rng.uniform(0.3, 1.5), 0, 255), np.uint8)
    if rng.random() < 0.1:
        image = streaked(image, rng)
    return degrade(image, rng)


def _shaded(image: Image, rng: np.random.Generator) -> Image:
    """Throw a shadow or a light of a random shape, sharp or soft, over a picture."""
    side = len(image)
    shape = np.zeros((side, side), np.float32)
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
    reach = side * rng.uniform(0.15, 0.7, (len(angles), 1))
    ring = rng.uniform(0.1, 0.9, 2) * side + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cv2.fillPoly(shape, [np.round(ring).astype(np.int32)], 1.0, cv2.LINE_AA)
    soft = np.asarray(cv2.GaussianBlur(shape, (0, 0), side * rng.uniform(0.008, 0.12)), np.float32)
    strength = rng.uniform(-0.65, -0.1) if rng.random() < 0.75 else rng.uniform(0.1, 0.6)
    return np.asarray(np.clip(image * (1 + np.float32(strength) * soft)[..., None], 0, 255), np.uint8)


def _halved(picture: NDArray[np.uint8]) -> Image:
    """Decode a JPEG at half its size."""
    return np.asarray(cv2.cvtColor(np.asarray(cv2.imdecode(picture, cv2.IMREAD_REDUCED_COLOR_2)), cv2.COLOR_BGR2RGB), np.uint8)


def _shrunk(plane: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(plane, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.uint8)


def _split(data: Any, name: str, ends: str) -> list[NDArray[np.uint8]]:
    blob, edges = data[name], np.concatenate([[0], data[ends]])
    return [np.array(blob[a:b]) for a, b in pairwise(edges)]

"""Training batches of facesets: made by threads ahead of the step, each face fixed by (seed, iteration, person, row) alone.

Since a batch depends on nothing but its iteration, a resumed run sees exactly the batches that an unbroken one sees; and since a
row depends on nothing but its number, two processes, or two batches added up, see exactly the faces of one batch twice as large.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from bianlian.align import COVERAGE
from bianlian.errors import NoFaceError
from bianlian.faceset.record import FaceRecord
from bianlian.faceset.store import Faceset
from bianlian.geometry import apply
from bianlian.landmark.schemes import convert
from bianlian.model.protocol import Batch
from bianlian.train.augment import AugmentConfig, augment, model_from_faceset
from bianlian.train.focus import FACE, OUTSIDE
from bianlian.train.held_out import held_out
from bianlian.types import Image, Matrix, Points

CACHE_BYTES = 1 << 30
"""Decoded crops that are held in memory for all people together, at most; the rest is decoded again each time."""
AHEAD = 3
"""Batches that are made ahead of the step."""


class People:
    """The kept faces of several people, ready to be drawn from. Crops are decoded when first needed."""

    def __init__(self, facesets: Sequence[Faceset], share: float = 0.0) -> None:
        """Read the records of facesets and hold out a share of them. Raises NoFaceError for a person without a kept face."""
        self.facesets = tuple(facesets)
        self._records: list[list[FaceRecord]] = []
        self._counts: list[int] = []
        for faceset in self.facesets:
            records = list(faceset.kept())
            if not records:
                raise NoFaceError(f"{faceset.path} holds no kept face of {faceset.person}; extract more footage")
            held = held_out(len(records), share)
            self._records.append([records[i] for i in np.argsort(held, kind="stable")])  # those to train on come first
            self._counts.append(int((~held).sum()))
        self._points: list[list[Points]] = [[_crop_points(r) for r in records] for records in self._records]
        self._cache: dict[tuple[int, int], Image] = {}
        sizes = [3 * f.header.size**2 * len(r) for f, r in zip(self.facesets, self._records, strict=True)]
        self._cached_share = min(1.0, CACHE_BYTES / max(1, sum(sizes)))

    def count(self, person: int) -> int:
        """Number of faces of one person to train on; they have the indices below it."""
        return self._counts[person]

    def unseen(self, person: int) -> list[int]:
        """Indices of the faces of one person that training never sees; of those it sees when there are no others."""
        whole = len(self._records[person])
        return list(range(self.count(person), whole)) or list(range(whole))

    def held_out(self, person: int) -> bool:
        """Tell whether any face of a person is held out."""
        return self.count(person) < len(self._records[person])

    def face(self, person: int, index: int) -> tuple[Image, Points]:
        """Give crop (C, C, 3) uint8 and its 68 points (crop pixels) of one face."""
        key = (person, index)
        crop = self._cache.get(key)
        if crop is None:
            crop = self.facesets[person].load_crop(self._records[person][index])
            if index < self._cached_share * len(self._records[person]):
                self._cache[key] = crop
        return crop, self._points[person][index]


@dataclass(frozen=True)
class Draw:
    """Which faces the batches of an iteration draw.

    counts: of each person, None for the maker's ``batch`` of each. parts: which batches of the iteration's whole, one each.
    tries: how often training was rolled back; other faces are drawn then.
    """

    counts: tuple[int, ...] | None = None
    parts: tuple[int, ...] = (0,)
    tries: int = 0


@dataclass(frozen=True)
class BatchMaker:
    """Makes the batches of a run. size: side of the model's picture; batch: faces of each person a step."""

    people: People
    size: int
    batch: int
    augment: AugmentConfig
    seed: int

    def make(self, iteration: int, draw: Draw = Draw()) -> list[Batch]:
        """Make the batch of one iteration, one entry a person; of several parts the first."""
        return self.make_parts(iteration, draw)[0]

    def make_parts(self, iteration: int, draw: Draw) -> list[list[Batch]]:
        """Make the batches of one iteration: one a part, with one entry a person."""
        counts = draw.counts or (self.batch,) * len(self.people.facesets)
        return [[self._person(person, iteration, count, part, draw) for person, count in enumerate(counts)] for part in draw.parts]

    def _person(self, person: int, iteration: int, count: int, part: int, draw: Draw) -> Batch:
        to_model, rows = self._to_model(person), []
        for row in range(part * count, (part + 1) * count):
            rng = np.random.default_rng([self.seed, iteration, person, row, draw.tries])
            crop, points = self.people.face(person, int(rng.integers(self.people.count(person))))
            tint = self._another(self.augment.match, rng)
            front = self._another(self.augment.occlude, rng)
            rows.append(augment(crop, points, to_model, self.size, self.augment, rng, tint=tint, front=front))
        warped, truth, *maps = (np.stack(column) for column in zip(*rows, strict=True))
        weight, eyes, hidden = (torch.from_numpy(one)[:, None] for one in maps)
        tensors = to_tensor(warped), to_tensor(truth), weight, eyes
        return Batch(*tensors, hidden, on_face(weight) * (1 - hidden)) if self.augment.occlude else Batch(*tensors)

    def _another(self, odds: float, rng: np.random.Generator) -> Image | None:
        """Draw a face of anybody, as often as the odds say: for its colours, or as a texture."""
        if odds == 0 or rng.random() >= odds:
            return None
        other = int(rng.integers(len(self.people.facesets)))
        return self.people.face(other, int(rng.integers(self.people.count(other))))[0]

    def portraits(self, person: int, most: int = 64) -> torch.Tensor:
        """Give up to ``most`` faces of one person, spread over their footage, as the model sees them: (N, 3, S, S)."""
        count = self.people.count(person)
        indices = np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))
        return to_tensor(np.stack([self.plain(person, int(i)) for i in indices]))

    def plain(self, person: int, index: int) -> Image:
        """Give one face as the model sees it, unchanged: (S, S, 3) uint8."""
        crop, _ = self.people.face(person, index)
        side, to_model = (self.size, self.size), self._to_model(person)
        return np.asarray(cv2.warpAffine(crop, to_model, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    def plain_points(self, person: int, index: int) -> Points:
        """Give the 68 points of one face in the pixels of ``plain``."""
        return apply(self._to_model(person), self.people.face(person, index)[1])

    def _to_model(self, person: int) -> Matrix:
        header = self.people.facesets[person].header
        return model_from_faceset(header.size, header.coverage, self.size, COVERAGE)


@final
class Feed:
    """Hands out the batches of iteration after iteration, made ahead in threads. Close it to stop them.

    waited: seconds that ``get`` has waited so far, but for the first batches, which nobody could make ahead.
    """

    def __init__(self, maker: BatchMaker, threads: int | None = None) -> None:
        """Make nothing yet. threads: of the makers; None leaves the cores to the step on a CPU and takes most beside a GPU."""
        self._threads = threads or loaders(torch.cuda.is_available())
        self._maker, self._pool = maker, ThreadPoolExecutor(self._threads, thread_name_prefix="batches")
        self._waiting: deque[tuple[int, Future[list[list[Batch]]]]] = deque()
        self._draw = Draw()
        self.waited = 0.0

    def get(self, iteration: int, draw: Draw) -> list[list[Batch]]:
        """Give the batches of an iteration, one a part. An error of a thread is raised here.

        Those that are made ahead are the next iterations' by the same ``draw``; they are thrown away when another is asked for.
        """
        began = monotonic()
        if not self._waiting or self._waiting[0][0] != iteration or self._draw != draw:
            self._cancel()
            self._draw = draw
            self._fill(iteration)
            began = float("inf")
        batches = self._waiting.popleft()[1].result()
        self._fill(iteration + 1)
        self.waited += max(0.0, monotonic() - began)
        return batches

    def close(self) -> None:
        """Stop the threads."""
        self._cancel()
        self._pool.shutdown()

    def _fill(self, iteration: int) -> None:
        for k in range(iteration + len(self._waiting), iteration + AHEAD + self._threads):
            self._waiting.append((k, self._pool.submit(self._maker.make_parts, k, self._draw)))

    def _cancel(self) -> None:
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()


def loaders(cuda: bool) -> int:
    """Threads that make batches: one beside a step on the CPU, which wants the cores itself, most of the cores beside a GPU."""
    return max(1, min(8, (os.cpu_count() or 1) - 1)) if cuda else 1


def to_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) float32 in [0, 1], in the memory order that convolutions read fastest."""
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return tensor.contiguous(memory_format=torch.channels_last)


def on_face(weight: torch.Tensor) -> torch.Tensor:
    """Tell from its weights (``focus_map``) how far a pixel lies on the face, in [0, 1]."""
    return ((weight - OUTSIDE) / (FACE - OUTSIDE)).clamp(0, 1)


def _crop_points(record: FaceRecord) -> Points:
    return apply(record.crop_from_frame, convert(record.landmarks, "ibug68").points)

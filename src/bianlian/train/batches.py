"""Training batches of facesets: made by threads ahead of the step, each fixed by (seed, iteration, person) alone.

Since a batch depends on nothing but its iteration, a resumed run sees exactly the batches that an unbroken one sees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

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
from bianlian.types import Image, Points

CACHE_BYTES = 1 << 30
"""Decoded crops that are held in memory for all people together, at most; the rest is decoded again each time."""
AHEAD = 3
"""Batches that are made ahead of the step."""


class People:
    """The kept faces of several people, ready to be drawn from. Crops are decoded when first needed."""

    def __init__(self, facesets: Sequence[Faceset]) -> None:
        """Read the records of facesets. Raises NoFaceError for a person without a kept face."""
        self.facesets = tuple(facesets)
        self._records: list[list[FaceRecord]] = [list(f.kept()) for f in self.facesets]
        for faceset, records in zip(self.facesets, self._records, strict=True):
            if not records:
                raise NoFaceError(f"{faceset.path} holds no kept face of {faceset.person}; extract more footage")
        self._points: list[list[Points]] = [[_crop_points(r) for r in records] for records in self._records]
        self._cache: dict[tuple[int, int], Image] = {}
        sizes = [3 * f.header.size**2 * len(r) for f, r in zip(self.facesets, self._records, strict=True)]
        self._cached_share = min(1.0, CACHE_BYTES / max(1, sum(sizes)))

    def count(self, person: int) -> int:
        """Number of kept faces of one person."""
        return len(self._records[person])

    def face(self, person: int, index: int) -> tuple[Image, Points]:
        """Give crop (C, C, 3) uint8 and its 68 points (crop pixels) of one face."""
        key = (person, index)
        crop = self._cache.get(key)
        if crop is None:
            crop = self.facesets[person].load_crop(self._records[person][index])
            if index < self._cached_share * self.count(person):
                self._cache[key] = crop
        return crop, self._points[person][index]


@dataclass(frozen=True)
class BatchMaker:
    """Makes the batches of a run. size: side of the model's picture; batch: faces of each person a step."""

    people: People
    size: int
    batch: int
    augment: AugmentConfig
    seed: int

    def make(self, iteration: int) -> list[Batch]:
        """Make the batch of one iteration, one entry a person."""
        return [self._person(person, iteration) for person in range(len(self.people.facesets))]

    def _person(self, person: int, iteration: int) -> Batch:
        rng = np.random.default_rng([self.seed, iteration, person])
        header = self.people.facesets[person].header
        to_model = model_from_faceset(header.size, header.coverage, self.size, COVERAGE)
        rows = []
        for index in rng.integers(self.people.count(person), size=self.batch):
            crop, points = self.people.face(person, int(index))
            tint = self._tint(rng)
            rows.append(augment(crop, points, to_model, self.size, self.augment, rng, tint=tint))
        warped, truth, weight, eyes = (np.stack(column) for column in zip(*rows, strict=True))
        return Batch(to_tensor(warped), to_tensor(truth), torch.from_numpy(weight)[:, None], torch.from_numpy(eyes)[:, None])

    def _tint(self, rng: np.random.Generator) -> Image | None:
        """Draw a face of anybody whose colours the next one shall take, or None."""
        if self.augment.match == 0 or rng.random() >= self.augment.match:
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
        header = self.people.facesets[person].header
        to_model = model_from_faceset(header.size, header.coverage, self.size, COVERAGE)
        crop, _ = self.people.face(person, index)
        side = (self.size, self.size)
        return np.asarray(cv2.warpAffine(crop, to_model, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def ahead(maker: BatchMaker, start: int, threads: int = 1) -> Generator[list[Batch], None, None]:
    """Give the batches of iterations start, start + 1, ... without end; they are made ahead in threads.

    An error of a thread is raised here. Close the iterator (or let it be collected) to stop the threads.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="batches") as pool:
        waiting: deque[Future[list[Batch]]] = deque(pool.submit(maker.make, start + k) for k in range(AHEAD))
        iteration = start + AHEAD
        try:
            while True:
                batch = waiting.popleft().result()
                waiting.append(pool.submit(maker.make, iteration))
                iteration += 1
                yield batch
        finally:
            for future in waiting:
                future.cancel()


def to_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) float32 in [0, 1], in the memory order that convolutions read fastest."""
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return tensor.contiguous(memory_format=torch.channels_last)


def _crop_points(record: FaceRecord) -> Points:
    return apply(record.crop_from_frame, convert(record.landmarks, "ibug68").points)

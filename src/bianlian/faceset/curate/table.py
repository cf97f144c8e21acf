"""All faces of a faceset as columns of numbers, a row a face: 50 000 faces take some 60 MB, and no picture is held."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bianlian.faceset.curate.expression import expression
from bianlian.faceset.curate.look import Look
from bianlian.faceset.header import Header
from bianlian.faceset.record import FaceRecord
from bianlian.geometry import apply
from bianlian.types import Landmarks


@dataclass(frozen=True, eq=False)
class Seen:
    """What was measured of one face.

    stamp: of the record and crop it was measured on, see ``stamp``. look: of its pixels. face: score of finding the face again
    in its crop, 0 when it was not found. who: its description (D,) float32. Either is None when it was not asked for.
    """

    stamp: str
    look: Look
    face: float | None = None
    who: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Entry:
    """What the records tell of one face: its stamp, why extraction left it out (None where it did not), width in frame pixels,
    pose and expression."""

    id: int
    stamp: str
    reason: str | None
    width: float
    pose: tuple[float, float, float]
    expression: NDArray[np.float64]

    @classmethod
    def of(cls, record: FaceRecord, header: Header, bytes_of_crop: int) -> Self:
        """Read it off a record."""
        width = float(record.box[2] - record.box[0])
        points = apply(record.crop_from_frame, record.landmarks.points)
        face = expression(Landmarks(points, record.scheme), header.size * header.coverage)
        return cls(record.id, stamp(record, bytes_of_crop), record.reason, width, record.pose, face)


def stamp(record: FaceRecord, bytes_of_crop: int) -> str:
    """Tell one face from another that may later carry its number: 16 hex digits of its place and its crop's size."""
    what = f"{record.file}\n{record.frame}\n{record.box.tolist()}\n{record.crop}\n{bytes_of_crop}"
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns, each with a row a face, in the order of the ids.

    ids (N,) int64; stamps; width, face, blur, level, burnt, contrast, whole, side, top (N,) float64, face NaN where unknown;
    pose (N, 3) degrees; expression (N, 6); hash (N,) uint64; who (N, D) float32, NaN where unknown.
    """

    ids: NDArray[np.int64]
    stamps: tuple[str, ...]
    width: NDArray[np.float64]
    pose: NDArray[np.float64]
    expression: NDArray[np.float64]
    face: NDArray[np.float64]
    blur: NDArray[np.float64]
    level: NDArray[np.float64]
    burnt: NDArray[np.float64]
    contrast: NDArray[np.float64]
    whole: NDArray[np.float64]
    side: NDArray[np.float64]
    top: NDArray[np.float64]
    hash: NDArray[np.uint64]
    who: NDArray[np.float32]

    def __len__(self) -> int:
        """Count the faces."""
        return len(self.ids)

    @classmethod
    def of(cls, entries: Sequence[Entry], seen: Sequence[Seen]) -> Self:
        """Put what is known of each face side by side."""
        looks = [one.look for one in seen]

        def column(values: Sequence[float]) -> NDArray[np.float64]:
            return np.array(values, np.float64)

        return cls(
            ids=np.array([e.id for e in entries], np.int64),
            stamps=tuple(e.stamp for e in entries),
            width=column([e.width for e in entries]),
            pose=column([a for e in entries for a in e.pose]).reshape(-1, 3),
            expression=column([v for e in entries for v in e.expression]).reshape(-1, 6),
            face=column([np.nan if s.face is None else s.face for s in seen]),
            blur=column([k.blur for k in looks]),
            level=column([k.level for k in looks]),
            burnt=column([k.burnt for k in looks]),
            contrast=column([k.contrast for k in looks]),
            whole=column([k.whole for k in looks]),
            side=column([k.side for k in looks]),
            top=column([k.top for k in looks]),
            hash=np.array([k.hash for k in looks], np.uint64),
            who=stack([s.who for s in seen]),
        )


def stack(who: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32]:
    """Stack descriptions -> (N, D), rows of NaN for those that are not there; D is 1 when none is."""
    width = next((len(w) for w in who if w is not None), 1)
    out = np.full((len(who), width), np.nan, np.float32)
    for row, one in zip(out, who, strict=True):
        if one is not None:
            row[:] = one
    return out

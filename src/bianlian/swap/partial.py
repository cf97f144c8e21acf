"""An analysis that outlives an interruption: what was seen in each batch of frames is written down; the next run links it anew.

A file of lines, one a batch, after a line that says what was searched and how. Linking is quick, so its state is not kept: the
same faces, descriptions and thumbnails give the same tracks.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bianlian.files import writing
from bianlian.swap.report import versions
from bianlian.track.link import THUMB, Sight
from bianlian.types import Face, Image, Landmarks

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen in one frame: its index, whether a shot begins with it, its faces, and what else was looked at of them."""

    frame: int
    cut: bool
    faces: tuple[Face, ...]
    sight: Sight


@dataclass(frozen=True, eq=False)
class Batch:
    """Frames that were searched together. empty: the detector found nothing; thumb: the last frame, small."""

    frames: tuple[Seen, ...]
    empty: bool
    thumb: Image


class Partial:
    """The file. One writer at a time; use it in a ``with closing`` block."""

    def __init__(self, path: Path, label: Mapping[str, Any]) -> None:
        """Name the file. label: what is searched and how, as JSON takes it; what was written under another one is not used."""
        self._path = path
        self._first = json.dumps({"schema": SCHEMA, **label, "versions": versions()}) + "\n"

    def read(self) -> Iterator[Batch]:
        """Give the batches of an earlier run and cut off what an interruption tore; ``add`` goes on after them.

        Raises OutputError.
        """
        with writing(self._path):
            self._file = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
            end = 0
            lines = iter(self._file.readline, b"")
            if next(lines, b"") == self._first.encode():
                end = len(self._first)
                for line in lines:
                    batch = _parsed(line)
                    if batch is None:
                        break
                    end += len(line)
                    yield batch
            self._file.seek(end)
            self._file.truncate()
            if not end:
                self._file.write(self._first.encode())

    def add(self, batch: Batch) -> None:
        """Write down the next batch. Raises OutputError."""
        rows = [[seen.frame, seen.cut, [_row(seen, k) for k in range(len(seen.faces))]] for seen in batch.frames]
        line = {"frames": rows, "empty": batch.empty, "thumb": _text(batch.thumb), "shape": batch.thumb.shape}
        with writing(self._path):
            self._file.write((json.dumps(line) + "\n").encode())

    def close(self) -> None:
        """Close the file; ``read`` must have been called."""
        self._file.close()


def _row(seen: Seen, k: int) -> list[Any]:
    face, thumb, looks = seen.faces[k], seen.sight.thumbs[k], seen.sight.looks[k]
    marks = None if face.landmarks is None else [face.landmarks.scheme, face.landmarks.points.tolist()]
    return [
        face.box.tolist(),
        face.score,
        marks,
        None if thumb is None else _text(thumb),
        None if looks is None else looks.tolist(),
    ]


def _parsed(line: bytes) -> Batch | None:
    """Read a line; None for one that is torn or damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        value = json.loads(line)
        frames = tuple(_seen(*row) for row in value["frames"])
        return Batch(frames, value["empty"], _image(value["thumb"], value["shape"]))
    except (ValueError, TypeError, LookupError):
        return None


def _seen(frame: int, cut: bool, rows: Sequence[Sequence[Any]]) -> Seen:
    faces = tuple(
        Face(np.array(box, np.float64), score, None if marks is None else Landmarks(np.array(marks[1], np.float64), marks[0]))
        for box, score, marks, _, _ in rows
    )
    thumbs = tuple(None if row[3] is None else _image(row[3], (THUMB, THUMB, 3)) for row in rows)
    looks = tuple(None if row[4] is None else np.array(row[4], np.float64) for row in rows)
    return Seen(frame, cut, faces, Sight(thumbs, looks))


def _text(image: Image) -> str:
    return b64encode(np.ascontiguousarray(image).tobytes()).decode("ascii")


def _image(text: str, shape: Sequence[int]) -> Image:
    return np.frombuffer(b64decode(text), np.uint8).reshape(shape)

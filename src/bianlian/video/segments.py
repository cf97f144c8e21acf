"""Write a video in segments that outlive an interruption: each is encoded by itself, and all are joined without encoding again.

A segment begins with a key frame and needs no other one. Its packets lie in a file of their own, with the encoder's ticks; the
output is made of these files alone, so that one that was written with interruptions and one that was not are the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import av
from av.container import OutputContainer
from av.packet import Packet

from bianlian.files import replacing
from bianlian.types import Frame
from bianlian.video.container import VIDEO_SUFFIXES
from bianlian.video.encoding import Encoding
from bianlian.video.marks import Marks
from bianlian.video.movie import VideoWriter
from bianlian.video.probe import VideoInfo
from bianlian.video.still import FolderWriter
from bianlian.video.timing import Moment, Times
from bianlian.video.transcode import FORMATS
from bianlian.video.whole import writing
from bianlian.video.write import FrameWriter, open_writer

Record = Mapping[str, Any]
"""What must be remembered of a finished segment, as JSON takes it."""

PICTURES = "pictures"
"""Folder of the pictures of an output that is a folder, until it is whole."""


class SegmentWriter(FrameWriter, Protocol):
    """Takes frames in order, in segments; the output appears on a clean exit only."""

    def cut(self) -> Record:
        """End the segment: what was written since the last one is on the disk when this returns. Raises OutputError."""
        ...


def open_segments(
    path: Path,
    like: VideoInfo,
    encoding: Encoding | None,
    folder: Path,
    finished: Sequence[Record],
    note: Callable[[str], None] | None = None,
    *,
    start: Fraction | None = None,
    stop: Fraction | None = None,
    marks: Marks | None = None,
) -> SegmentWriter:
    """Choose a writer as ``open_writer`` does. folder: for its segments, there already; finished: records of earlier runs.

    The first frame to come is the one after the last that ``finished`` holds. Raises OutputError.
    """
    if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir() and like.kind != "image":
        return SegmentedVideo(path, like, encoding, folder, finished, note=note, start=start, stop=stop, marks=marks)
    if path.suffix == "" or path.is_dir():
        return Uncut(FolderWriter(path, like, note=note, part=folder / PICTURES, marks=marks))
    return Uncut(open_writer(path, like, encoding, note, start=start, stop=stop, marks=marks))


class Uncut:
    """A writer whose frames are each finished when they are written."""

    def __init__(self, writer: FrameWriter) -> None:
        self._writer = writer

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.__exit__(kind, error, trace)

    def write(self, frame: Frame) -> None:
        """Write the next frame. Raises OutputError."""
        self._writer.write(frame)

    def cut(self) -> Record:
        """Nothing is left to do."""
        return {}


@dataclass(frozen=True)
class _Stored:
    """A finished segment. path: of its packets; table: (bytes, pts, dts, key) of each, in the encoder's time base."""

    path: Path
    table: tuple[tuple[int, int, int, bool], ...]

    def packets(self) -> Iterator[Packet[Any]]:
        """Read the packets, one at a time."""
        with self.path.open("rb") as file:
            for size, pts, dts, key in self.table:
                packet = Packet(file.read(size))
                packet.pts, packet.dts, packet.is_keyframe = pts, dts, key
                yield packet


class SegmentedVideo:
    """Context manager that encodes a video in segments; see ``VideoWriter`` for everything else.

    folder: for the segments' packets, ``000000.packets`` and so on. finished: records of the segments that are there.
    """

    def __init__(
        self,
        path: Path,
        like: VideoInfo,
        encoding: Encoding | None,
        folder: Path,
        finished: Sequence[Record] = (),
        *,
        note: Callable[[str], None] | None = None,
        start: Fraction | None = None,
        stop: Fraction | None = None,
        marks: Marks | None = None,
    ) -> None:
        self._movie = VideoWriter(path, like, encoding, note=note, start=start, stop=stop, folder=folder, marks=marks)
        self._times = Times(like, path.suffix.lower(), Fraction(25), _ignore, from_zero=start is not None)
        self._path, self._folder, self._finished = path, folder, finished
        self._encoder: _Encoder | None = None
        self._moments: list[Moment] = []
        self._count = 0

    def __enter__(self) -> Self:
        self._movie.__enter__()
        try:
            for record in self._finished:
                moments = [_moment(row) for row in record["moments"]]
                for moment in moments:
                    self._times.place(moment)
                self._join(moments, record["packets"])
        except BaseException as error:
            self._movie.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._encoder is not None:
            self._encoder.close()
        self._movie.__exit__(kind, error, trace)

    def write(self, frame: Frame) -> None:
        """Encode the next frame; frames come in the order of time. Raises OutputError."""
        picture = self._movie.picture(frame, self._times.place(frame))
        self._moments.append(Moment(frame.index, frame.pts, frame.time_base))
        with writing(self._path):
            if self._encoder is None:
                self._encoder = _Encoder(self._movie, self._folder / f"{self._count:06d}.packets", self._movie.suffix)
            self._encoder.encode(picture)

    def cut(self) -> Record:
        """End the segment: see ``SegmentWriter``. Without a frame there is nothing to end: an empty record."""
        if self._encoder is None:
            return {}
        with writing(self._path):
            table = self._encoder.finish()
        self._encoder = None
        moments, self._moments = self._moments, []
        self._join(moments, table)
        return {"moments": [_row(moment) for moment in moments], "packets": table}

    def _join(self, moments: Sequence[Moment], table: Sequence[Sequence[Any]]) -> None:
        stored = _Stored(self._folder / f"{self._count:06d}.packets", tuple((s, p, d, bool(k)) for s, p, d, k in table))
        self._count += 1
        self._movie.append(moments, stored.packets())


class _Encoder:
    """Encodes one segment into a file, which appears whole or not at all."""

    def __init__(self, movie: VideoWriter, path: Path, suffix: str) -> None:
        self._nowhere: OutputContainer = av.open(io.BytesIO(), "w", format=FORMATS[suffix])
        self._stream = movie.add_stream(self._nowhere)
        self._table: list[list[int]] = []
        self._whole = replacing(path)
        self._file = self._whole.__enter__().open("wb")

    def encode(self, picture: av.VideoFrame | None) -> None:
        """Encode a frame, or with None what is left."""
        for packet in self._stream.encode(picture):
            data = bytes(packet)
            self._file.write(data)
            pts = packet.pts or 0
            self._table.append([len(data), pts, pts if packet.dts is None else packet.dts, int(packet.is_keyframe)])

    def finish(self) -> list[list[int]]:
        """Write what is left, and give the file its name -> the table of its packets."""
        self.encode(None)
        self._file.close()
        self._nowhere.close()
        self._whole.__exit__(None, None, None)
        return self._table

    def close(self) -> None:
        """Give up."""
        self._file.close()
        self._nowhere.close()
        stopped = GeneratorExit()
        self._whole.__exit__(type(stopped), stopped, None)


def _row(moment: Moment) -> list[Any]:
    return [moment.index, moment.pts, None if moment.time_base is None else str(moment.time_base)]


def _moment(row: Sequence[Any]) -> Moment:
    index, pts, base = row
    return Moment(index, pts, None if base is None else Fraction(base))


def _ignore(line: str) -> None:
    del line

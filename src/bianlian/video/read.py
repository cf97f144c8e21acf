"""Any video, picture or folder of pictures -> Frames, one at a time, with the times of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import dropwhile
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from bianlian.errors import ConfigError, VideoError
from bianlian.types import Deep, Frame, Image
from bianlian.video.color import Orientation, orientation_of, to_rgb, to_rgb16
from bianlian.video.container import cut_short, open_video, picture_stream
from bianlian.video.pictures import is_picture, list_pictures, read_frame
from bianlian.video.span import Span, find_entry

Tell = Callable[[str], None]
_GIVE_UP = 100
_FEW = 5


def frames(
    path: Path,
    *,
    every: int = 1,
    first: int = 0,
    start: Fraction | None = None,
    stop: Fraction | None = None,
    rough: bool = False,
    damaged: Tell | None = None,
) -> Iterator[Frame]:
    """Read frames as RGB, upright, streaming; pts and time base are those of the file.

    every: yield frames whose index is a multiple. first: index from which on frames are yielded. start, stop: start <= time < stop,
    in seconds; in a folder, which has no time, places. rough: of videos, colours a grey level off for less work, see
    ``video.color.to_rgb``. damaged: gets one line for all that had to be skipped, guessed or rescaled.
    Frame.index counts every frame from 0, also with ``every``, ``first`` and ``start``; in a folder it is the place in natural
    order, broken pictures counted. Pictures of a folder keep their sizes. What lies before the key frame that ``start`` needs is
    not decoded; what lies before ``first`` is, so that damage is counted as it was.
    Raises ConfigError for ``every`` below 1; VideoError for an input that yields no frame at all.
    """
    if every < 1:
        raise ConfigError(f"every must be 1 or more, got {every}")
    tell = damaged or _ignore
    if path.is_dir():
        return _folder(path, every, first, Span(start, stop), tell)
    if is_picture(path):
        return iter([read_frame(path, 0)][first:])
    return _video(path, every, first, Span(start, stop), rough, tell)


def _ignore(line: str) -> None:
    del line


def _folder(path: Path, every: int, first: int, span: Span, tell: Tell) -> Iterator[Frame]:
    wanted = [(k, p) for k, p in enumerate(list_pictures(path)) if k >= first and k % every == 0 and span.holds(Fraction(k))]
    broken = 0
    for index, picture in wanted:
        try:
            frame = read_frame(picture, index)
        except VideoError as error:
            broken += 1
            tell(f"{error}; skipped")
            continue
        yield frame
    if broken and not first and broken == len(wanted):
        raise VideoError(f"wanted a folder of pictures, none of the {broken} read from {path} is sound: replace them")


def _video(path: Path, every: int, first: int, span: Span, rough: bool, tell: Tell) -> Iterator[Frame]:
    entry = None if span.start is None else find_entry(path, span.start)
    with open_video(path) as container:
        stream = picture_stream(container, path)
        # Frame threads gain little here (measured) and make damaged files decode differently from run to run.
        stream.thread_type = "SLICE"
        time_base = stream.time_base or Fraction(1, 1000)
        scaler, clock, sizes = VideoReformatter(), _Clock(stream, time_base, tell), _Sizes(tell)
        packets = _packets(path, container, stream, tell)
        index, before = -1, 0
        if entry is not None:
            before = entry.frames
            packets = dropwhile(lambda p: p is not None and p.pts != entry.pts, packets)
            sizes = _Sizes(tell, (stream.codec_context.width, stream.codec_context.height))
        pictures = _decoded(path, packets, stream, clock, tell)
        if entry is not None:
            # Pictures that are stored after the key frame and shown before it lack what they are made from.
            pictures = (p for p in pictures if p.pts is None or p.pts >= entry.pts)
        for index, picture in enumerate(pictures, before):
            if index == before:
                turn = orientation_of(picture)
            width, height = sizes.first(picture, index)
            pts = clock.pts(picture, index)
            if span.stop is not None and pts * time_base >= span.stop:
                return
            if index % every or index < first or not span.holds(pts * time_base):
                continue
            image = turn.upright(to_rgb(scaler, picture, width, height, rough=rough))
            yield Frame(image, index, pts, time_base, _deep(image, picture, turn, width, height))
    if index < 0:
        raise VideoError(f"wanted a video, not one frame of {path} can be decoded: copy or record it again")
    missing = cut_short(path)
    if missing is not None:
        tell(missing)


def _deep(image: Image, picture: VideoFrame, turn: Orientation, width: int, height: int) -> Deep | None:
    """Keep a picture of more than 8 bits a colour as it was decoded."""
    if picture.format.components[0].bits <= 8:
        return None
    return Deep(image, lambda: turn.upright(to_rgb16(picture, width, height)))


class _Clock:
    """Gives each frame its time.

    Where the container has decoding times only (AVI), those; where it has none, the frame before plus the usual step.
    """

    def __init__(self, stream: VideoStream, time_base: Fraction, tell: Tell) -> None:
        self._step = max(1, round(1 / ((stream.average_rate or Fraction(25)) * time_base)))
        self._next = stream.start_time or 0
        self._first: int | None = None
        self._late: int | None = None
        self._tell = tell

    def saw(self, packet: Packet[VideoStream]) -> None:
        """Learn when decoding begins, to tell by how much the decoder is late."""
        if self._first is None and packet.size:
            self._first = packet.dts

    def pts(self, picture: VideoFrame, index: int) -> int:
        """Time of the next decoded frame."""
        pts = picture.pts
        if pts is None and picture.dts is not None:
            if self._late is None:
                self._late = picture.dts - (picture.dts if self._first is None else self._first)
            pts = picture.dts - self._late
        elif pts is None:
            pts = self._next
            self._tell(f"frame {index} has no time in the file: guessed from the frame before")
        self._next = pts + self._step
        return pts


class _Sizes:
    """Remembers the first frame's size and tells when the size changes midway."""

    def __init__(self, tell: Tell, first: tuple[int, int] | None = None) -> None:
        self._tell = tell
        self._first = self._now = first or (0, 0)

    def first(self, picture: VideoFrame, index: int) -> tuple[int, int]:
        size = (picture.width, picture.height)
        if self._first == (0, 0):
            self._first = size
        elif size != self._now:
            (w, h), (fw, fh) = size, self._first
            self._tell(f"from frame {index} on the picture is {w} x {h}: scaled to the first frame's {fw} x {fh}")
        self._now = size
        return self._first


class _Damage:
    """Tells of the first few damaged places of a file, and at the end how many there are."""

    def __init__(self, name: str, tell: Tell) -> None:
        self._name, self._tell = name, tell
        self._packets = self._frames = 0

    def packet(self, count: int, why: str) -> None:
        self._packets += 1
        if self._packets <= _FEW:
            self._tell(f"{self._name}: a packet after frame {count} cannot be decoded ({why}): skipped")

    def frame(self, count: int) -> None:
        self._frames += 1
        if self._frames <= _FEW:
            self._tell(f"{self._name}: frame {count} is damaged: the decoder filled in what is missing")

    def end(self) -> None:
        if max(self._packets, self._frames) > _FEW:
            self._tell(f"{self._name}: in all {self._packets} packets could not be decoded and {self._frames} frames are damaged")


def _decoded(
    path: Path, packets: Iterator[Packet[VideoStream] | None], stream: VideoStream, clock: _Clock, tell: Tell
) -> Iterator[VideoFrame]:
    count = 0
    damage = _Damage(path.name, tell)
    for packet in packets:
        if packet is not None:
            clock.saw(packet)
        try:
            pictures = stream.decode(packet)
        except av.error.EOFError:
            break
        except av.FFmpegError as error:
            damage.packet(count, error.strerror or "no reason given")
            continue
        for picture in pictures:
            if picture.is_corrupt:
                damage.frame(count)
            count += 1
            yield picture
    damage.end()


def _packets(path: Path, container: InputContainer, stream: VideoStream, tell: Tell) -> Iterator[Packet[VideoStream] | None]:
    failed = 0
    while failed < _GIVE_UP:
        try:
            for packet in container.demux(stream):
                failed = 0
                # An empty packet with a time stands for a repeated frame; to the decoder it would mean the end.
                if packet.size or packet.dts is None:
                    yield packet
            return
        except av.FFmpegError as error:
            failed += 1
            tell(f"{path.name}: a part of the file cannot be read ({error.strerror}): skipped")
    yield None

"""A part of an input: from a moment up to another one, named by time or by frame, found to the frame."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from bianlian.errors import ConfigError
from bianlian.video.container import open_video, picture_stream
from bianlian.video.probe import VideoInfo

_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?([0-5]?\d):)?(\d{1,7}(?:\.\d{1,9})?)s?")
_FRAME = re.compile(r"(\d{1,9})f")


@dataclass(frozen=True)
class Moment:
    """A place in an input: seconds since its first frame, or the number of a frame, the first one being 0."""

    seconds: Fraction | None = None
    frame: int | None = None


@dataclass(frozen=True)
class Span:
    """A part of an input: start <= time < stop; None: from the beginning, to the end.

    In a video these are seconds on the clock of its frames; in a folder, which has no time, places in it.
    """

    start: Fraction | None = None
    stop: Fraction | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self.start is None and self.stop is None

    def holds(self, time: Fraction) -> bool:
        """Whether a time lies in it."""
        return (self.start is None or time >= self.start) and (self.stop is None or time < self.stop)


WHOLE = Span()
"""All of an input."""


@dataclass(frozen=True)
class Entry:
    """A key frame at which decoding can begin. pts: ticks. frames: shown before it."""

    pts: int
    frames: int


def read_moment(text: str) -> Moment:
    """Read ``1:02:03.5``, ``02:03.5``, ``12.5``, ``12.5s`` (seconds) or ``120f`` (a frame). Raises ConfigError."""
    if found := _FRAME.fullmatch(text):
        return Moment(frame=int(found[1]))
    found = _CLOCK.fullmatch(text)
    if found is None or (found[2] is not None and Fraction(found[3]) >= 60):
        raise ConfigError(f"wanted a time such as 0:01:02.5 or 62.5 (seconds), or a frame such as 120f, got {text!r}")
    hours, minutes, seconds = int(found[1] or 0), int(found[2] or 0), Fraction(found[3])
    return Moment(3600 * hours + 60 * minutes + seconds)


def find_span(info: VideoInfo, start: str | None, end: str | None) -> Span:
    """Find a part of an input by moments as ``read_moment`` takes them; the end is not part of it.

    Frame numbers of a video are looked up among the times of its packets, which are read but not decoded. Raises ConfigError for
    moments that cannot be, in a wrong order, or without a frame between them; VideoError.
    """
    first, last = (None if text is None else read_moment(text) for text in (start, end))
    if first is None and last is None:
        return Span()
    if info.kind == "image":
        raise ConfigError(f"{info.path.name} is one picture: it has no start and no end; leave them out")
    times = [Fraction(k) for k in range(info.frames or 0)] if info.kind == "folder" else frame_times(info.path)
    if info.kind == "folder" and any(m is not None and m.frame is None for m in (first, last)):
        raise ConfigError(f"{info.path.name} is a folder, which has no time: name frames such as 120f")
    begin, stop = (None if m is None else _place(m, times) for m in (first, last))
    if not any(Span(begin, stop).holds(t) for t in times):
        shown = f"{len(times)} frames" + (f", {float(times[-1] - times[0]):.3f} s to the last one" if info.kind == "video" else "")
        raise ConfigError(
            f"no frame of {info.path.name} lies from {start or 'its beginning'} to {end or 'its end'}: it has {shown}"
        )
    return Span(begin, stop)


def frame_times(path: Path) -> list[Fraction]:
    """Read the times of all frames of a video in the order of showing, seconds, without decoding. Raises VideoError."""
    packets, base = _scan(path)
    return sorted((p.dts if p.pts is None else p.pts) * base for p in packets)


def find_entry(path: Path, start: Fraction) -> Entry | None:
    """Find the last key frame of a video at or before ``start`` (seconds); None: decode from the beginning.

    None too where packets do not say their times, or are damaged: then only decoding can count the frames. Raises VideoError.
    """
    packets, base = _scan(path)
    times = [p.pts for p in packets if p.pts is not None and not p.damaged]
    keys = [p.pts for p in packets if p.pts is not None and p.key and p.pts * base <= start]
    if len(times) < len(packets) or len(set(times)) < len(times) or not keys or max(keys) == min(times):
        return None
    return Entry(max(keys), sum(t < max(keys) for t in times))


@dataclass(frozen=True)
class _Stored:
    """What the container says of one frame."""

    pts: int | None
    dts: int
    key: bool
    damaged: bool


def _scan(path: Path) -> tuple[list[_Stored], Fraction]:
    """List the frames of a video by their packets -> (in the order of storage, time base)."""
    with open_video(path) as container:
        stream = picture_stream(container, path)
        found = []
        with contextlib.suppress(av.FFmpegError):  # the reading of the frames says what is wrong
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard and (packet.pts, packet.dts) != (None, None):
                    dts = packet.dts if packet.dts is not None else packet.pts
                    assert dts is not None
                    found.append(_Stored(packet.pts, dts, packet.is_keyframe, packet.is_corrupt))
        return found, stream.time_base or Fraction(1, 1000)


def _place(moment: Moment, times: list[Fraction]) -> Fraction | None:
    """Turn a moment into a time; None for a frame beyond the last one."""
    if moment.seconds is not None:
        return moment.seconds + (times[0] if times else 0)
    assert moment.frame is not None
    if moment.frame >= len(times):
        return times[-1] + 1 if times else None
    return times[moment.frame]

"""The times of an output: those of the input, tick for tick, as far as its container can say them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from av.packet import Packet
from av.video.stream import VideoStream

from bianlian.errors import OutputError
from bianlian.types import Frame
from bianlian.video.probe import VideoInfo

_MILLISECOND = Fraction(1, 1000)
_MOST_TICKS = 2**31 - 1
_MOST_MOVIE_TICKS = 10_000_000


@dataclass(frozen=True)
class Moment:
    """A frame's place in its input, without its picture: see ``types.Frame``."""

    index: int
    pts: int | None
    time_base: Fraction | None


class Times:
    """Gives each frame its place in the output.

    base: time base of the encoder. rate: frames a second, an estimate. from_zero: let the first frame be at 0, as a part of an
    input begins. shift: seconds added to all times, else not 0 only when the first frame lies before 0, which no player shows, or
    elsewhere than at 0 in an AVI. tell: gets one line for each way in which times had to change.
    """

    def __init__(
        self, like: VideoInfo, suffix: str, rate: Fraction, tell: Callable[[str], None], *, from_zero: bool = False
    ) -> None:
        self.rate = like.average_rate or rate
        self._like, self._suffix, self._tell = like, suffix, tell
        base = like.time_base or 1 / self.rate
        if suffix in (".mp4", ".mov"):
            # The MP4 family counts in 1/n seconds: a base of 1001/30000 is written as 1/30000, times stay equal.
            base = Fraction(1, min(base.denominator, _MOST_TICKS))
        self.base = 1 / self.rate if suffix == ".avi" else base
        self._stored = _MILLISECOND if suffix in (".mkv", ".webm") else self.base
        self.shift = Fraction(0)
        self._from_zero = from_zero
        self._count, self._told = 0, set[str]()
        self._last: int | None = None
        self._gap = max(1, round(1 / (self.rate * self.base)))
        self._lengths: dict[int, int] = {}
        self._first_dts: int | None = None
        self._total = 0

    def muxer_options(self) -> dict[str, str]:
        """Options that make the MP4 family keep the time base, and the starts of all streams exactly."""
        if self._suffix not in (".mp4", ".mov"):
            return {}
        ticks = self.base.denominator
        movie = math.lcm(ticks, *(s.rate for s in self._like.streams if s.rate))
        if movie > _MOST_MOVIE_TICKS:
            movie = max(ticks, math.lcm(ticks, 1000) if ticks < 1000 else ticks)
        return {"movflags": "+faststart", "video_track_timescale": str(ticks), "movie_timescale": str(movie)}

    def place(self, frame: Frame | Moment) -> int:
        """Tick of the next frame, in ``base``; the frame before gets its duration.

        Raises OutputError where two frames fall into one tick of an AVI.
        """
        if frame.pts is None or frame.time_base is None:
            seconds = self._count / self.rate
        else:
            seconds = frame.pts * frame.time_base
        if self._count == 0 and self._from_zero:
            self.shift = -seconds
        elif self._count == 0 and (seconds < 0 or (seconds and self._suffix == ".avi")):
            self.shift = -seconds
            self._once("shift", f"{self._suffix} cannot start at {float(seconds):.3f} s: all times are moved to start at 0")
        exact = (seconds + self.shift) / self.base
        tick = round(exact)
        if exact != tick or (tick * self.base / self._stored).denominator != 1:
            self._once(
                "round", f"{self._suffix} counts time in steps of {self._stored} s here: times are rounded to the nearest step"
            )
        if self._last is not None:
            tick = self._after(self._last, tick, frame)
            self._gap = self._lengths[self._last] = tick - self._last
        self._last, self._count = tick, self._count + 1
        return tick

    def end(self, length: int | None) -> None:
        """Set the last frame's duration: ``length`` in ticks of the input, None: that of the frame before it."""
        if self._last is None:
            return
        if length is not None and self._like.time_base is not None:
            ticks = round(length * self._like.time_base / self.base)
        else:
            ticks = self._gap
        self._lengths[self._last] = max(1, ticks)

    def stamp(self, packet: Packet[VideoStream], *, last: bool = False) -> None:
        """Set the duration of an encoded frame. last: in the order of decoding.

        The MP4 family sums durations in the order of decoding: its last one is set such that the sum is right.
        """
        if packet.pts is None or packet.dts is None:
            return
        packet.duration = length = self._lengths.pop(packet.pts, 0)
        self._total += length
        self._first_dts = packet.dts if self._first_dts is None else self._first_dts
        if last and self._suffix in (".mp4", ".mov"):
            packet.duration = max(1, self._total - (packet.dts - self._first_dts))

    def _after(self, last: int, tick: int, frame: Frame | Moment) -> int:
        if tick > last:
            return tick
        if self._suffix == ".avi":
            step = f"one frame every {self.base} s"
            raise OutputError(f"cannot write .avi: it holds {step}, frame {frame.index} comes sooner: name a .mkv or .mp4")
        self._once("order", f"frame {frame.index} is not later than the one before: moved to the next tick, as all others like it")
        return last + 1

    def _once(self, what: str, line: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self._tell(line)

"""Carry the audio, subtitles, attachments, chapters and metadata of an input over to an output, in step with its frames."""

from __future__ import annotations

from collections.abc import Callable, Generator
from fractions import Fraction

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from bianlian.video.container import open_video, picture_stream
from bianlian.video.probe import VideoInfo
from bianlian.video.span import Span
from bianlian.video.transcode import Route, route_for
from bianlian.video.trim import trim_chapter, trim_packet

_STALE_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder", "vendor_id", "duration", "rotate"}
_LATE = 10
"""Seconds by which the packets of one stream may lie behind those of another in a file."""
_STALE_STARTS = ("_statistics", "number_of_", "bps")


class Carry:
    """The other streams of an input on their way into an output; at most a packet of each is held.

    like: a video. suffix: of the output's container. start, stop: seconds, packets outside are left out, subtitles cut. tell: gets
    one line for each stream that could not be copied as it is.
    """

    def __init__(
        self,
        like: VideoInfo,
        output: OutputContainer,
        suffix: str,
        tell: Callable[[str], None],
        *,
        start: Fraction | None = None,
        stop: Fraction | None = None,
    ) -> None:
        self._output, self._tell, self._span = output, tell, Span(start, stop)
        self._starts_at_0 = suffix == ".avi"
        self._name, self._shift = like.path.name, Fraction(0)
        self._input = open_video(like.path)
        self._picture = picture_stream(self._input, like.path)
        self._routes: dict[int, Route] = {}
        self._last: dict[int, int] = {}
        self._lengths: dict[int, int] = {}
        chapters = self._input.chapters()
        for stream in self._input.streams:
            # MP4 shows its chapters as a stream of data too.
            is_chapters = bool(chapters) and stream.type == "data" and stream.name == "bin_data"
            if stream.index != self._picture.index and not is_chapters:
                self._add(stream, suffix)
        output.metadata.update(self._kept(self._input.metadata))
        output.set_chapters([c for c in (trim_chapter(chapter, self._span) for chapter in chapters) if c is not None])
        self._packets = self._demux()
        self._held = next(self._packets, None)

    def _add(self, stream: Stream, suffix: str) -> None:
        route, done = route_for(self._output, stream, suffix)
        codec = "" if stream.codec_context is None else f" ({stream.codec_context.codec.canonical_name})"
        if done:
            self._tell(f"{stream.type} stream {stream.index}{codec} of {self._name} does not fit into {suffix}: {done}")
        if route is not None:
            out = route.out
            if stream.type != "attachment":
                out.metadata.update(self._kept(stream.metadata))
                out.disposition = stream.disposition
                self._routes[stream.index] = route

    @property
    def picture_metadata(self) -> dict[str, str]:
        """Metadata of the input's picture stream that is still true of the output's."""
        return self._kept(self._picture.metadata)

    def length_at(self, pts: int) -> int | None:
        """Duration that the input gives its frame at ``pts``, in ticks; None when it does not say or is past."""
        return self._lengths.get(pts) or None

    def move(self, shift: Fraction) -> None:
        """Add ``shift`` seconds to all times. Where a start was given, -shift is the first frame's time and so the exact start."""
        self._shift = shift
        if self._span.start is not None:
            self._span = Span(-shift, self._span.stop)

    def until(self, seconds: Fraction, pts: int) -> None:
        """Write what comes before ``seconds`` of the input's time; forget the durations of frames before ``pts``."""
        while self._held is not None and _time(self._held) <= seconds:
            self._forward(self._held)
            self._held = next(self._packets, None)
        self._lengths = {at: length for at, length in self._lengths.items() if at >= pts}

    def finish(self) -> None:
        """Write all that is left."""
        stop = self._span.stop
        while self._held is not None and (stop is None or _time(self._held) < stop + _LATE):
            self._forward(self._held)
            self._held = next(self._packets, None)
        for route in self._routes.values():
            for packet in route.end():
                self._mux(packet)

    def close(self) -> None:
        """Close the input."""
        self._packets.close()
        self._input.close()

    def _demux(self) -> Generator[Packet[Stream]]:
        streams = [self._picture, *(s for s in self._input.streams if s.index in self._routes)]
        try:
            for packet in self._input.demux(*streams):
                if packet.size and (packet.pts is not None or packet.dts is not None):
                    yield packet
        except av.FFmpegError as error:
            self._tell(f"{self._name}: sound and subtitles cannot be read to the end ({error.strerror}): the rest is left out")

    def _forward(self, packet: Packet[Stream]) -> None:
        if packet.stream_index == self._picture.index:
            if packet.pts is not None:
                self._lengths[packet.pts] = packet.duration or 0
            return
        time, length = _time(packet), (packet.duration or 0) * packet.time_base
        start, stop = self._span.start, self._span.stop
        early, late = start is not None and time + length <= start, stop is not None and time >= stop
        if early or late or (self._starts_at_0 and time + self._shift < 0):
            return
        packet = trim_packet(packet, time, length, self._span)
        if self._shift:
            ticks = round(self._shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        for made in self._routes[packet.stream_index].send(packet):
            self._mux(made)

    def _kept(self, metadata: dict[str, str]) -> dict[str, str]:
        stale = _STALE_TAGS if self._span.start is None else {*_STALE_TAGS, "timecode"}
        return {k: v for k, v in metadata.items() if k.lower() not in stale and not k.lower().startswith(_STALE_STARTS)}

    def _mux(self, packet: Packet[Stream]) -> None:
        if packet.dts is None:
            packet.dts = packet.pts
        last = self._last.get(packet.stream_index)
        if packet.dts is None or (last is not None and packet.dts <= last):
            self._tell(f"a packet of stream {packet.stream_index} goes back in time: left out")
            return
        self._last[packet.stream_index] = packet.dts
        self._output.mux(packet)


def _time(packet: Packet[Stream]) -> Fraction:
    ticks = packet.dts if packet.dts is not None else packet.pts
    return (ticks or 0) * packet.time_base

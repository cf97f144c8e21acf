"""Ways for one audio or subtitle stream into the output: packets as they are, or decoded and encoded where they do not fit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi"}
"""FFmpeg's name of each container that can be written."""
_AUDIO = {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".webm": "libopus", ".avi": "libmp3lame"}
_SUBTITLE = {".mp4": "mov_text", ".mov": "mov_text", ".mkv": "srt", ".webm": "webvtt"}
_TEXT = {"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"}
# FFmpeg takes these pairs, and then nothing reads the file back (measured).
_NEVER = {(".avi", "aac"), (".avi", "opus"), (".avi", "vorbis")}


class Route(Protocol):
    """One stream's way into the output."""

    @property
    def out(self) -> Stream:
        """The output's stream."""
        ...

    def send(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Take a packet of the input, give packets of the output."""
        ...

    def end(self) -> Iterator[Packet[Stream]]:
        """Give what is left."""
        ...


def route_for(output: OutputContainer, stream: Stream, suffix: str) -> tuple[Route | None, str]:
    """Choose a way for ``stream`` into ``output`` and add its stream there -> (route, what was done: copied is "")."""
    if fits(stream, suffix):
        return CopyRoute(output, stream), ""
    if isinstance(stream, AudioStream) and stream.codec_context is not None:
        encoder = _AUDIO[suffix]
        return AudioRoute(output, stream, encoder), f"encoded anew as {encoder.removeprefix('lib')}"
    if isinstance(stream, SubtitleStream) and suffix in _SUBTITLE and _codec(stream) in _TEXT:
        encoder = _SUBTITLE[suffix]
        return SubtitleRoute(output, stream, encoder), f"converted to {encoder}"
    return None, "left out"


def fits(stream: Stream, suffix: str) -> bool:
    """Try on an empty file in memory whether a container can hold a stream's packets as they are."""
    if stream.type not in ("audio", "subtitle", "attachment") or (suffix, _codec(stream)) in _NEVER:
        return False
    if stream.type == "attachment":
        return suffix == ".mkv"
    if stream.codec_context is None:
        return False
    try:
        with av.open(io.BytesIO(), "w", format=FORMATS[suffix]) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True


class CopyRoute:
    """Packets as they are, bit for bit."""

    def __init__(self, output: OutputContainer, stream: Stream) -> None:
        self._out = output.add_stream_from_template(stream)

    def send(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Hand the packet on."""
        packet.stream = self._out
        yield packet

    def end(self) -> Iterator[Packet[Stream]]:
        """Nothing is left."""
        return iter(())

    @property
    def out(self) -> Stream:
        """The output's stream."""
        return self._out


class AudioRoute:
    """Audio decoded and encoded anew; damaged packets are left out."""

    def __init__(self, output: OutputContainer, stream: AudioStream, encoder: str) -> None:
        rate = 48000 if encoder == "libopus" else min(stream.rate, 48000)
        out = output.add_stream(encoder, rate=rate)
        assert isinstance(out, AudioStream)
        self._in, self._out = stream, out
        self._out.codec_context.layout = "stereo" if stream.channels > 2 and encoder != "aac" else stream.layout.name
        self._out.codec_context.time_base = Fraction(1, rate)
        self._out.codec_context.bit_rate = 96_000 * min(2, stream.channels)

    @property
    def out(self) -> Stream:
        """The output's stream."""
        return self._out

    def send(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Decode, encode."""
        try:
            decoded = self._in.decode(packet)
        except av.FFmpegError:
            return
        for frame in decoded:
            yield from self._out.encode(frame)

    def end(self) -> Iterator[Packet[Stream]]:
        """Flush decoder and encoder."""
        try:
            decoded = self._in.decode(None)
        except av.FFmpegError:
            decoded = []
        for frame in decoded:
            yield from self._out.encode(frame)
        yield from self._out.encode(None)


class SubtitleRoute:
    """Text subtitles converted to what the container holds; styling may be lost."""

    def __init__(self, output: OutputContainer, stream: SubtitleStream, encoder: str) -> None:
        out = output.add_stream(encoder)
        assert isinstance(out, SubtitleStream)
        self._in, self._out = stream, out
        self._in.codec_context.open(strict=False)
        self._out.codec_context.subtitle_header = self._in.codec_context.subtitle_header or _ASS_HEADER
        self._out.codec_context.time_base = Fraction(1, 1000)
        self._out.time_base = Fraction(1, 1000)

    @property
    def out(self) -> Stream:
        """The output's stream."""
        return self._out

    def send(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Decode the text, encode it, keep its time and duration."""
        if packet.pts is None:
            return
        start = round(packet.pts * packet.time_base * 1000)
        length = round((packet.duration or 0) * packet.time_base * 1000)
        for text in self._in.decode(packet):
            if isinstance(text, AssSubtitle):
                made = self._out.codec_context.encode_subtitle(SubtitleSet.create(text.ass, 0, length, start))
                made.stream, made.time_base = self._out, Fraction(1, 1000)
                made.pts = made.dts = start
                made.duration = length
                yield made

    def end(self) -> Iterator[Packet[Stream]]:
        """Nothing is left."""
        return iter(())


_ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


def _codec(stream: Stream) -> str:
    return "" if stream.codec_context is None else stream.codec_context.codec.canonical_name

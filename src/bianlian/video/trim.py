"""Cut what lies on the edge of a part of an input: subtitles and chapters exactly, uncompressed sound to the sample."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from bianlian.video.span import Span

if TYPE_CHECKING:
    from av.container.core import Chapter

_PCM = re.compile(r"pcm_[suf](8|16|24|32|64)(le|be)?")


def trim_packet(packet: Packet[Stream], time: Fraction, length: Fraction, span: Span) -> Packet[Stream]:
    """Cut a packet that begins at ``time`` and lasts ``length`` seconds to what lies in ``span``.

    Compressed sound cannot be cut: up to a packet of it sounds on either side.
    """
    begin = time if span.start is None else max(time, span.start)
    end = time + length if span.stop is None else min(time + length, span.stop)
    if not length or (begin, end) == (time, time + length):
        return packet
    if packet.stream.type == "subtitle":
        packet.pts = packet.dts = round(begin / packet.time_base)
        packet.duration = round((end - begin) / packet.time_base)
    elif isinstance(packet.stream, AudioStream):
        return _trim_samples(packet, packet.stream, begin - time, end - time)
    return packet


def trim_chapter(chapter: Chapter, span: Span) -> Chapter | None:
    """Keep what of a chapter lies in ``span``, counted from its start."""
    base = chapter["time_base"]
    if base is None or span.whole:
        return chapter
    start = round((span.start or 0) / base)
    begin = max(chapter["start"], start)
    end = chapter["end"] if span.stop is None else min(chapter["end"], round(span.stop / base))
    return {**chapter, "start": begin - start, "end": end - start} if begin < end else None


def _trim_samples(packet: Packet[Stream], stream: AudioStream, begin: Fraction, end: Fraction) -> Packet[Stream]:
    """Cut uncompressed sound from ``begin`` to ``end``, seconds since the packet's first sample; other sound stays as it is."""
    found = _PCM.fullmatch(stream.codec_context.codec.canonical_name)
    size = int(found[1]) // 8 * stream.channels if found else 0
    if not size or packet.size % size or packet.pts is None:
        return packet
    first = math.ceil(begin * stream.rate)
    last = min(packet.size // size, math.ceil(end * stream.rate))
    kept: Packet[Stream] = Packet(bytes(packet)[first * size : last * size])
    kept.stream, kept.time_base = packet.stream, packet.time_base
    kept.pts = kept.dts = packet.pts + round(Fraction(first, stream.rate) / packet.time_base)
    kept.duration = round(Fraction(last - first, stream.rate) / packet.time_base)
    return kept

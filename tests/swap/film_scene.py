"""Films of the made-up world with what real ones have: odd times, several sounds, subtitles, turned pictures, 10 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from bianlian.types import Image

MS = Fraction(1, 1000)


@dataclass(frozen=True)
class Film:
    """How a film is made. pts in ticks of base. tones: languages. words: (start ms, length ms, text). turn: degrees clockwise."""

    suffix: str
    pts: Sequence[int]
    base: Fraction = MS
    pixel_format: str = "yuv420p"
    codec: str = "libx264"
    tones: tuple[str, ...] = ()
    words: tuple[tuple[int, int, str], ...] = ()
    turn: int = 0


def shoot(path: Path, film: Film, images: Sequence[Image]) -> Path:
    """Write a film of pictures, which are stored turned back and shown as they are given."""
    stored = [np.ascontiguousarray(np.rot90(image, film.turn // 90)) for image in images]
    ticks = str(film.base.denominator)
    options = {"video_track_timescale": ticks, "movie_timescale": ticks} if film.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", container_options=options) as out:
        height, width = stored[0].shape[:2]
        quality = {"crf": "1"} if film.codec.startswith("libx26") else {}
        stream: Any = out.add_stream(film.codec, rate=25, width=width, height=height, pix_fmt=film.pixel_format, options=quality)
        stream.codec_context.time_base = stream.time_base = film.base
        if film.turn:
            stream.set_display_rotation(-film.turn)
        sounds = [_sound(out, language) for language in film.tones]
        words: Any = out.add_stream("srt") if film.words else None
        if words is not None:
            words.codec_context.subtitle_header = b"[Script Info]\n\n[Events]\nFormat: Text\n"
        out.start_encoding()
        for sound in sounds:
            _play(out, sound, float(film.pts[-1] * film.base) + 0.2)
        for start, length, text in film.words:
            packet: Any = av.Packet(text.encode())
            packet.stream, packet.time_base, packet.pts, packet.dts, packet.duration = words, MS, start, start, length
            out.mux(packet)
        for tick, image in zip(film.pts, stored, strict=True):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = tick, film.base
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def _sound(out: Any, language: str) -> Any:
    sound = out.add_stream("aac", rate=44100)
    sound.codec_context.layout = "mono"
    sound.metadata["language"] = language
    return sound


def _play(out: Any, sound: Any, seconds: float) -> None:
    wave = (0.3 * np.sin(np.arange(int(44100 * seconds)) * (0.05 + 0.01 * sound.index))).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(wave[None], sound.codec_context.format.name, "mono")
    frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
    out.mux(sound.encode(frame))
    out.mux(sound.encode())


def packets(path: Path, index: int) -> list[tuple[bytes, Fraction]]:
    """Bytes and seconds of every packet of one stream."""
    with av.open(str(path)) as source:
        return [(bytes(p), p.pts * p.time_base) for p in source.demux(source.streams[index]) if p.size and p.pts is not None]

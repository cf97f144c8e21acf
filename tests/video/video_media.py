"""Tiny media made by PyAV, and readers of what came out that share no code with the package (but for ``copy``)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from bianlian.video import Encoding, VideoWriter, frames, probe

W, H = 64, 48


def still(index: int, width: int = W, height: int = H) -> NDArray[np.uint8]:
    """A soft picture that differs from frame to frame, (H, W, 3) uint8."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 3 + index * 5, y * 4, np.full_like(x, 80 + index)], axis=-1).clip(0, 255).astype(np.uint8)


def marked(width: int = W, height: int = H) -> NDArray[np.uint8]:
    """Grey with a red top-left, a green top-right and a blue bottom-left quarter."""
    image = np.full((height, width, 3), 128, np.uint8)
    image[: height // 2, : width // 2] = (220, 30, 30)
    image[: height // 2, width // 2 :] = (30, 200, 30)
    image[height // 2 :, : width // 2] = (30, 30, 220)
    return image


def make_video(
    path: Path,
    pts: Sequence[int] = range(5),
    time_base: Fraction = Fraction(1, 25),
    *,
    images: Sequence[NDArray[np.uint8]] | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    color: tuple[int, int, int, int] | None = None,
    turn: float | None = None,
    mirror: bool = False,
    tones: Sequence[tuple[str, str]] = (),
    subtitles: Sequence[tuple[int, int, str]] = (),
    attachment: bytes | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video. pts in ticks of time_base. color: range, primaries, transfer, matrix. turn: degrees counter-clockwise.

    tones: (audio codec, language). subtitles: (start ms, length ms, text), stored as subrip.
    """
    images = images or [still(i) for i in range(len(pts))]
    height, width = images[0].shape[:2]
    timescale = {"video_track_timescale": str(time_base.denominator), "movie_timescale": str(time_base.denominator)}
    container_options = (timescale if path.suffix in (".mp4", ".mov") else {}) | (options or {})
    with av.open(str(path), "w", container_options=container_options) as out:
        stream: Any = out.add_stream(codec, rate=25, width=width, height=height, pix_fmt=pixel_format)
        stream.codec_context.time_base = stream.time_base = time_base
        if color is not None:
            context = stream.codec_context
            context.color_range, context.color_primaries, context.color_trc, context.colorspace = color
        if turn is not None:
            stream.set_display_rotation(turn, hflip=mirror)
        sounds = [_add_tone(out, codec_name, language) for codec_name, language in tones]
        words: Any = out.add_stream("srt") if subtitles else None
        if words is not None:
            words.metadata["language"] = "deu"
            words.codec_context.subtitle_header = b"[Script Info]\n\n[Events]\nFormat: Text\n"
        if attachment is not None:
            out.add_attachment("note.txt", "text/plain", attachment)
        out.start_encoding()
        for sound in sounds:
            _encode_tone(out, sound, seconds=max(0.3, float((pts[-1] + (pts[-1] - pts[-2] if len(pts) > 1 else 1)) * time_base)))
        for start, length, text in subtitles:
            packet: Any = av.Packet(text.encode())
            packet.stream, packet.time_base = words, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = length
            out.mux(packet)
        for index, tick in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(images[index], "rgb24")
            if color is not None:
                frame = frame.reformat(format=pixel_format, dst_colorspace=color[3], src_color_range=2, dst_color_range=color[0])
            frame.pts, frame.time_base = tick, time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def _add_tone(out: Any, codec: str, language: str) -> Any:
    sound = out.add_stream(codec, rate=44100)
    sound.codec_context.layout = "mono"
    sound.metadata["language"] = language
    return sound


def _encode_tone(out: Any, sound: Any, seconds: float) -> None:
    wave = 0.3 * np.sin(np.arange(int(44100 * seconds)) * (0.05 + 0.01 * sound.index))
    format_name = sound.codec_context.format.name
    samples: Any = (wave * 32767).astype(np.int16) if "16" in format_name else wave.astype(np.float32)
    frame = av.AudioFrame.from_ndarray(samples[None], format_name, "mono")
    frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
    out.mux(sound.encode(frame))
    out.mux(sound.encode())


def copy(source: Path, target: Path, encoding: Encoding | None = None) -> list[str]:
    """Read a video with the package and write it -> the notes."""
    notes: list[str] = []
    with VideoWriter(target, probe(source), encoding, note=notes.append) as writer:
        for frame in frames(source):
            writer.write(frame)
    return notes


def times(path: Path) -> list[Fraction]:
    """Seconds of every decoded frame."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        return [Fraction(f.pts) * stream.time_base for f in source.decode(stream)]  # type: ignore[arg-type, operator]


def packets(path: Path, index: int) -> list[tuple[bytes, Fraction, Fraction]]:
    """Bytes, seconds and duration in seconds of every packet of one stream."""
    with av.open(str(path)) as source:
        found = source.demux(source.streams[index])
        return [(bytes(p), p.pts * p.time_base, (p.duration or 0) * p.time_base) for p in found if p.size and p.pts is not None]


def heard(path: Path, index: int) -> NDArray[np.float32]:
    """Decoded samples of one audio stream."""
    with av.open(str(path)) as source:
        return np.concatenate([f.to_ndarray().astype(np.float32).ravel() for f in source.decode(source.streams[index])])  # type: ignore[union-attr]


def video_duration(path: Path) -> Fraction:
    """Seconds of the picture stream as an MP4 says them."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        return stream.duration * stream.time_base

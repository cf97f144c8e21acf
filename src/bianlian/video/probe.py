"""Look at a video, a picture or a folder of pictures without reading all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bianlian.errors import VideoError
from bianlian.video.color import ColorTags, Orientation, orientation_of, tags_of
from bianlian.video.container import open_video, picture_stream
from bianlian.video.pictures import is_picture, list_pictures, picture_header

Kind = Literal["video", "image", "folder"]


@dataclass(frozen=True)
class StreamInfo:
    """One stream beside the picture. kind: audio, subtitle, data, attachment or video (a cover or a second picture).

    duration: seconds. rate: audio samples a second. channels: of audio. None where the file does not say.
    """

    index: int
    kind: str
    codec: str
    language: str | None = None
    title: str | None = None
    duration: Fraction | None = None
    rate: int | None = None
    channels: int | None = None


@dataclass(frozen=True)
class VideoInfo:
    """What is known about an input before it is read.

    width, height: upright pixels, after the rotation flag or EXIF orientation. bits: of a colour channel.
    time_base: seconds of one tick of pts, None outside a video. average_rate: frames a second, for estimates only.
    frames: an estimate where the container does not say, None when there is nothing to estimate from. duration: seconds.
    rotation: clockwise degrees that were needed to turn the stored picture upright. sample_aspect: width to height of a pixel,
    upright. streams: all others, in file order.
    """

    path: Path
    kind: Kind
    width: int
    height: int
    codec: str
    pixel_format: str
    bits: int = 8
    time_base: Fraction | None = None
    average_rate: Fraction | None = None
    frames: int | None = None
    duration: Fraction | None = None
    rotation: int = 0
    sample_aspect: Fraction = Fraction(1)
    color: ColorTags = field(default_factory=ColorTags)
    streams: tuple[StreamInfo, ...] = ()


def probe(path: Path) -> VideoInfo:
    """Describe a video, a picture or a folder of pictures.

    A video's first frame is decoded, for its rotation flag. Raises VideoError: missing, empty, not a video or picture, no picture
    stream, no frame that can be decoded, a folder without pictures.
    """
    if path.is_dir():
        return _probe_folder(path)
    if is_picture(path):
        head = picture_header(path)
        return VideoInfo(path, "image", head.width, head.height, head.codec, head.mode, bits=head.bits, frames=1)
    with open_video(path) as container:
        return _probe_video(path, container)


def _probe_folder(path: Path) -> VideoInfo:
    pictures = list_pictures(path)
    for picture in pictures:
        try:
            head = picture_header(picture)
        except VideoError:
            continue
        return VideoInfo(path, "folder", head.width, head.height, head.codec, head.mode, bits=head.bits, frames=len(pictures))
    raise VideoError(f"wanted a folder of pictures, none of the {len(pictures)} in {path} can be read: replace them")


def _probe_video(path: Path, container: InputContainer) -> VideoInfo:
    stream = picture_stream(container, path)
    rate, duration = stream.average_rate or None, _duration(stream, container)
    others = tuple(_describe(s) for s in container.streams if s.index != stream.index)
    frames = stream.frames or (round(duration * rate) if duration and rate else None)
    first = _first_frame(path, container, stream)
    turn = orientation_of(first)
    width, height = _upright(turn, first.width, first.height)
    return VideoInfo(
        path,
        "video",
        width,
        height,
        stream.codec_context.codec.canonical_name,
        first.format.name,
        bits=first.format.components[0].bits,
        time_base=stream.time_base,
        average_rate=rate,
        frames=frames,
        duration=duration,
        rotation=turn.rotation,
        sample_aspect=_aspect(stream, turn),
        color=tags_of(first),
        streams=others,
    )


def _first_frame(path: Path, container: InputContainer, stream: VideoStream) -> VideoFrame:
    packets = container.demux(stream)
    for _ in range(100_000):
        try:
            frames = next(packets).decode()
        except StopIteration:
            break
        except av.FFmpegError:
            continue
        if frames:
            return frames[0]
    raise VideoError(f"wanted a video, not one frame of {path} can be decoded: copy or record it again")


def _upright(turn: Orientation, width: int, height: int) -> tuple[int, int]:
    return (height, width) if turn.transpose else (width, height)


def _aspect(stream: VideoStream, turn: Orientation) -> Fraction:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return 1 / aspect if turn.transpose else aspect


def _duration(stream: Stream, container: InputContainer) -> Fraction | None:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    if not container.duration:
        return None
    whole = Fraction(container.duration, av.time_base)
    # Matroska's duration counts from 0, all others count from the first frame.
    late = (stream.start_time or 0) * (stream.time_base or 0) if "matroska" in container.format.name else 0
    return max(whole - late, Fraction(0))


def _describe(stream: Stream) -> StreamInfo:
    context = stream.codec_context
    duration = stream.duration * stream.time_base if stream.duration and stream.time_base else None
    return StreamInfo(
        stream.index,
        stream.type,
        "unknown" if context is None else context.codec.canonical_name,
        stream.metadata.get("language"),
        stream.metadata.get("title"),
        duration,
        stream.rate if isinstance(stream, AudioStream) and context is not None else None,
        stream.channels if isinstance(stream, AudioStream) and context is not None else None,
    )

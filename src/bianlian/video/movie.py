"""Write frames as a video: times, colours and sound of the input, whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from bianlian.errors import OutputError
from bianlian.types import Frame, Image
from bianlian.video.carry import Carry
from bianlian.video.color import FULL, LIMITED, ColorTags, Conversion, conversion_of, from_rgb
from bianlian.video.container import VIDEO_SUFFIXES
from bianlian.video.encoding import Encoding
from bianlian.video.marks import Marks
from bianlian.video.probe import VideoInfo
from bianlian.video.timing import Times
from bianlian.video.transcode import FORMATS
from bianlian.video.whole import check_output, discard, keep, new_part, writing


class VideoWriter:
    """Context manager that encodes frames into a video with the times, colour tags, sound and subtitles of ``like``.

    path: its suffix chooses the container (.mp4 .mov .mkv .webm .avi). size: (width, height) of the frames where it is not the
    input's. start, stop: as given to ``frames``; sound outside is left out. rate: frames a second for inputs without time.
    note: gets one line for everything that could not be kept exactly. marks: what the video says about itself. The file
    appears under its name on a clean exit only. Raises OutputError.
    """

    def __init__(
        self,
        path: Path,
        like: VideoInfo,
        encoding: Encoding | None = None,
        *,
        note: Callable[[str], None] | None = None,
        size: tuple[int, int] | None = None,
        start: Fraction | None = None,
        stop: Fraction | None = None,
        rate: Fraction = Fraction(25),
        marks: Marks | None = None,
    ) -> None:
        self._path, self._like, self._encoding = path, like, encoding or Encoding()
        self._suffix = _checked_suffix(path, self._encoding)
        self._tell, self._marks = note or _ignore, marks or Marks()
        self._size = size or (like.width, like.height)
        self._span = (start, stop)
        self._times = Times(like, self._suffix, rate, self._tell)
        self._scaler = VideoReformatter()
        self._pending: VideoFrame | None = None
        self._resized = False
        self._container: OutputContainer | None = None
        self._carry: Carry | None = None
        check_output(path, like.path)

    def __enter__(self) -> Self:
        self._part = new_part(self._path)
        try:
            with writing(self._path):
                self._open()
        except BaseException:
            self._abort()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._abort()
            return
        try:
            with writing(self._path):
                self._finish()
            self._marks.seal(self._part)
            keep(self._part, self._path)
        except BaseException:
            self._abort()
            raise

    def write(self, frame: Frame) -> None:
        """Encode the next frame; frames come in the order of time. Raises OutputError."""
        if self._container is None:
            raise OutputError(f"cannot write {self._path}: the writer is not open: use it in a with statement")
        picture = from_rgb(self._scaler, self._fitted(frame), self._pixel_format, self._conversion)
        picture.pts, picture.time_base = self._times.place(frame), self._times.base
        with writing(self._path):
            if self._pending is not None:
                self._encode(self._pending)
            if self._carry is not None:
                self._carry.shift = self._times.shift
                self._carry.until(picture.pts * self._times.base - self._times.shift, frame.pts or 0)
        self._pending = picture
        self._last = frame

    def _open(self) -> None:
        options = {"avoid_negative_ts": "disabled", **self._times.muxer_options()}
        if self._marks.tags and "movflags" in options:
            options["movflags"] += "+use_metadata_tags"  # else the MP4 family keeps only names that it knows
        output = av.open(str(self._part.absolute()), "w", format=FORMATS[self._suffix], container_options=options)
        self._container = output
        self._pixel_format = self._encoding.pixel_format_for(*self._size)
        self._stream = self._add_stream(output)
        if self._like.kind == "video":
            start, stop = self._span
            self._carry = Carry(self._like, output, self._suffix, self._tell, start=start, stop=stop)
            self._stream.metadata.update(self._carry.picture_metadata)
        output.metadata.update(self._marks.tags)
        self._tell_losses()
        output.start_encoding()

    def _add_stream(self, output: OutputContainer) -> VideoStream:
        card, (width, height) = self._encoding.card, self._size
        stream = output.add_stream(
            card.encoder, rate=self._times.rate, width=width, height=height, options=self._encoding.options()
        )
        assert isinstance(stream, VideoStream)
        stream.time_base = self._times.base
        context = stream.codec_context
        context.time_base, context.pix_fmt = self._times.base, self._pixel_format
        context.sample_aspect_ratio = self._like.sample_aspect
        self._conversion, tags = _color_plan(self._like, self._pixel_format, self._size)
        context.color_range, context.colorspace = tags.range, tags.matrix
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if self._suffix == ".avi":
            context.max_b_frames = 0  # AVI keeps no presentation times: frames must be stored in their order.
        if card.encoder == "libx265" and self._suffix in (".mp4", ".mov"):
            context.codec_tag = "hvc1"
        return stream

    def _tell_losses(self) -> None:
        wanted = self._encoding.pixel_format
        if self._pixel_format != (self._encoding.card.default if wanted == "auto" else wanted):
            width, height = self._size
            self._tell(f"{width} x {height} is odd: encoded as {self._pixel_format}, which some players cannot show")
        if self._like.bits > 8:
            self._tell(f"{self._like.path.name} has {self._like.bits} bits a colour: the output is made from 8")

    def _fitted(self, frame: Frame) -> Image:
        """The frame's picture in the output's size; only pictures of a folder may differ."""
        height, width = frame.image.shape[:2]
        if (width, height) == self._size:
            return frame.image
        wanted = f"{self._size[0]} x {self._size[1]}"
        if self._like.kind != "folder":
            raise OutputError(f"cannot write {self._path}: frame {frame.index} is {width} x {height}, wanted {wanted}: scale it")
        if not self._resized:
            self._tell(f"picture {frame.index} is {width} x {height}: scaled to {wanted}, as are all others that differ")
            self._resized = True
        shrinks = width * height > self._size[0] * self._size[1]
        scaled = cv2.resize(frame.image, self._size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        return scaled.astype("uint8", copy=False)

    def _encode(self, picture: VideoFrame) -> None:
        assert self._container is not None
        for packet in self._stream.encode(picture):
            self._times.stamp(packet)
            self._container.mux(packet)

    def _finish(self) -> None:
        assert self._container is not None
        if self._pending is None:
            raise OutputError(f"cannot write {self._path}: no frame came: check the input and its start and stop")
        if self._carry is not None:
            self._carry.finish()
            self._times.end(self._carry.length_at(self._last.pts or 0))
        left = [*self._stream.encode(self._pending), *self._stream.encode(None)]
        for packet in left:
            self._times.stamp(packet, last=packet is left[-1])
            self._container.mux(packet)
        self._container.close()
        self._close_input()

    def _close_input(self) -> None:
        if self._carry is not None:
            self._carry.close()
            self._carry = None
        self._container = None

    def _abort(self) -> None:
        if self._container is not None:
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
        self._close_input()
        discard(self._part)


def _ignore(line: str) -> None:
    del line


def _checked_suffix(path: Path, encoding: Encoding) -> str:
    suffix = path.suffix.lower()
    if suffix not in VIDEO_SUFFIXES:
        raise OutputError(
            f"cannot write {path}: wanted a name that ends in {' '.join(VIDEO_SUFFIXES)}, got {suffix or 'no suffix'!r}"
        )
    if suffix not in encoding.card.containers:
        known = " ".join(encoding.card.containers)
        raise OutputError(f"cannot write {path}: {suffix} does not hold {encoding.codec}: name a file that ends in {known}")
    return suffix


def _color_plan(like: VideoInfo, pixel_format: str, size: tuple[int, int]) -> tuple[Conversion, ColorTags]:
    """How to convert RGB for the output, and what to write about it: the input's own tags, as far as they fit the pixel format."""
    how, tags = conversion_of(like.color, like.pixel_format, *size), like.color
    if pixel_format in ("gbrp", "bgr0"):
        return Conversion(how.matrix, FULL), ColorTags(FULL, tags.primaries, tags.transfer, 0)
    if like.kind != "video" or not like.pixel_format.startswith("yuv"):
        # What was RGB or grey becomes what players expect of YUV.
        return Conversion(how.matrix, LIMITED), ColorTags(LIMITED, tags.primaries, tags.transfer, how.matrix)
    matrix = tags.matrix if tags.matrix in (1, 2, 4, 5, 6, 7, 9) else how.matrix
    return how, ColorTags(FULL if how.range == FULL else tags.range, tags.primaries, tags.transfer, matrix)

"""Write frames as a video: times, colours and sound of the input, whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from bianlian.errors import OutputError
from bianlian.types import Frame, Image
from bianlian.video.carry import Carry
from bianlian.video.color import FULL, LIMITED, ColorTags, Conversion, Pixel, conversion_of, from_rgb
from bianlian.video.container import VIDEO_SUFFIXES
from bianlian.video.deep import as_uint16, full
from bianlian.video.encoding import Encoding
from bianlian.video.marks import Marks
from bianlian.video.probe import VideoInfo
from bianlian.video.timing import Moment, Times
from bianlian.video.transcode import FORMATS
from bianlian.video.whole import check_output, discard, keep, new_part, writing


class VideoWriter:
    """Context manager that encodes frames into a video with the times, colour tags, sound and subtitles of ``like``.

    path: its suffix chooses the container (.mp4 .mov .mkv .webm .avi). size: (width, height) of the frames where it is not the
    input's. start, stop: as given to ``frames``; sound and subtitles outside are left out, and with a start all begins at 0. rate:
    frames a second for inputs without time. bare: leave sound, subtitles and all else out. note: gets one line for everything that
    could not be kept exactly. marks: what the video says about itself. folder: where the file is until it is whole, on the same
    disk; beside ``path`` when None. The file
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
        bare: bool = False,
        folder: Path | None = None,
        marks: Marks | None = None,
    ) -> None:
        self._path, self._like, self._folder = path, like, folder
        self._encoding = (encoding or Encoding()).settled(
            path.suffix.lower(), bits=like.bits, codec=like.codec, pixel_format=like.pixel_format
        )
        self.suffix = _checked_suffix(path, self._encoding)
        self._tell, self._marks = note or _ignore, marks or Marks()
        self._size = size or (like.width, like.height)
        self._span, self._bare = (start, stop), bare
        self._times = Times(like, self.suffix, rate, self._tell, from_zero=start is not None)
        self._scaler = VideoReformatter()
        self._pending: VideoFrame | None = None
        self._resized = False
        self._held: tuple[Sequence[int], Iterator[Packet[Any]]] | None = None
        self._last_dts: int | None = None
        self._container: OutputContainer | None = None
        self._carry: Carry | None = None
        check_output(path, like.path)

    def __enter__(self) -> Self:
        self._part = new_part(self._path if self._folder is None else self._folder / self._path.name)
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
        tick = self._times.place(frame)
        picture = self.picture(frame, tick)
        with writing(self._path):
            if self._pending is not None:
                self._encode(self._pending)
            if self._carry is not None:
                self._carry.move(self._times.shift)
                self._carry.until(tick * self._times.base - self._times.shift, frame.pts or 0)
        self._pending = picture
        self._last = frame.pts or 0

    def picture(self, frame: Frame, tick: int) -> VideoFrame:
        """Make of a frame what the encoder takes. tick: its time, see ``Times``. Raises OutputError."""
        if self._container is None:
            raise OutputError(f"cannot write {self._path}: the writer is not open: use it in a with statement")
        picture = from_rgb(self._scaler, self._fitted(frame), self._pixel_format, self._conversion)
        # ProRes has tags in every frame.
        picture.color_primaries, picture.color_trc = self._tags.primaries, self._tags.transfer
        picture.pts, picture.time_base = tick, self._times.base
        return picture

    def append(self, moments: Sequence[Moment], packets: Iterator[Packet[Any]]) -> None:
        """Take frames that were encoded elsewhere, in place of ``write``; the first packet begins with a key frame.

        moments: of the frames, as they were read; packets: of an encoder of ``add_stream``, read later. Raises OutputError.
        """
        ticks = [self._times.place(moment) for moment in moments]
        with writing(self._path):
            self._mux_held()
        self._held, self._last = (ticks, packets), moments[-1].pts or 0

    def _open(self) -> None:
        options = {"avoid_negative_ts": "disabled", **self._times.muxer_options()}
        if self._marks.tags and "movflags" in options:
            options["movflags"] += "+use_metadata_tags"  # else the MP4 family keeps only names that it knows
        output = av.open(str(self._part.absolute()), "w", format=FORMATS[self.suffix], container_options=options)
        self._container = output
        self._pixel_format = self._encoding.pixel_format_for(*self._size, bits=self._like.bits)
        self._stream = self.add_stream(output)
        if self._like.kind == "video" and not self._bare:
            start, stop = self._span
            self._carry = Carry(self._like, output, self.suffix, self._tell, start=start, stop=stop)
            self._stream.metadata.update(self._carry.picture_metadata)
        output.metadata.update(self._marks.tags)
        self._tell_losses()
        output.start_encoding()

    def add_stream(self, output: OutputContainer) -> VideoStream:
        """Add the video stream, and with it an encoder, to a container of the output's kind."""
        card, (width, height) = self._encoding.card, self._size
        stream = output.add_stream(
            card.encoder, rate=self._times.rate, width=width, height=height, options=self._encoding.options()
        )
        assert isinstance(stream, VideoStream)
        stream.time_base = self._times.base
        context = stream.codec_context
        context.time_base, context.pix_fmt = self._times.base, self._pixel_format
        context.sample_aspect_ratio = self._like.sample_aspect
        self._conversion, self._tags = _color_plan(self._like, self._pixel_format, self._size)
        tags = self._tags
        context.color_range, context.colorspace = tags.range, tags.matrix
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if self.suffix == ".avi":
            context.max_b_frames = 0  # AVI keeps no presentation times: frames must be stored in their order.
        if card.encoder == "libx265" and self.suffix in (".mp4", ".mov"):
            context.codec_tag = "hvc1"
        return stream

    def _tell_losses(self) -> None:
        if self._pixel_format != self._encoding.pixel_format_for(2, 2, bits=self._like.bits):
            width, height = self._size
            self._tell(f"{width} x {height} is odd: encoded as {self._pixel_format}, which some players cannot show")
        self._bits = VideoFormat(self._pixel_format).components[0].bits
        if self._like.bits > self._bits:
            kept = f"the output keeps {self._bits} of them"
            self._tell(f"{self._like.path.name} has {self._like.bits} bits a colour: {kept}")

    def _fitted(self, frame: Frame) -> Image | NDArray[np.uint16]:
        """The frame's picture in the output's size and depth; only pictures of a folder may differ in size."""
        if self._bits > 8:
            return self._scaled(as_uint16(full(frame)), frame.index)
        return self._scaled(frame.image, frame.index)

    def _scaled(self, picture: NDArray[Pixel], index: int) -> NDArray[Pixel]:
        height, width = picture.shape[:2]
        if (width, height) == self._size:
            return picture
        wanted = f"{self._size[0]} x {self._size[1]}"
        if self._like.kind != "folder":
            raise OutputError(f"cannot write {self._path}: frame {index} is {width} x {height}, wanted {wanted}: scale it")
        if not self._resized:
            self._tell(f"picture {index} is {width} x {height}: scaled to {wanted}, as are all others that differ")
            self._resized = True
        shrinks = width * height > self._size[0] * self._size[1]
        scaled = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        return np.asarray(scaled, picture.dtype)

    def _encode(self, picture: VideoFrame) -> None:
        assert self._container is not None
        for packet in self._stream.encode(picture):
            self._times.stamp(packet)
            self._container.mux(packet)

    def _finish(self) -> None:
        assert self._container is not None
        if self._pending is None and self._held is None:
            raise OutputError(f"cannot write {self._path}: no frame came: check the input and its start and stop")
        if self._held is None:
            self._end()
            self._finish_encoder()
        else:
            self._mux_held(last=True)
        self._container.close()
        self._close_input()

    def _end(self) -> None:
        """Carry over all that is left, and learn from it how long the last frame is shown."""
        if self._carry is not None:
            self._carry.finish()
            self._times.end(self._carry.length_at(self._last))

    def _mux_held(self, *, last: bool = False) -> None:
        """Write the frames that were appended before, in step with the sound. last: no other ones come."""
        if self._held is None:
            return
        assert self._container is not None
        (ticks, packets), self._held = self._held, None
        for k, packet in enumerate(packets):
            if self._carry is not None and k < len(ticks):
                self._carry.move(self._times.shift)
                self._carry.until(ticks[k] * self._times.base - self._times.shift, self._last)
            if last and packet.pts == ticks[-1]:
                self._end()
            packet.stream, packet.time_base = self._stream, self._times.base
            self._mux(packet, last=last and k == len(ticks) - 1)

    def _mux(self, packet: Packet[Any], *, last: bool) -> None:
        """Write a packet; decoding times of two segments whose frames are unevenly spaced may not overlap."""
        assert self._container is not None
        if packet.dts is not None and self._last_dts is not None:
            packet.dts = max(packet.dts, self._last_dts + 1)
        self._last_dts = packet.dts
        self._times.stamp(packet, last=last)
        self._container.mux(packet)

    def _finish_encoder(self) -> None:
        assert self._container is not None
        left = [*self._stream.encode(self._pending), *self._stream.encode(None)]
        for packet in left:
            self._times.stamp(packet, last=packet is left[-1])
            self._container.mux(packet)

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
    if pixel_format.startswith(("gbrp", "bgr0")):
        return Conversion(how.matrix, FULL), ColorTags(FULL, tags.primaries, tags.transfer, 0)
    if like.kind != "video" or not like.pixel_format.startswith("yuv"):
        # What was RGB or grey becomes what players expect of YUV.
        return Conversion(how.matrix, LIMITED), ColorTags(LIMITED, tags.primaries, tags.transfer, how.matrix)
    matrix = tags.matrix if tags.matrix in (1, 2, 4, 5, 6, 7, 9) else how.matrix
    return how, ColorTags(FULL if how.range == FULL else tags.range, tags.primaries, tags.transfer, matrix)

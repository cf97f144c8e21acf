"""Open a video file for reading: what is wrong with it said in one line, and whether its end is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from bianlian.errors import VideoError
from bianlian.video.limits import MOST_PIXELS, check_size

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")
"""Suffixes of the containers that can be written; many more can be read."""
_MAKE_UP_TIMES = 0x1
"""FFmpeg's AVFMT_FLAG_GENPTS, which PyAV always sets."""
_READ = """mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,m4v,flv,live_flv,asf,ogg,mxf,mxf_opatom,
nut,gxf,wtv,dv,rm,swf,ivf,yuv4mpegpipe,gif,apng,h264,hevc,vvc,av1,obu,vc1,h263,rawvideo,mjpeg,image2"""
"""FFmpeg's names of the formats that are opened; the others, playlists and scripts above all, are only recognised."""
_NOT_VIDEO = {"tty", "concat", "hls", "dash", "ffmetadata", "lavfi", "image2"}


def open_video(path: Path) -> InputContainer:
    """Open a video for reading. Raises VideoError: missing, empty, not a video, or without its index."""
    if not path.exists():
        raise VideoError(f"wanted a video, {path} does not exist: check the name")
    if path.is_dir():
        raise VideoError(f"wanted a video, {path} is a folder: name a file in it")
    if path.stat().st_size == 0:
        raise VideoError(f"wanted a video, {path} is empty (0 bytes): copy or record it again")
    if not path.is_file():
        raise VideoError(f"wanted a video, {path} is no plain file: name a file")
    # Playlists could otherwise make the reader open other files and addresses.
    guards = {"protocol_whitelist": "file", "format_whitelist": _READ.replace("\n", "")}
    try:
        container = av.open(
            str(path.absolute()),
            "r",
            options={"max_pixels": str(MOST_PIXELS)},
            container_options=guards,
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(_why_not(path, error)) from error
    if _NOT_VIDEO & set(container.format.name.split(",")):
        container.close()
        raise VideoError(f"wanted a video, {path} is a {container.format.name} file: convert it first (mp4, mov, mkv, webm, avi)")
    if container.format.name == "avi":
        # AVI has no presentation times, and the ones that FFmpeg makes up come out one frame late.
        container.flags &= ~_MAKE_UP_TIMES
    return container


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """Find the first video stream that is no cover picture. Raises VideoError when there is none that can be decoded."""
    for stream in container.streams.video:
        if Disposition.attached_pic in stream.disposition:
            continue
        if stream.codec_context is None:
            raise VideoError(f"wanted a video, the codec of {path} is not known here: convert it first (H.264 in mp4, say)")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width > 0 and height > 0:
            check_size(path, width, height)
            # The frames themselves may be larger than the file's head says.
            stream.codec_context.options = {**stream.codec_context.options, "max_pixels": str(MOST_PIXELS)}
            return stream
    kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
    raise VideoError(f"wanted a video, {path} has no picture stream (it holds: {kinds}): name a file with pictures")


def cut_short(path: Path) -> str | None:
    """Say whether a file ends before its own header says it should (MP4, MOV, Matroska, WebM, AVI); None when all is there."""
    here = path.stat().st_size
    with path.open("rb") as file:
        promised = _promised(file, here)
    if promised is None or promised <= here:
        return None
    return f"{path.name}: the end is missing ({here} bytes of {promised}); what is there was read"


def _why_not(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        kinds = [kind for kind, _ in _boxes(file, path.stat().st_size)]
    if kinds[:1] == [b"ftyp"] and b"moov" not in kinds:
        return f"wanted a video, {path} was cut off before its index (no moov box): copy or record it again"
    reason = getattr(error, "strerror", None) or str(error)
    return f"wanted a video, {path} is none that can be read ({reason}): check the file, or convert it first"


def _promised(file: BinaryIO, here: int) -> int | None:
    head = file.read(12)
    if head[:4] == b"RIFF":
        return 8 + int.from_bytes(head[4:8], "little")
    if head[:4] == b"\x1aE\xdf\xa3":
        return _matroska_end(file)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return max((end for _, end in _boxes(file, here)), default=None)
    return None


def _boxes(file: BinaryIO, here: int) -> Iterator[tuple[bytes, int]]:
    """Walk the top-level boxes of an MP4 -> (kind, end offset); the last may end beyond the file."""
    start = 0
    while start + 8 <= here:
        file.seek(start)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        elif size == 0:
            size = here - start
        if size < 8:
            return
        start += size
        yield head[4:8], start


def _matroska_end(file: BinaryIO) -> int | None:
    """Offset at which the Matroska segment should end; None when the header leaves it open (live recordings)."""
    file.seek(4)
    header = _ebml_size(file)
    if header is None:
        return None
    file.seek(header, 1)
    if file.read(4) != b"\x18S\x80g":
        return None
    segment = _ebml_size(file)
    return None if segment is None else file.tell() + segment


def _ebml_size(file: BinaryIO) -> int | None:
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> length)]) + file.read(length - 1), "big")
    return None if value == (1 << 7 * length) - 1 else value

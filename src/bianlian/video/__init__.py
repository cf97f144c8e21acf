"""Any video, picture or folder of pictures <-> Frames, with the times, colours and sound of the file."""

from __future__ import annotations

from bianlian.video.color import ColorTags
from bianlian.video.container import VIDEO_SUFFIXES
from bianlian.video.encoding import CODECS, PRESETS, Encoding
from bianlian.video.marks import Marks
from bianlian.video.movie import VideoWriter
from bianlian.video.pictures import PICTURE_SUFFIXES, list_pictures, read_picture
from bianlian.video.probe import StreamInfo, VideoInfo, probe
from bianlian.video.read import frames
from bianlian.video.span import WHOLE, Span, find_span
from bianlian.video.still import FolderWriter, ImageWriter
from bianlian.video.write import FrameWriter, open_writer

__all__ = [
    "CODECS",
    "PICTURE_SUFFIXES",
    "PRESETS",
    "VIDEO_SUFFIXES",
    "WHOLE",
    "ColorTags",
    "Encoding",
    "FolderWriter",
    "FrameWriter",
    "ImageWriter",
    "Marks",
    "Span",
    "StreamInfo",
    "VideoInfo",
    "VideoWriter",
    "find_span",
    "frames",
    "list_pictures",
    "open_writer",
    "probe",
    "read_picture",
]

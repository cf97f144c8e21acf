"""How a video is encoded: codec, quality, speed, pixel format, checked before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
from av.codec import Codec

from bianlian.errors import ConfigError

_AVX2, _AVX512 = 11, 13  # OpenCV's numbers
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True)
class CodecCard:
    """What one codec needs. encoder: FFmpeg's name. best: highest crf. default: its pixel format for ``auto``.

    odd: whether it takes odd sides in 4:2:0. containers: suffixes that hold it.
    """

    encoder: str
    crf_max: int | None
    default: str
    odd: bool
    containers: tuple[str, ...]


CODECS: Mapping[str, CodecCard] = MappingProxyType(
    {
        "h264": CodecCard("libx264", 51, "yuv420p", False, (".mp4", ".mov", ".mkv", ".avi")),
        "hevc": CodecCard("libx265", 51, "yuv420p", False, (".mp4", ".mov", ".mkv")),
        "vp9": CodecCard("libvpx-vp9", 63, "yuv420p", True, (".mp4", ".mkv", ".webm")),
        "av1": CodecCard("libsvtav1", 63, "yuv420p", False, (".mp4", ".mkv", ".webm")),
        "ffv1": CodecCard("ffv1", None, "bgr0", True, (".mkv", ".avi", ".mov")),
    }
)
"""Codecs by name; the encoders that the installed PyAV lacks are refused with a ConfigError when they are asked for."""


@dataclass(frozen=True)
class Encoding:
    """Settings of the video encoder.

    codec: a name of CODECS. crf: constant quality, lower is better (0 to 51, for vp9 and av1 to 63; ffv1 is lossless and ignores
    it). preset: speed for size, one of PRESETS for every codec. pixel_format: FFmpeg's name, or ``auto``: yuv420p, and for ffv1
    bgr0, which keeps frames bit for bit. Raises ConfigError.
    """

    codec: str = "h264"
    crf: int = 18
    preset: str = "veryfast"
    pixel_format: str = "auto"

    def __post_init__(self) -> None:
        card = CODECS.get(self.codec)
        if card is None:
            raise ConfigError(f"codec must be one of {', '.join(CODECS)}, got {self.codec!r}")
        if card.crf_max is not None and not 0 <= self.crf <= card.crf_max:
            raise ConfigError(f"crf of {self.codec} must lie in 0 to {card.crf_max}, got {self.crf}")
        if self.preset not in PRESETS:
            raise ConfigError(f"preset must be one of {', '.join(PRESETS)}, got {self.preset!r}")
        formats = _formats(card.encoder)
        if self.pixel_format != "auto" and self.pixel_format not in formats:
            raise ConfigError(
                f"pixel_format of {self.codec} must be auto or one of {', '.join(formats)}, got {self.pixel_format!r}"
            )

    @property
    def card(self) -> CodecCard:
        """The codec's card."""
        return CODECS[self.codec]

    def pixel_format_for(self, width: int, height: int) -> str:
        """Choose the pixel format for a picture size: the size is kept, odd sides take 4:4:4 where the codec needs even ones."""
        wanted = self.card.default if self.pixel_format == "auto" else self.pixel_format
        full = wanted.replace("yuv420p", "yuv444p").replace("yuv422p", "yuv444p")
        odd = (width % 2 and ("420" in wanted or "422" in wanted)) or (height % 2 and "420" in wanted)
        if self.card.odd or not odd:
            return wanted
        if full not in _formats(self.card.encoder):
            raise ConfigError(f"{self.codec} cannot hold the odd size {width} x {height}: choose h264, hevc, vp9 or ffv1")
        return full

    def options(self) -> dict[str, str]:
        """The encoder's own options."""
        speed = PRESETS.index(self.preset)
        if self.codec == "h264":
            return {"crf": str(self.crf), "preset": self.preset, **_repeatable()}
        if self.codec == "hevc":
            return {"crf": str(self.crf), "preset": self.preset, "x265-params": "log-level=error"}
        if self.codec == "vp9":
            return {"crf": str(self.crf), "b": "0", "row-mt": "1", "cpu-used": "555433210"[speed]}
        if self.codec == "av1":
            return {"crf": str(self.crf), "preset": ("12", "11", "10", "9", "8", "7", "6", "4", "2")[speed]}
        return {"level": "3", "slices": "4", "slicecrc": "1"}


def _repeatable() -> dict[str, str]:
    """Keep x264 off its AVX-512 code, which gives other bytes for the same frames from run to run (measured; AVX2 does not)."""
    has_both = all(cv2.checkHardwareSupport(feature) for feature in (_AVX2, _AVX512))
    return {"x264-params": "asm=avx2"} if has_both else {}


def _formats(encoder: str) -> tuple[str, ...]:
    try:
        formats = Codec(encoder, "w").video_formats or []
    except ValueError as error:
        raise ConfigError(f"the installed PyAV has no encoder {encoder}: choose another codec") from error
    return tuple(f.name for f in formats if re.fullmatch(r"yuv4(20|22|44)p(10le)?|gbrp|bgr0", f.name))

"""How a video is encoded: codec, quality, speed, pixel format, checked before anything is opened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
from av.codec import Codec

from bianlian.errors import ConfigError

_AVX2, _AVX512 = 11, 13  # OpenCV's numbers
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True)
class CodecCard:
    """What one codec needs. encoder: FFmpeg's name. crf_max: highest crf. default: its pixel format for ``auto``.

    deep: the same for inputs of more than 8 bits a colour. odd: whether it takes odd sides in 4:2:0 and 4:2:2. containers:
    suffixes that hold it.
    """

    encoder: str
    crf_max: int | None
    default: str
    deep: str
    odd: bool
    containers: tuple[str, ...]


CODECS: Mapping[str, CodecCard] = MappingProxyType(
    {
        # Few players show 10 bits of H.264; the libvpx inside PyAV has 8 only.
        "h264": CodecCard("libx264", 51, "yuv420p", "yuv420p", False, (".mp4", ".mov", ".mkv", ".avi")),
        "hevc": CodecCard("libx265", 51, "yuv420p", "yuv420p10le", False, (".mp4", ".mov", ".mkv")),
        "prores": CodecCard("prores_ks", None, "yuv422p10le", "yuv422p10le", True, (".mov", ".mkv")),
        "vp9": CodecCard("libvpx-vp9", 63, "yuv420p", "yuv420p", True, (".mp4", ".mkv", ".webm")),
        "av1": CodecCard("libsvtav1", 63, "yuv420p", "yuv420p10le", False, (".mp4", ".mkv", ".webm")),
        "ffv1": CodecCard("ffv1", None, "bgr0", "gbrp16le", True, (".mkv", ".avi", ".mov")),
    }
)
"""Codecs by name; the encoders that the installed PyAV lacks are refused with a ConfigError when they are asked for."""


@dataclass(frozen=True)
class Encoding:
    """Settings of the video encoder.

    codec: a name of CODECS, or ``auto``, see ``settled``. crf: constant quality, lower is better (0 to 51, for vp9 and av1 to 63;
    prores and ffv1, which is lossless, ignore it). preset: speed for size, one of PRESETS for every codec. pixel_format: FFmpeg's
    name, or ``auto``: 4:2:0, for prores 4:2:2, with 10 bits where the input has more than 8 and the codec is hevc or av1; for
    ffv1 RGB, which keeps frames bit for bit. Raises ConfigError.
    """

    codec: str = "auto"
    crf: int = 18
    preset: str = "veryfast"
    pixel_format: str = "auto"

    def __post_init__(self) -> None:
        card = CODECS.get("h264" if self.codec == "auto" else self.codec)
        if card is None:
            raise ConfigError(f"codec must be auto or one of {', '.join(CODECS)}, got {self.codec!r}")
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
        """The codec's card; that of h264 for ``auto``."""
        return CODECS["h264" if self.codec == "auto" else self.codec]

    def settled(self, suffix: str, *, bits: int, codec: str, pixel_format: str) -> Encoding:
        """Choose what ``auto`` leaves open, by the output's suffix and the input's depth, codec and pixel format.

        vp9 in .webm; prores in .mov from prores (4:4:4 stays so); hevc for more than 8 bits if the container holds it; else h264.
        """
        chosen = self.codec
        if chosen == "auto":
            chosen = "vp9" if suffix == ".webm" else "h264"
            if suffix == ".mov" and codec == "prores":
                chosen = "prores"
            elif bits > 8 and suffix in CODECS["hevc"].containers:
                chosen = "hevc"
        whole = chosen == "prores" and self.pixel_format == "auto" and "444" in pixel_format
        return replace(self, codec=chosen, pixel_format="yuv444p10le" if whole else self.pixel_format)

    def pixel_format_for(self, width: int, height: int, *, bits: int = 8) -> str:
        """Choose the pixel format for a picture size: the size is kept, odd sides take 4:4:4 where the codec needs even ones.

        bits: of a colour of the input.
        """
        wanted = self.pixel_format
        if wanted == "auto":
            wanted = self.card.default if bits <= 8 else self.card.deep
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
        if self.card.encoder == "libx264":
            return {"crf": str(self.crf), "preset": self.preset, **_repeatable()}
        if self.codec == "hevc":
            return {"crf": str(self.crf), "preset": self.preset, "x265-params": "log-level=error"}
        if self.codec == "vp9":
            return {"crf": str(self.crf), "b": "0", "row-mt": "1", "cpu-used": "555433210"[speed]}
        if self.codec == "av1":
            return {"crf": str(self.crf), "preset": ("12", "11", "10", "9", "8", "7", "6", "4", "2")[speed]}
        if self.codec == "prores":
            # The standard (HQ) and 4444 profiles; other programs look for Apple's mark.
            return {"profile": "4444" if "444" in self.pixel_format else "hq", "vendor": "apl0"}
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
    return tuple(f.name for f in formats if re.fullmatch(r"yuv4(20|22|44)p(10le)?|gbrp(16le)?|bgr0", f.name))

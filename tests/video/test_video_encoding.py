from __future__ import annotations

import pytest

from bianlian.errors import ConfigError
from bianlian.video import CODECS, PRESETS, Encoding


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"codec": "divx"}, "h264, hevc, prores, vp9, av1, ffv1"),
        ({"crf": 52}, "0 to 51, got 52"),
        ({"crf": -1}, "0 to 51, got -1"),
        ({"codec": "vp9", "crf": 64}, "0 to 63"),
        ({"preset": "warp"}, "veryfast"),
        ({"pixel_format": "cmyk"}, "yuv420p"),
        ({"codec": "av1", "pixel_format": "yuv444p"}, "yuv420p10le, got 'yuv444p'"),
    ],
)
def test_encoding_refuses_what_it_cannot_do(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Encoding(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_knows_every_preset(codec: str) -> None:
    for preset in PRESETS:
        assert Encoding(codec, preset=preset).options()


@pytest.mark.parametrize(
    ("encoding", "size", "expected"),
    [
        (Encoding(), (64, 48), "yuv420p"),
        (Encoding(), (65, 48), "yuv444p"),
        (Encoding(), (64, 47), "yuv444p"),
        (Encoding(pixel_format="yuv422p"), (64, 47), "yuv422p"),
        (Encoding(pixel_format="yuv422p"), (65, 48), "yuv444p"),
        (Encoding(pixel_format="yuv420p10le"), (65, 47), "yuv444p10le"),
        (Encoding("vp9"), (65, 47), "yuv420p"),
        (Encoding("ffv1"), (65, 47), "bgr0"),
    ],
)
def test_odd_sizes_are_kept(encoding: Encoding, size: tuple[int, int], expected: str) -> None:
    assert encoding.pixel_format_for(*size) == expected


def test_av1_refuses_odd_sizes() -> None:
    with pytest.raises(ConfigError, match="65 x 47"):
        Encoding("av1").pixel_format_for(65, 47)


@pytest.mark.parametrize(
    ("suffix", "bits", "codec", "expected"),
    [
        (".mp4", 8, "h264", "h264"),
        (".webm", 8, "h264", "vp9"),
        (".mp4", 10, "h264", "hevc"),
        (".mov", 10, "prores", "prores"),
        (".mp4", 10, "prores", "hevc"),
        (".avi", 10, "ffv1", "h264"),
    ],
)
def test_auto_settles_by_container_and_depth(suffix: str, bits: int, codec: str, expected: str) -> None:
    settled = Encoding().settled(suffix, bits=bits, codec=codec, pixel_format="yuv420p")
    assert settled.codec == expected
    assert suffix in settled.card.containers
    assert Encoding("av1").settled(suffix, bits=bits, codec=codec, pixel_format="yuv420p") == Encoding("av1")

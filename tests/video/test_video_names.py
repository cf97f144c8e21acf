from __future__ import annotations

import bianlian.video


def test_public_names() -> None:
    assert sorted(bianlian.video.__all__) == sorted(
        [
            *("CODECS", "PICTURE_SUFFIXES", "PRESETS", "VIDEO_SUFFIXES", "WHOLE"),
            *(
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
            ),
            *("find_span", "frames", "list_pictures", "open_writer", "probe", "read_picture"),
        ]
    )
    assert all(hasattr(bianlian.video, name) for name in bianlian.video.__all__)

from __future__ import annotations

import bianlian.video


def test_public_names() -> None:
    assert sorted(bianlian.video.__all__) == sorted(
        [
            *("CODECS", "PICTURE_SUFFIXES", "PRESETS", "VIDEO_SUFFIXES"),
            *(
                "ColorTags",
                "Encoding",
                "FolderWriter",
                "FrameWriter",
                "ImageWriter",
                "Marks",
                "StreamInfo",
                "VideoInfo",
                "VideoWriter",
            ),
            *("frames", "list_pictures", "open_writer", "probe", "read_picture"),
        ]
    )
    assert all(hasattr(bianlian.video, name) for name in bianlian.video.__all__)

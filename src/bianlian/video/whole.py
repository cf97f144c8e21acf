"""Outputs written whole or not at all, with what FFmpeg says about a failed write in the same words (see ``files``)."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import av

from bianlian import files
from bianlian.files import check_output, discard, keep, new_part, new_part_folder

__all__ = ["check_output", "discard", "keep", "new_part", "new_part_folder", "writing"]


def writing(path: Path) -> AbstractContextManager[None]:
    """Turn what the system or FFmpeg says about writing ``path`` into one OutputError."""
    return files.writing(path, av.FFmpegError)

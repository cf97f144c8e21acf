"""What an output says about itself beside its frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


def _leave(part: Path) -> None:
    del part


@dataclass(frozen=True)
class Marks:
    """Handed to a writer. tags: metadata of a video's container; xmp: packet for pictures; seal: called with the finished file or
    folder before it takes its name, which it may change in place."""

    tags: Mapping[str, str] = field(default_factory=dict)
    xmp: bytes = b""
    seal: Callable[[Path], None] = _leave

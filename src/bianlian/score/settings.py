"""What a score can be asked."""

from __future__ import annotations

from dataclasses import dataclass

from bianlian.errors import ConfigError


@dataclass(frozen=True)
class ScoreSettings:
    """How a swap is scored.

    every: score each ``every``-th frame. describe: describe every so many scored frames; descriptions are slow and change slowly.
    worst: worst frames that the report shows. detector, landmarker, describer: plug-in names; the landmarker must mark the
    outline of a face. Raises ConfigError for a number out of range.
    """

    every: int = 1
    describe: int = 3
    worst: int = 8
    detector: str = "duo"
    landmarker: str = "facemesh"
    describer: str = "dlib"

    def __post_init__(self) -> None:
        for name, least in (("every", 1), ("describe", 1), ("worst", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be {least} or more, got {getattr(self, name)}")

"""What a curation asks of a face: one threshold a filter, each with its unit, and which filters are off."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, final, get_args

from bianlian.errors import ConfigError

Filter = Literal["face", "light", "whole", "person", "size", "blur", "duplicates", "count"]
FILTERS: tuple[Filter, ...] = get_args(Filter)
"""The filters. A face that fails several carries the reason that stands first in ``decide.KINDS``."""

_RANGES = {
    "face": (0, 1),
    "whole": (0, 1),
    "person": (0, 2),
    "size": (0, 10_000),
    "blur": (0, 1),
    "dark": (0, 255),
    "burnt": (0, 1),
    "flat": (0, 255),
    "duplicates": (0, 64),
    "count": (1, 10_000_000),
}


@final
@dataclass(frozen=True)
class CurateSettings:
    """Thresholds of the filters.

    face: least score in [0, 1] of finding the face again in its crop. whole: least share in [0, 1] of the face that the picture
    holds. person: farthest description, in the describer's distance, from the faceset's person. size: least width in pixels of
    the footage. blur: how much blurrier than the sharper quarter of the faceset, on ``look.blur``'s scale of 0 to 1. dark, flat:
    least brightness and least contrast, grey levels. burnt: largest share of the face without detail in its lights.
    duplicates: bits of 64 that two pictures' hashes may differ by and still be duplicates. count: faces wanted at most.
    off: filters that do not judge. reconsider: judge faces that extraction left out, too.
    """

    face: float = 0.4
    whole: float = 0.92
    person: float = 0.45
    size: float = 40
    blur: float = 0.15
    dark: float = 40
    burnt: float = 0.25
    flat: float = 25
    duplicates: int = 2
    count: int = 2000
    off: tuple[Filter, ...] = ()
    reconsider: bool = False

    def __post_init__(self) -> None:
        defaults = {f.name: f.default for f in fields(self)}
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} must lie in [{low}, {high}], got {value}; {defaults[name]} is the default")
        unknown = [name for name in self.off if name not in FILTERS]
        if unknown:
            raise ConfigError(f"no filter is called {unknown[0]!r}; there are: {', '.join(FILTERS)}")

    def on(self, name: Filter) -> bool:
        """Tell whether a filter judges."""
        return name not in self.off

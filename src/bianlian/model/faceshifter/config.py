"""Settings of the networks from one photo, and the two sets of them that the project uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from bianlian.errors import ConfigError

DESCRIPTION = 128
"""Numbers of the recogniser's description."""
LOOK_SIDE = 64
"""Side of the picture of the source that the look network reads."""
TONE, DETAIL = 16, 8
"""Pixels: what is coarser is the target's in a draft, and the draft's in a photo."""


@dataclass(frozen=True)
class AeiConfig:
    """Settings of AEI-Net. Raises ConfigError.

    size: side of the crops in pixels. down: channels of the attribute encoder, one a halving. up: channels of the generator: those
    of its start, then what each block gives. look: numbers of the look network, 0 for the recogniser's description alone.
    identity: numbers of the identity that the AAD layers take. maps: how many attribute maps, from the coarsest on, are in use; a
    finer block takes the finest of them, enlarged. masked: AAD layers choose place by place. output: ``picture`` draws from
    nothing, as published; ``change`` bends the target's picture and draws over it, from blocks up to half its side. draft: with
    ``change``, start from a draft of the answer by another network. photo: with a draft, see the source's photo laid over the
    target's face too, and take from it.
    """

    size: int = 256
    down: tuple[int, ...] = (32, 64, 128, 256, 512, 1024, 1024)
    up: tuple[int, ...] = (1024, 1024, 1024, 1024, 512, 256, 128, 64, 3)
    look: int = 0
    identity: int = DESCRIPTION
    maps: int = 8
    masked: bool = True
    output: Literal["picture", "change"] = "picture"
    draft: bool = False
    photo: bool = False

    def __post_init__(self) -> None:
        halvings, blocks = len(self.down), len(self.up) - 1
        if halvings < 1 or self.size % 2**halvings:
            raise ConfigError(f"size must be a multiple of {2**halvings} to be halved {halvings} times, got {self.size}")
        wanted = halvings + (self.output == "picture")
        if blocks != wanted:
            raise ConfigError(f"up must name {wanted + 1} widths for {halvings} halvings, got {len(self.up)}")
        if self.output == "picture" and self.up[-1] != 3:
            raise ConfigError(f"the last width of up is the picture's, 3, got {self.up[-1]}")
        if self.output == "picture" and self.identity != self.told:
            raise ConfigError(f"identity must be the {self.told} numbers that are told, got {self.identity}")
        if self.draft and self.output == "picture":
            raise ConfigError("a draft can be changed, not drawn: draft wants the output change")
        if self.draft and self.size % TONE:
            raise ConfigError(f"with a draft size must be a multiple of {TONE}, over which its tone is matched, got {self.size}")
        if self.photo and not self.draft:
            raise ConfigError("a photo lends its details to a draft: photo wants draft")
        if not 1 <= self.maps <= blocks:
            raise ConfigError(f"maps must lie in [1, {blocks}], got {self.maps}")

    @property
    def told(self) -> int:
        """Numbers that tell who the source is: the description, then those of the look network."""
        return DESCRIPTION + self.look


CONFIGS: Mapping[str, AeiConfig] = MappingProxyType(
    {
        "paper": AeiConfig(),
        "compact": AeiConfig(
            size=128,
            down=(24, 48, 96, 160, 224),
            up=(192, 192, 192, 128, 80, 48),
            look=128,
            identity=192,
            maps=5,
            output="change",
            draft=True,
            photo=True,
        ),
    }
)
"""``paper``: as published, but for the numbers of the identity. ``compact``: for CPUs, over a draft by the base that ships."""

"""What a decoder with a mask of its own draws, and how it is laid over the picture it was drawn from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Drawn:
    """A face and where it belongs.

    rgb: (B, 3, S, S), in [-1, 1] or [0, 1] as its decoder says; mask: (B, 1, S, S) in [0, 1]; smaller: pictures on the
    way, from 64 px up.
    """

    rgb: Tensor
    mask: Tensor
    smaller: tuple[Tensor, ...] = ()


def seen_alone(drawn: Drawn, visible: Tensor | None) -> Drawn:
    """Shut the mask where the face is not seen. visible (B, 1, S, S) in [0, 1], None: all is."""
    return drawn if visible is None else replace(drawn, mask=drawn.mask * visible)


def masked(drawn: Drawn, under: Tensor) -> Tensor:
    """Lay what is drawn over the picture under it, by its mask: mask * rgb + (1 - mask) * under, (B, 3, S, S)."""
    return drawn.mask * drawn.rgb + (1 - drawn.mask) * under

"""What is in front of a face stays in front: the learned mask over the frames of a swap, calmed over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from bianlian.geometry import compose, invert
from bianlian.mask.learned import LearnedMask, seen_in, steadied, view, view_of
from bianlian.types import Crop, Image, Mask

FIRM = (0.25, 0.75)
"""Weights of the mask that become 0 and 1: a face half seen through the new one shows twice.

On 48 rendered clips, of the face that shows, the share painted over at less than 0.9 falls from 13 to 8 % under glasses and from 6
to 4 % under hands; what hides it is painted over at 0.20 in place of 0.28 and at 0.13 in place of 0.17.
"""
Item = TypeVar("Item")
Seen = Mapping[int, Mask]
"""Where the face of each track shows, in its view (see ``mask.learned``)."""


class Front:
    """Looks at faces for what is in front of them. coverage: of the crops that it is given. For one thread at a time."""

    def __init__(self, coverage: float, masker: LearnedMask | None = None) -> None:
        """Load the mask's network. Raises WeightsError."""
        self._coverage, self._masker = coverage, masker or LearnedMask()

    def look(self, image: Image, crops: Mapping[int, Crop]) -> Seen:
        """Mask the faces of one frame (H, W, 3). crops: by track, as they were cut from it."""
        views = [view(image, self._view_from_frame(crop)) for crop in crops.values()]
        return dict(zip(crops, self._masker.weigh(views), strict=True))

    def over(self, mask: Mask, crop: Crop) -> Mask:
        """Lay a view's mask over the crop (S, S) of the same face -> (S, S) float32 in [0, 1]."""
        to_crop = compose(crop.crop_from_frame, invert(self._view_from_frame(crop)))
        over = seen_in(mask, to_crop, (crop.size, crop.size))
        return np.asarray(np.clip((over - FIRM[0]) / (FIRM[1] - FIRM[0]), 0, 1), np.float32)

    def _view_from_frame(self, crop: Crop) -> np.ndarray:
        return view_of(crop.crop_from_frame, crop.size, self._coverage)


def calmed(looks: Iterable[tuple[Item, int, Seen]]) -> Iterator[tuple[Item, Seen]]:
    """Calm masks by those of the frames right before and after: (anything, frame index, masks) in order -> (the same, masks).

    Runs one frame behind. A face that the frame before or after does not show is calmed by the other one alone.
    """
    before: tuple[int, Seen] = (-2, {})
    now: tuple[Item, int, Seen] | None = None
    for after in looks:
        if now is not None:
            yield now[0], _calm(before, now[1:], after[1:])
            before = now[1:]
        now = after
    if now is not None:
        yield now[0], _calm(before, now[1:], (-2, {}))


def _calm(before: tuple[int, Seen], now: tuple[int, Seen], after: tuple[int, Seen]) -> Seen:
    index, seen = now
    old = before[1] if before[0] == index - 1 else {}
    new = after[1] if after[0] == index + 1 else {}
    return {track: steadied(old.get(track), mask, new.get(track)) for track, mask in seen.items()}

"""How good a face is for training: which ones to keep, and one number for the sharpness of a crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.align import COVERAGE
from bianlian.errors import ConfigError
from bianlian.geometry import inside_share
from bianlian.types import Face, Image, check_image

SIDE = 128
"""Side in pixels that the inner face is scaled to before it is measured, so that crops of all sizes compare."""


@final
@dataclass(frozen=True)
class Rules:
    """Which faces of a frame are kept; footage of one person may show others, who must not be mixed in.

    all_faces: keep every face and not only the largest. whole: share of the box, in [0, 1], that must be in the picture.
    smallest: least width of the box in frame pixels.
    """

    all_faces: bool = False
    whole: float = 0.98
    smallest: int = 40

    def __post_init__(self) -> None:
        if not 0 <= self.whole <= 1 or self.smallest < 0:
            raise ConfigError(f"whole must lie in [0, 1] and smallest be 0 or more, got {self.whole} and {self.smallest}")

    def why_not(self, faces: Sequence[Face], width: int, height: int, *, strange: Sequence[str | None] = ()) -> list[str | None]:
        """Say why each face of a picture of ``width`` x ``height`` pixels is not kept, in as many reasons; None where it is.

        strange: for each face why it is somebody else's, None where it is not; these do not count as the largest.
        """
        known = [*strange] or [None] * len(faces)
        own = [face for face, reason in zip(faces, known, strict=True) if reason is None]
        largest = max(own, key=lambda face: face.area, default=None)
        pairs = zip(faces, known, strict=True)
        return [self._why_not(face, face is largest, width, height) if reason is None else reason for face, reason in pairs]

    def _why_not(self, face: Face, largest: bool, width: int, height: int) -> str | None:
        share, across = inside_share(face.box, width, height), face.box[2] - face.box[0]
        if not largest and not self.all_faces:
            return "not the largest face"
        if share < self.whole:
            return f"partial: {100 * share:.0f} % of the face is in the picture"
        if across < self.smallest:
            return f"small: {across:.0f} pixels wide"
        return None


KEEP_LARGEST = Rules()
"""The default: the largest face of each frame, if it is whole and 40 pixels wide."""


def sharpness(image: Image, coverage: float) -> float:
    """Measure how sharp a crop is: the variance of the Laplacian of its inner face, in squared grey levels.

    image: aligned crop (S, S, 3) uint8 RGB; coverage: share of S that a frontal outline spans. The central part that a model
    sees (0.72 coverage) is scaled to 128 x 128, made grey (0 to 255), and its 3 x 3 Laplacian's variance taken, within a centred
    ellipse, so that hair and background count little. Some 10 is a face enlarged from 60 pixels, 40 a good one of 70, 200 and
    more a crisp one of 200; noise counts as sharp.
    Source: J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000; the window is ours.
    """
    check_image(image)
    side = image.shape[0]
    inner = min(side, max(8, round(side * coverage / COVERAGE)))
    first = (side - inner) // 2
    part = image[first : first + inner, first : first + inner]
    how = cv2.INTER_AREA if inner >= SIDE else cv2.INTER_LINEAR
    grey = cv2.resize(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=how)
    return float(cv2.Laplacian(grey, cv2.CV_64F)[_ellipse()].var())


def _ellipse() -> NDArray[np.bool_]:
    from_middle = np.arange(SIDE, dtype=np.float64) - (SIDE - 1) / 2
    x, y = from_middle[None, :], from_middle[:, None]
    return np.asarray((x / (0.36 * SIDE)) ** 2 + (y / (0.42 * SIDE)) ** 2 <= 1, np.bool_)

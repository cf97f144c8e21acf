"""The data that flows: frames, faces, landmarks, crops, tracks. All frozen, shapes checked on construction.

Conventions (each pinned by a ``test_convention_*``):

- Images are RGB uint8, (height, width, 3).
- Points are (x, y), y down, origin top-left, pixel *centres* on integers: the top-left pixel is centred on (0, 0).
- Boxes are (x1, y1, x2, y2) in the same coordinates.
- A matrix that takes points of space ``a`` to space ``b`` is called ``b_from_a``; 2-D affine matrices are (2, 3) float64.
- Time is an integer ``pts`` times a ``Fraction`` time base, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import InputError

Image = NDArray[np.uint8]
"""RGB picture, (H, W, 3) uint8."""
Mask = NDArray[np.float32]
"""Weight of each pixel, (H, W) float32 in [0, 1]."""
Points = NDArray[np.float64]
"""Points, (N, 2) float64, (x, y) pixels."""
Matrix = NDArray[np.float64]
"""Affine map, (2, 3) float64."""
DeepPixels = NDArray[np.uint16] | NDArray[np.float32]
"""RGB picture of more than 8 bits, (H, W, 3): uint16, 0 to 65535 as shown on a screen; or float32, linear light, 1 is white."""

Note = Callable[[str], None]
"""Where a library function says, in one line, something the user should know (a skipped picture, a transcoded track)."""
Progress = Callable[[str, int, "int | None"], None]
"""Where a library function says how far it is: stage, done, total (None while unknown)."""


def silent(*_: object) -> None:
    """Say nothing: the default ``Note`` and ``Progress``."""


SCHEMES: dict[str, int] = {"five": 5, "ibug68": 68, "mesh468": 468, "mesh478": 478}
"""Landmark schemes and their number of points.

``five``: the person's right eye (image left), left eye, nose tip, right mouth corner, left mouth corner.
``ibug68``: the 68 points of the iBUG 300-W annotation. ``mesh468``: the face mesh; ``mesh478``: with five iris points an eye.
"""


def _check(wanted: bool, what: str, got: object) -> None:
    if not wanted:
        raise InputError(f"{what}, got {got}")


def check_image(image: NDArray[Any], name: str = "image") -> None:
    """Raise InputError unless ``image`` is an RGB picture: (H, W, 3) uint8, neither side zero."""
    _check(
        image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and min(image.shape) > 0,
        f"{name} must be RGB uint8 (height, width, 3)",
        f"{image.dtype} {image.shape}",
    )


@dataclass(frozen=True, eq=False)
class Deep:
    """What a frame was before it was cut to 8 bits a colour.

    shown: (H, W, 3) uint8, the frame as it was read. read: gives the same picture with all its bits, upright; it may read the
    file again or convert, so that nothing is held that nobody asks for.
    """

    shown: Image
    read: Callable[[], DeepPixels]


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture and its place in time.

    image: (H, W, 3) uint8 RGB, upright (rotation flags applied). index: 0 for the first frame of the file.
    pts: presentation time in units of ``time_base`` (seconds); None for pictures outside a video. deep: where the input has more
    than 8 bits a colour; it stays what was read when ``image`` is replaced, see ``video.deep.lay``.
    """

    image: Image
    index: int
    pts: int | None = None
    time_base: Fraction | None = None
    deep: Deep | None = None

    def __post_init__(self) -> None:
        check_image(self.image, "Frame.image")
        _check(self.index >= 0, "Frame.index must be 0 or more", self.index)
        _check((self.pts is None) == (self.time_base is None), "Frame.pts and time_base go together", self.pts)

    @property
    def seconds(self) -> Fraction | None:
        """Presentation time in seconds, exact; None outside a video."""
        return None if self.pts is None or self.time_base is None else self.pts * self.time_base


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Named points of one face. points: (N, 2) float64 frame pixels, finite; N is fixed by ``scheme`` (see SCHEMES)."""

    points: Points
    scheme: str

    def __post_init__(self) -> None:
        _check(self.scheme in SCHEMES, f"Landmarks.scheme must be one of {', '.join(SCHEMES)}", repr(self.scheme))
        wanted = (SCHEMES[self.scheme], 2)
        _check(self.points.shape == wanted, f"{self.scheme} landmarks must have shape {wanted}", self.points.shape)
        _check(bool(np.isfinite(self.points).all()), "Landmarks.points must be finite numbers", "NaN or infinity")


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame.

    box: (4,) float64 x1, y1, x2, y2 in frame pixels, may reach beyond the picture. score: detector's confidence in [0, 1].
    landmarks: the detector's own points or a landmarker's, or None.
    """

    box: NDArray[np.float64]
    score: float
    landmarks: Landmarks | None = None

    def __post_init__(self) -> None:
        _check(self.box.shape == (4,), "Face.box must have shape (4,)", self.box.shape)
        _check(bool(np.isfinite(self.box).all()), "Face.box must be finite numbers", self.box.tolist())
        _check(
            bool(self.box[2] > self.box[0] and self.box[3] > self.box[1]),
            "Face.box must be x1, y1, x2, y2 with x1 < x2 and y1 < y2",
            self.box.tolist(),
        )
        _check(0.0 <= self.score <= 1.0, "Face.score must lie in [0, 1]", self.score)

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


@dataclass(frozen=True, eq=False)
class Crop:
    """An aligned square cut out of a frame. image: (S, S, 3) uint8 RGB; crop_from_frame: (2, 3) float64."""

    image: Image
    crop_from_frame: Matrix

    def __post_init__(self) -> None:
        check_image(self.image, "Crop.image")
        _check(self.image.shape[0] == self.image.shape[1], "Crop.image must be square", self.image.shape)
        _check(self.crop_from_frame.shape == (2, 3), "crop_from_frame must have shape (2, 3)", self.crop_from_frame.shape)

    @property
    def size(self) -> int:
        """Side of the crop in pixels."""
        return int(self.image.shape[0])


@dataclass(frozen=True, eq=False)
class TrackPoint:
    """One face of a track in one frame.

    frame: frame index; face: with landmarks; filled: interpolated, not detected; description: (D,) float64 of a
    ``identity.Describer``, where the face was described.
    """

    frame: int
    face: Face
    filled: bool = False
    description: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Track:
    """The same face across frames, in frame order. person: who it is, None while unknown."""

    id: int
    points: tuple[TrackPoint, ...]
    person: str | None = None

    def __post_init__(self) -> None:
        frames = [p.frame for p in self.points]
        _check(len(frames) > 0, "Track.points must hold at least one face", 0)
        _check(all(a < b for a, b in pairwise(frames)), "Track.points must be in frame order", frames[:9])

"""Cut an aligned square out of a frame around a face, and map it back.

The crop's place comes from a similarity (Umeyama) that takes the face's landmarks to a template: the inner 51 of the 68 points
(brows, nose, eyes, mouth: the outline slides over the skin when the head turns) or the five points. The template is the mean of
220 rendered heads of 72 people and their mixes turned less than 15 degrees, made symmetric; its outline is one unit wide.

How much of the head a crop shows is its framing: one of ``FRAMINGS``, or a coverage of one's own. Two other fits can take the
similarity's place: ``procrustes`` (mirrored faces too) and ``affine`` (all faces into one shape, as the style-transfer swap of
Korshunova et al., arXiv 1611.09577, wants them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np

from bianlian.errors import ConfigError
from bianlian.geometry import affine, apply, compose, invert, procrustes, scale_of, umeyama
from bianlian.landmark.schemes import INNER, LEFT_EYE, RIGHT_EYE, convert
from bianlian.types import Crop, Image, Landmarks, Matrix, Points

COVERAGE = 0.72
"""Default share of the crop's side that the outline of a frontal face spans."""

Fit = Literal["umeyama", "procrustes", "affine"]
"""How landmarks are fitted to the template, see ``geometry``."""
_FITS: Mapping[str, Callable[[Points, Points], Matrix]] = MappingProxyType(
    {"umeyama": umeyama, "procrustes": procrustes, "affine": affine}
)


@dataclass(frozen=True)
class Framing:
    """How much of the head a crop shows.

    coverage: share of the crop's side that the outline of a frontal face spans, in (0, 1.5]. lift: how far the crop's middle lies
    above the middle of the outline, in outline widths, in [-1, 1].
    """

    coverage: float = COVERAGE
    lift: float = 0.0

    def __post_init__(self) -> None:
        """Raise ConfigError for a value out of range."""
        if not 0 < self.coverage <= 1.5:
            raise ConfigError(f"coverage must lie in (0, 1.5], got {self.coverage}; {COVERAGE} is the default")
        if not -1 <= self.lift <= 1:
            raise ConfigError(f"lift must lie in [-1, 1] outline widths, got {self.lift}; 0 is the default")

    def padded(self, padding: float) -> Framing:
        """Widen the view by ``padding``, a share of the crop's side, at each of its four edges; below 0 it gets narrower.

        Raises ConfigError for a padding of -0.5 or less, which would leave nothing.
        """
        if not padding > -0.5:
            raise ConfigError(f"padding must be more than -0.5 of the crop's side, got {padding}; 0 is the default")
        return replace(self, coverage=self.coverage / (1 + 2 * padding))


FRAMINGS: Mapping[str, Framing] = MappingProxyType(
    {
        "inner": Framing(0.9),
        "face": Framing(0.58, 0.1),
        "head": Framing(0.45, 0.3),
        "model": Framing(COVERAGE),
    }
)
"""Named framings. ``inner``: brows to chin. ``face``: the whole face, forehead too, with the mouth open. ``head``: hair and ears
too. ``model``: what models are trained on, between the first two. Measured in ``docs/alignment.md``."""

_TEMPLATE68 = (
    (-0.5000, -0.2802),
    (-0.4950, -0.1756),
    (-0.4893, -0.0703),
    (-0.4508, 0.1177),
    (-0.3973, 0.2551),
    (-0.2791, 0.3831),
    (-0.2224, 0.4246),
    (-0.0915, 0.4874),
    (0.0000, 0.4966),
    (0.0915, 0.4874),
    (0.2224, 0.4246),
    (0.2791, 0.3831),
    (0.3973, 0.2551),
    (0.4508, 0.1177),
    (0.4893, -0.0703),
    (0.4950, -0.1756),
    (0.5000, -0.2802),
    (-0.4094, -0.4305),
    (-0.3644, -0.4745),
    (-0.2936, -0.4966),
    (-0.1955, -0.4520),
    (-0.0888, -0.4177),
    (0.0888, -0.4177),
    (0.1955, -0.4520),
    (0.2936, -0.4966),
    (0.3644, -0.4745),
    (0.4094, -0.4305),
    (0.0000, -0.3055),
    (0.0000, -0.2557),
    (0.0000, -0.1590),
    (0.0000, -0.0968),
    (-0.1186, -0.0141),
    (-0.0512, -0.0001),
    (0.0000, 0.0005),
    (0.0512, -0.0001),
    (0.1186, -0.0141),
    (-0.3259, -0.3269),
    (-0.2757, -0.3559),
    (-0.2000, -0.3599),
    (-0.1254, -0.3157),
    (-0.1917, -0.3003),
    (-0.2665, -0.3016),
    (0.1254, -0.3157),
    (0.2000, -0.3599),
    (0.2757, -0.3559),
    (0.3259, -0.3269),
    (0.2665, -0.3016),
    (0.1917, -0.3003),
    (-0.1833, 0.1569),
    (-0.1094, 0.1056),
    (-0.0541, 0.0916),
    (0.0000, 0.0991),
    (0.0541, 0.0916),
    (0.1094, 0.1056),
    (0.1833, 0.1569),
    (0.1402, 0.2034),
    (0.0553, 0.2497),
    (0.0000, 0.2549),
    (-0.0553, 0.2497),
    (-0.1402, 0.2034),
    (-0.1572, 0.1535),
    (-0.0776, 0.1429),
    (0.0000, 0.1457),
    (0.0776, 0.1429),
    (0.1572, 0.1535),
    (0.0828, 0.1737),
    (0.0000, 0.1809),
    (-0.0828, 0.1737),
)


def template(scheme: str, size: int, coverage: float = COVERAGE, *, lift: float = 0.0) -> Points:
    """Place the mean face in a crop of ``size`` pixels -> (N, 2) crop pixels; scheme ``ibug68`` or ``five``.

    coverage, lift: see ``Framing``. Raises ConfigError when they are out of range or for another scheme.
    """
    framing = Framing(coverage, lift)
    points = np.array(_TEMPLATE68, np.float64) * framing.coverage * size + (size - 1) / 2
    if framing.lift:
        points[:, 1] += framing.lift * framing.coverage * size
    if scheme == "ibug68":
        return points
    if scheme == "five":
        return np.stack([points[RIGHT_EYE].mean(0), points[LEFT_EYE].mean(0), points[30], points[48], points[54]])
    raise ConfigError(f"there are templates for ibug68 and five, not for {scheme!r}")


def crop_from_frame(
    landmarks: Landmarks, size: int, coverage: float = COVERAGE, *, lift: float = 0.0, fit: Fit = "umeyama"
) -> Matrix:
    """Fit the map (2, 3) that takes frame pixels to an aligned crop of ``size`` x ``size`` pixels; a similarity by default.

    landmarks: five points, or more of which the inner 51 of the 68 are used. coverage, lift: see ``Framing``. fit: see ``Fit``.
    Raises ConfigError for settings out of range and InputError for points that cannot be fitted.
    """
    if fit not in _FITS:
        raise ConfigError(f"fit must be one of {', '.join(_FITS)}, got {fit!r}")
    if landmarks.scheme == "five":
        return _FITS[fit](landmarks.points, template("five", size, coverage, lift=lift))
    points = convert(landmarks, "ibug68").points
    return _FITS[fit](points[INNER], template("ibug68", size, coverage, lift=lift)[INNER])


def framed(landmarks: Landmarks, size: int, framing: Framing, *, fit: Fit = "umeyama") -> Matrix:
    """Fit the map (2, 3) from frame pixels to an aligned crop that shows what ``framing`` says. Raises as ``crop_from_frame``."""
    return crop_from_frame(landmarks, size, framing.coverage, lift=framing.lift, fit=fit)


def cut(image: Image, crop_from_frame: Matrix, size: int) -> Crop:
    """Cut the crop out of a frame; outside the picture its border pixels go on.

    image (H, W, 3) uint8, crop_from_frame (2, 3) -> Crop of size x size. Only the part of the picture around the crop is read:
    a small face of a large frame is quick. Shrinking is anti-aliased: bilinear sampling alone would skip pixels when the face
    is more than twice as large as the crop.
    """
    factor = scale_of(crop_from_frame)
    part, part_from_frame = _around(image, crop_from_frame, size, factor)
    crop_from_part = compose(crop_from_frame, invert(part_from_frame))
    if factor < 0.5:
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), 0.5 * (1 / factor - 1)), np.uint8)
    flags = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_LINEAR
    out = cv2.warpAffine(part, crop_from_part, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return Crop(np.asarray(out, np.uint8), crop_from_frame)


def _around(image: Image, crop_from_frame: Matrix, size: int, factor: float) -> tuple[Image, Matrix]:
    """Give the part of a picture that a crop reads, and where it lies: three sigmas of the blur and the kernel beyond it."""
    corners = apply(invert(crop_from_frame), [[0, 0], [size, 0], [size, size], [0, size]])
    reach, far = 4 + 2 / factor, (image.shape[1], image.shape[0])
    x1, y1 = np.clip(np.floor(corners.min(0) - reach), 0, (far[0] - 1, far[1] - 1)).astype(int)
    x2, y2 = np.clip(np.ceil(corners.max(0) + reach) + 1, (x1 + 1, y1 + 1), far).astype(int)
    return np.ascontiguousarray(image[y1:y2, x1:x2]), np.array([[1.0, 0.0, -x1], [0.0, 1.0, -y1]])


def frame_from_crop(crop: Crop) -> Matrix:
    """Invert the crop's map -> (2, 3), crop pixels to frame pixels."""
    return invert(crop.crop_from_frame)

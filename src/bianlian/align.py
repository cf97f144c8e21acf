"""Cut an aligned square out of a frame around a face, and map it back.

The crop's place comes from a similarity (Umeyama) that takes the face's landmarks to a template: the inner 51 of the 68 points
(brows, nose, eyes, mouth: the outline slides over the skin when the head turns) or the five points. The template is the mean of
220 rendered heads of 72 people and their mixes turned less than 15 degrees, made symmetric; its outline is one unit wide.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.errors import ConfigError
from bianlian.geometry import apply, compose, invert, scale_of, umeyama
from bianlian.landmark.schemes import INNER, LEFT_EYE, RIGHT_EYE, convert
from bianlian.types import Crop, Image, Landmarks, Matrix, Points

COVERAGE = 0.72
"""Default share of the crop's side that the outline of a frontal face spans."""

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


def template(scheme: str, size: int, coverage: float = COVERAGE) -> Points:
    """Place the mean face in a crop of ``size`` pixels -> (N, 2) crop pixels; scheme ``ibug68`` or ``five``.

    coverage in (0, 1.5]: width of the mean face's outline over the side of the crop. Raises ConfigError outside of that.
    """
    if not 0 < coverage <= 1.5:
        raise ConfigError(f"coverage must lie in (0, 1.5], got {coverage}; {COVERAGE} is the default")
    points = np.array(_TEMPLATE68, np.float64) * coverage * size + (size - 1) / 2
    if scheme == "ibug68":
        return points
    if scheme == "five":
        return np.stack([points[RIGHT_EYE].mean(0), points[LEFT_EYE].mean(0), points[30], points[48], points[54]])
    raise ConfigError(f"there are templates for ibug68 and five, not for {scheme!r}")


def crop_from_frame(landmarks: Landmarks, size: int, coverage: float = COVERAGE) -> Matrix:
    """Fit the similarity (2, 3) that takes frame pixels to an aligned crop of ``size`` x ``size`` pixels."""
    if landmarks.scheme == "five":
        return umeyama(landmarks.points, template("five", size, coverage))
    points = convert(landmarks, "ibug68").points
    return umeyama(points[INNER], template("ibug68", size, coverage)[INNER])


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

"""Match mean and spread in l-alpha-beta: logarithms of what the eye's three cones see, turned so that they hardly correlate.

Source: E. Reinhard, M. Ashikhmin, B. Gooch, P. Shirley, "Color transfer between images", IEEE CG&A 2001; the colour space is that
of D. Ruderman, T. Cronin, C. Chiao, 1998. A change of exposure or white balance is a shift there. Different here: linear light of
sRGB with a floor (black has no logarithm); natural logarithms; weights, priors and bounds as in ``swap.color``.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.color import GAIN_LIMIT, trust
from bianlian.swap.moments import moments, under
from bianlian.types import Image, Mask

FLOOR = 0.004
"""Light that is added before the logarithm; white is 1."""
PRIOR_STD = np.array([0.07, 0.014, 0.007])
"""Spread of l, alpha, beta that is added to both sides: about one Lab unit each, at the colour of skin."""

_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_LMS /= _LMS.sum(1, keepdims=True)  # so that grey has three equal parts, and alpha and beta are 0
_TURN = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]])
_LEVELS = np.arange(256) / 255
_LIGHT = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_STEPS = 4096  # of linear light in the table of the way back; its shape is that of the square root, so that black has enough
_ROOTS = ((np.arange(_STEPS) + 0.5) / (_STEPS - 1)) ** 2
_SHOWN = np.where(_ROOTS <= 0.0031308, _ROOTS * 12.92, 1.055 * _ROOTS ** (1 / 2.4) - 0.055)
_SHOWN8 = np.round(255 * _SHOWN).astype(np.uint8)


def reinhard(face: Image, target: Image, mask: Mask) -> Image:
    """Give the face the target's mean and spread in l-alpha-beta: see ``Recolor`` for the shapes."""
    weights, colors = under(mask, face, target)
    if not len(weights):
        return face.copy()
    ours, theirs = (moments(_logs(x[None])[0], weights) for x in colors)
    share = trust(theirs.pixels)
    std, wanted = (np.sqrt(np.maximum(np.diag(_TURN @ x.covariance @ _TURN.T), 0.0)) + PRIOR_STD for x in (ours, theirs))
    gain = np.clip(1.0 + share * (wanted / std - 1.0), 1.0 / GAIN_LIMIT, GAIN_LIMIT)
    change = _TURN.T @ (gain[:, None] * _TURN)
    aim = ours.mean + share * (theirs.mean - ours.mean)
    moved = cv2.transform(_logs(face), np.column_stack([change, aim - change @ ours.mean]))
    seen = np.asarray(cv2.exp(moved, moved), np.float32)
    seen -= np.float32(FLOOR)
    return _shown(np.asarray(cv2.transform(seen, np.linalg.inv(_LMS)), np.float32))


def _logs(image: Image) -> NDArray[np.float32]:
    """Logarithms of what the cones see: (H, W, 3) uint8 -> the same shape."""
    seen = cv2.transform(cv2.LUT(image, _LIGHT), np.column_stack([_LMS, np.full(3, FLOOR)]))
    return np.asarray(cv2.log(seen, seen), np.float32)


def _shown(light: NDArray[np.float32]) -> Image:
    """Linear light -> sRGB, clipped."""
    roots = np.asarray(cv2.sqrt(np.clip(light, 0.0, 1.0, out=light)), np.float32)
    roots *= _STEPS - 1
    return _SHOWN8.take(roots.astype(np.uint16))

"""Match colour by the one linear map that takes the face's spread of RGB to the target's and moves colours least.

Source: F. Pitie, A. Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", CVMP 2007.
Different here: pixels are weighted by the mask; both covariances get a prior, so that flat and grey regions keep their contrast;
the stretch along any axis is bounded; few pixels change little.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.color import GAIN_LIMIT, trust
from bianlian.swap.moments import Moments, moments, power, under
from bianlian.types import Image, Mask

PRIOR_STD = 2.0
"""Spread (grey levels) that is added to every direction of both sides, about one Lab unit."""


def mkl(face: Image, target: Image, mask: Mask) -> Image:
    """Give the face the target's mean and covariance of RGB: see ``Recolor`` for the shapes."""
    weights, colors = under(mask, face, target)
    return np.asarray(cv2.transform(face, monge(*(moments(x, weights) for x in colors))), np.uint8)


def monge(face: Moments, target: Moments) -> NDArray[np.float64]:
    """Find the map of the face's colours to the target's, of R, G, B in grey levels -> (3, 4): a symmetric matrix and an offset."""
    share = trust(target.pixels)
    prior = PRIOR_STD**2 * np.eye(3)
    root, inverse = (power(face.covariance + prior, exponent) for exponent in (0.5, -0.5))
    gain = inverse @ power(root @ (target.covariance + prior) @ root, 0.5) @ inverse
    values, axes = np.linalg.eigh((gain + gain.T) / 2)
    values = 1.0 + share * (np.clip(values, 1.0 / GAIN_LIMIT, GAIN_LIMIT) - 1.0)
    gain = (axes * values) @ axes.T
    aim = face.mean + share * (target.mean - face.mean)
    return np.column_stack([gain, aim - gain @ face.mean])

"""Colour that follows the light and does not pump: the change that a colour function makes is led slowly over time."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.swap.color import Recolor
from bianlian.swap.moments import moments, under
from bianlian.types import Image, Mask

PRIOR = 1.0
"""Variance (grey levels squared) that is taken to be unchanged along any axis: it settles what flat and grey faces do not say."""


class SteadyColor:
    """A colour function whose change of colour follows slowly, frame by frame; keeps the contract ``Recolor``.

    What the wrapped function did to a frame is measured as a linear map of RGB (a matrix and an offset), and mixed into those of
    the frames before, exponentially, with a time constant of ``window`` frames (0: not at all). The frame is then led from its
    own map to the mixed one; what the function did beyond a linear map stays. The whole map is led and not
    a shift of the mean, which lags behind moving light. One object follows one track; frames come in order.
    """

    def __init__(self, recolor: Recolor, window: float) -> None:
        self._recolor = recolor
        self._share = 1.0 - float(np.exp(-1.0 / window)) if window > 0 else 1.0
        self._led: NDArray[np.float64] | None = None

    @property
    def led(self) -> list[list[float]] | None:
        """The map as it is led now (3, 4), None before the first frame; given to another object, that one goes on from here."""
        return None if self._led is None else self._led.tolist()

    @led.setter
    def led(self, value: list[list[float]] | None) -> None:
        self._led = None if value is None else np.array(value, np.float64)

    def __call__(self, face: Image, target: Image, mask: Mask) -> Image:
        """Recolour the next frame: see ``Recolor``."""
        now = self._recolor(face, target, mask)
        if now is face or self._share >= 1.0 or not mask.any():
            return now
        weights, colors = under(mask, face, now)
        spread = moments(np.hstack(colors), weights)
        prior = PRIOR * np.eye(3)
        turn = np.linalg.solve(spread.covariance[:3, :3] + prior, spread.covariance[:3, 3:] + prior).T
        made = np.column_stack([turn, spread.mean[3:] - turn @ spread.mean[:3]])
        self._led = made if self._led is None else self._led + self._share * (made - self._led)
        change = cv2.transform(face.astype(np.float32), self._led - made)
        return np.asarray(cv2.add(now, change, dtype=cv2.CV_8U), np.uint8)

"""Sharpness ratio: whether the new face is as sharp as the one it replaces.

Definition: variance of the Laplacian of the grey picture inside the inner face (J. Pech-Pacheco et al., "Diatom autofocusing in
brightfield microscopy", ICPR 2000), output over target. Above 1: noisier or sharper than the film around it.
"""

from __future__ import annotations

import cv2
import numpy as np

from bianlian.score.metric import Card, Metric, median, near
from bianlian.score.pair import Grey, Pair, Region

_FLOOR = 1.0  # variance of a face that is as good as flat

CARD = Card(
    name="sharpness_ratio",
    title="Sharpness",
    unit="of the target's",
    better="one",
    ideal=1.0,
    says="variance of the Laplacian inside the face, output over target",
    source="Pech-Pacheco et al. 2000",
    part="sharpness",
    bad=10.0,
    good=1.2,
)


def _sharp(grey: Grey, region: Region) -> float:
    deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F), mask=region.inner.view(np.uint8))[1]
    return float(deviation[0, 0]) ** 2 + _FLOOR


def _look(now: Pair, before: Pair | None) -> tuple[float]:
    del before
    ours, theirs = now.greys
    return (_sharp(ours, now.region) / _sharp(theirs, now.region) if now.region.inner.any() else np.nan,)


METRIC = Metric(CARD, _look, near(1.0, 1e-6, 0.5), value=median)

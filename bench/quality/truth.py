"""Rendered clips whose landmarks are known, for the benchmarks: pictures beside an ``.npz`` of the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian.types import Face, Frame, Landmarks
from bianlian.video import frames

REGIONS = {
    "inner": slice(17, 68), "brows": slice(17, 27), "nose": slice(27, 36), "eyes": slice(36, 48), "mouth": slice(48, 68),
    "outline": slice(0, 17),
}  # fmt: skip
"""Rows of the 68 points."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip and its truth: points (T, 68, 2) pixels, yaw (T,) and gaze (T, 2) degrees."""

    path: Path
    points: NDArray[np.float64]
    yaw: NDArray[np.float64]
    gaze: NDArray[np.float64]

    @property
    def eye_distance(self) -> NDArray[np.float64]:
        """Inter-ocular distance of each frame, between the outer corners of the eyes, pixels (T,)."""
        return np.hypot(*(self.points[:, 36] - self.points[:, 45]).T)

    def frames(self) -> Iterator[Frame]:
        """Decode the clip."""
        return frames(self.path)


def read_clip(path: Path) -> Clip:
    """Read CLIP.mp4's truth, CLIP_gt.npz beside it (keys ``landmarks68``, ``yaw``, ``gaze``)."""
    with np.load(path.with_name(f"{path.stem}_gt.npz")) as truth:
        return Clip(path, *(np.asarray(truth[k], np.float64) for k in ("landmarks68", "yaw", "gaze")))


def follow(clip: Clip) -> Iterator[tuple[Frame, Face]]:
    """Give each frame and its face as a detector would, by the default detector, the one nearest to the truth."""
    from bianlian import plugins

    detector = plugins.load("detector", "duo")()
    for frame in clip.frames():
        middle = clip.points[frame.index].mean(0)
        faces = detector.detect([frame.image])[0] or [_boxed(clip, frame.index)]
        yield frame, min(faces, key=lambda f: float(np.hypot(*((f.box[:2] + f.box[2:]) / 2 - middle))))


def _boxed(clip: Clip, index: int) -> Face:
    points = clip.points[index]
    return Face(np.concatenate([points.min(0), points.max(0)]), 0.0, Landmarks(points, "ibug68"))

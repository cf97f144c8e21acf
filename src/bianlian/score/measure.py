"""One pass over the frames: find the face in each picture, let every metric look, keep rows of numbers.

Faces are found, marked and described in one thread while the metrics look at the frames before in another.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bianlian.faceset.ahead import ahead
from bianlian.geometry import box_of
from bianlian.identity import Describer
from bianlian.landmark import Landmarker
from bianlian.score.follow import Follower
from bianlian.score.footage import Together
from bianlian.score.metric import Look, Metric, Steps
from bianlian.score.pair import Array, Pair, Seen, region_of
from bianlian.types import Face, Frame, Image, Landmarks

LEAVES = 2.0
"""A face that is found this many times its size away from, or larger than, where it was is another one."""

_AHEAD = 4

Watch = Callable[[Frame, "Pair | None", bool], None]
"""Told of each frame: the target's, what was measured there (None: no face), whether it follows the one before."""


@final
class Rows:
    """Rows of numbers of each metric, one a frame with a face."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._rows: list[list[Array]] = [[] for _ in metrics]
        self._steps: list[bool] = []

    def add(self, now: Pair, before: Pair | None) -> None:
        """Let every metric look at a frame. before: the one it directly follows. Metrics that share a look share what it gives."""
        seen: dict[Look, Array] = {}
        for metric, rows in zip(self._metrics, self._rows, strict=True):
            if metric.look not in seen:
                seen[metric.look] = np.asarray(metric.look(now, before), np.float64)
            rows.append(seen[metric.look])
        self._steps.append(before is not None)

    @property
    def steps(self) -> Steps:
        """Which rows directly follow the one before."""
        return np.array(self._steps, np.bool_)

    def of(self, metric: Metric) -> Array:
        """Give one metric's rows (T, width)."""
        rows = self._rows[self._metrics.index(metric)]
        return np.stack(rows) if rows else np.zeros((0, metric.width))


@dataclass(frozen=True)
class Eyes:
    """What looks at a face. describe_every: frames from one description to the next, 1 or more."""

    landmarker: Landmarker
    describer: Describer
    describe_every: int = 1


def measure(moments: Iterable[Together], follower: Follower, eyes: Eyes, rows: Rows, watch: Watch) -> None:
    """Measure all frames whose target shows a face."""
    before: Pair | None = None
    with closing(ahead(find_faces(moments, follower, eyes), _AHEAD)) as found:
        for target, pair, cut in found:
            follows = pair is not None and before is not None and not cut
            if pair is not None:
                rows.add(pair, before if follows else None)
            watch(target, pair, follows)
            before = pair


def find_faces(
    moments: Iterable[Together], follower: Follower, eyes: Eyes
) -> Generator[tuple[Frame, Pair | None, bool], None, None]:
    """Find the face of each moment -> the target's frame, what is seen of it, whether it begins another shot."""
    faces = 0
    for target, out, truth in moments:
        pair = _pair(target, out, truth, follower, eyes, describe=faces % eyes.describe_every == 0)
        faces += pair is not None
        yield target, pair, follower.cut


def _pair(target: Frame, out: Frame, truth: Frame | None, follower: Follower, eyes: Eyes, *, describe: bool) -> Pair | None:
    start = follower.find(target.index, target.image, out.image)
    if start is None:
        return None
    images = [out.image] + ([truth.image] if truth is not None else [])
    pair = look(target, images, start, eyes, describe=describe)
    theirs = None if pair is None else pair.target.landmarks
    follower.saw(None if theirs is None else Face(box_of(theirs.points), 1.0, theirs))
    return pair


def look(target: Frame, others: Sequence[Image], start: Face, eyes: Eyes, *, describe: bool) -> Pair | None:
    """Mark and describe a face whose place is roughly known, in the target and in output and truth (``others``).

    None where the target shows none there.
    """
    theirs = _marked(eyes.landmarker, target.image, start)
    region = None if theirs is None else region_of(theirs, target.image.shape)
    if theirs is None or region is None:
        return None
    # All pictures are marked from the same start, so that equal pictures get equal points.
    seen = [Seen(target.image, theirs)]
    seen += [Seen(image, _near(_marked(eyes.landmarker, image, start), theirs)) for image in others]
    if describe:
        seen = [replace(s, looks=_looks(eyes.describer, s.image, s.landmarks)) for s in seen]
    return Pair(target.index, seen[1], seen[0], region, seen[2] if len(seen) > 2 else None)


def _marked(landmarker: Landmarker, image: Image, start: Face) -> Landmarks | None:
    face = landmarker.mark(image, [start])[0]
    return None if face is None else face.landmarks


def _near(found: Landmarks | None, theirs: Landmarks) -> Landmarks | None:
    """Keep landmarks only where they can be those of the same head."""
    if found is None:
        return None
    a, b = box_of(found.points), box_of(theirs.points)
    size = float(np.sqrt(np.prod(b[2:] - b[:2])))
    ratio = float(np.sqrt(np.prod(a[2:] - a[:2]))) / max(size, 1e-6)
    off = float(np.hypot(*((a[:2] + a[2:]) - (b[:2] + b[2:])) / 2))
    return found if off < 0.5 * size and 1 / LEAVES < ratio < LEAVES else None


def _looks(describer: Describer, image: Image, landmarks: Landmarks | None) -> Array | None:
    if landmarks is None:
        return None
    return np.asarray(describer.describe(image, [Face(box_of(landmarks.points), 1.0, landmarks)])[0], np.float64)

"""BlazeFace: two tiny networks that check each other.

Source: V. Bazarevsky et al., arXiv 1907.05047; the networks are MediaPipe's full-range one (192 x 192: faces from 1/32 to nearly
the whole side of the view) and its short-range one (128 x 128: large faces, exact points, more false alarms).

What differs from the paper is how they are used. The full-range network proposes on the whole picture; the short-range one looks
at each proposal close up, eyes level, and its points are kept. A face's score weighs both opinions, which rejects what only one
of them takes for a face: on 112 pictures without one (hands, folds, a skull print) the full-range network alone, at 0.5, raises
83 false alarms over all views, both together 2. When nothing is found, the short-range network proposes (a face
larger than the picture), then overlapping tiles are searched (faces too small for the whole view; also when the smallest face
found is near that limit), then the picture turned by quarters.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from bianlian.detect._blazenet import OVERLAP, BlazeNet, Candidate
from bianlian.detect.pyramid import Pyramid
from bianlian.errors import ConfigError
from bianlian.geometry import iou
from bianlian.types import Face, Image, Landmarks, Points, check_image

_FLOOR = 0.3  # proposals below are not looked at: real faces, even hard ones, score above
_SURE = 0.8  # mean score from which a face is not looked at from other sides
_CLOSE = 2.2  # side of the close view over the side of the proposal's box
_HUGE = 0.5  # share of the picture's longer side from which the short-range network may propose
SMALL = 10 / 192  # share of the view below which a found face hints at smaller ones nearby
_TILE, _TILES_A_SIDE, _TILE_OVERLAP = 720.0, 4, 0.2  # least side in pixels, most along a side, share that two have in common
_AXES = tuple(np.array(a) for a in ((1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (-1.0, 0.0)))

_BOX_SHIFT, _BOX_SCALE = np.array([0.004, 0.030]), np.array([0.88, 0.905])
"""From the network's square to the box of the 68 points, in units of the square's side: mean over 346 faces."""

_FIVE = np.array(
    [
        [[0.000, 1.018, 0.000, -0.202, 0.000], [0.277, 0.000, 0.865, 0.000, -0.257]],
        [[-0.451, -0.788, -0.142, 1.642, 0.123], [-0.422, -0.090, -0.640, 0.158, 1.696]],
        [[0.451, -0.788, 0.142, 1.642, -0.123], [-0.422, 0.090, -0.640, -0.158, 1.696]],
    ]
)
"""Nose tip and mouth corners from (1, nose x, nose y, mouth x, mouth y), in units of the eye distance, origin between the eyes.

A least-squares fit, made symmetric, against the face mesh on 346 faces of photos, clips and renders: the networks give no mouth
corners. Its mean error is 4 % of the distance of the outer eye corners, against 2.6 % for the network's own eye points.
"""


class BlazeFace:
    """Finds faces with two checking networks; keeps the contract ``Detector``. For one thread at a time.

    threshold: least score of a face, both networks' opinions weighed, in [0, 1]. tiles: search large pictures piece by piece
    when nothing or only small faces are found. rotate: search the picture turned by quarters when nothing is found (a view finds
    faces turned by up to 60 degrees).
    """

    def __init__(self, *, threshold: float = 0.65, tiles: bool = True, rotate: bool = True) -> None:
        """Load both networks. Raises ConfigError for a threshold out of range and WeightsError when weights cannot be had."""
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold must lie in [0, 1], got {threshold}; 0.65 is the default")
        self._threshold, self._tiles, self._rotate = threshold, tiles, rotate
        self._full, self._short = BlazeNet("blazeface_full"), BlazeNet("blazeface_short")

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the faces of each picture; each carries ``five`` landmarks (mouth corners estimated, see _FIVE).

        images: RGB uint8 (H, W, 3), sizes may differ -> as many lists, best score first.
        """
        found = []
        for k, image in enumerate(images):
            check_image(image, f"images[{k}]")
            found.append([face_of(c) for c in self._search(Pyramid(image), image.shape[1], image.shape[0])])
        return found

    def glance(self, images: Sequence[Image]) -> list[list[Face]]:
        """Look once at the whole of each picture, see ``Glancing``."""
        for k, image in enumerate(images):
            check_image(image, f"images[{k}]")
        return [[face_of(c) for c in self.whole(Pyramid(i), i.shape[1], i.shape[0])[0]] for i in images]

    def _search(self, pyramid: Pyramid, width: int, height: int) -> list[Candidate]:
        found, _ = self.whole(pyramid, width, height)
        if self._tiles and (not found or min(c.side for c in found) < SMALL * max(width, height)):
            for centre, side in _tile(width, height):
                proposals = self._full.look(pyramid, centre, side, _AXES[0], _FLOOR)
                found = distinct([*found, *self._confirm(pyramid, [p for p in proposals if is_new(p, found)], self._short)])
        return found or (self.turned(pyramid, width, height) if self._rotate else [])

    def whole(self, pyramid: Pyramid, width: int, height: int) -> tuple[list[Candidate], int]:
        """Search the picture in one upright view: the full-range network first, then the other for a face larger than it.

        Gives the faces, and how many the full-range network proposed: more than were confirmed, where one hides another.
        """
        middle, extent = _frame(width, height)
        proposals = self._full.look(pyramid, middle, extent, _AXES[0], _FLOOR)
        found = self._confirm(pyramid, proposals, self._short)
        if not found:
            huge = [c for c in self._short.look(pyramid, middle, extent, _AXES[0], _FLOOR) if c.side > _HUGE * extent]
            found = self._confirm(pyramid, huge, self._full)
        return found, len(proposals)

    def turned(self, pyramid: Pyramid, width: int, height: int) -> list[Candidate]:
        """Search the picture in views turned by quarters, until one shows a face."""
        middle, extent = _frame(width, height)
        for axis in _AXES[1:]:
            found = self._confirm(pyramid, self._full.look(pyramid, middle, extent, axis, _FLOOR), self._short)
            if found:
                return found
        return []

    def closer(self, pyramid: Pyramid, proposal: Candidate) -> Candidate | None:
        """Look at another detector's proposal close up, from four sides if need be -> the short-range network's best answer."""
        return _closer(pyramid, proposal, self._short)

    def _confirm(self, pyramid: Pyramid, proposals: Sequence[Candidate], other: BlazeNet) -> list[Candidate]:
        """Ask the other network about each proposal -> those that both take for a face, with the closer look's points."""
        kept = []
        for proposal in proposals:
            best = _closer(pyramid, proposal, other)
            if best is not None and _score(proposal, best) >= self._threshold:
                kept.append(Candidate(_score(proposal, best), best.centre, best.side, best.points))
        return distinct(kept)


def _closer(pyramid: Pyramid, proposal: Candidate, network: BlazeNet) -> Candidate | None:
    """Look close up, eyes level as the proposal says; when that does not convince, from the other three sides too -> the best."""
    best = _look_again(pyramid, proposal, proposal.axis, network)
    if best is None or _score(proposal, best) < _SURE:
        x, y = proposal.axis
        sides = [_look_again(pyramid, proposal, np.array(a), network) for a in ((-y, x), (y, -x), (-x, -y))]
        best = max((c for c in (best, *sides) if c is not None), key=lambda c: c.score, default=None)
    return best


def _score(proposal: Candidate, closer: Candidate) -> float:
    """Weigh both opinions: their mean, or the closer look's alone less 0.2 where that is more."""
    return max((proposal.score + closer.score) / 2, closer.score - 0.2)


def _look_again(pyramid: Pyramid, proposal: Candidate, axis: NDArray[np.float64], network: BlazeNet) -> Candidate | None:
    """Look at a proposal close up with ``axis`` level -> the best answer that overlaps it, None when there is none.

    Answers that say the view is turned by more than 60 degrees do not count: a right view of a face shows it upright.
    """
    answers = network.look(pyramid, proposal.centre, _CLOSE * proposal.side, axis, _FLOOR)
    return next((a for a in answers if iou(a.square, proposal.square) > OVERLAP and a.axis @ axis > 0.5), None)


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Keep the best of those that overlap, best first."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        if is_new(candidate, kept):
            kept.append(candidate)
    return kept


def _frame(width: int, height: int) -> tuple[NDArray[np.float64], float]:
    """Give middle and side of the square around a picture."""
    return np.array([(width - 1) / 2, (height - 1) / 2]), float(max(width, height))


def is_new(candidate: Candidate, known: Sequence[Candidate]) -> bool:
    """Tell whether a candidate overlaps none of those that are known."""
    return all(iou(candidate.square, k.square) <= OVERLAP for k in known)


def _tile(width: int, height: int) -> list[tuple[NDArray[np.float64], float]]:
    """Lay overlapping squares over a picture -> (centre, side) of each; none when one would do."""
    side = max(_TILE, max(width, height) / ((_TILES_A_SIDE - 1) * (1 - _TILE_OVERLAP) + 1))
    counts = [max(1, ceil((n - _TILE_OVERLAP * side) / ((1 - _TILE_OVERLAP) * side))) for n in (width, height)]
    if counts == [1, 1]:
        return []
    xs, ys = (
        [(n - 1) / 2] if count == 1 else np.linspace(side / 2, n - side / 2, count) - 0.5
        for n, count in zip((width, height), counts, strict=True)
    )
    return [(np.array([x, y]), side) for y in ys for x in xs]


def face_of(candidate: Candidate) -> Face:
    """Make a face of a candidate: level box from brow to chin, five points."""
    x = candidate.axis
    upright = np.stack([x, np.array([-x[1], x[0]])])
    centre = candidate.centre + candidate.side * _BOX_SHIFT @ upright
    half = candidate.side * _BOX_SCALE / 2
    return Face(
        np.concatenate([centre - half, centre + half]), candidate.score, Landmarks(_five(candidate.points, upright), "five")
    )


def _five(points: Points, upright: NDArray[np.float64]) -> Points:
    """Turn the networks' six points into the five of the scheme ``five``."""
    middle, unit = points[:2].mean(0), max(float(np.hypot(*(points[1] - points[0]))), 1e-6)
    nose, mouth = (points[2:4] - middle) @ upright.T / unit
    rest = _FIVE @ np.array([1.0, *nose, *mouth])
    return np.concatenate([points[:2], middle + unit * rest @ upright])

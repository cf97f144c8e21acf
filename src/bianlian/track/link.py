"""Link the faces of each frame into tracks, by place, and by looks where the place leaves a doubt.

A face continues the track whose expected place (constant velocity) it is nearest to, in units of face size. That is enough as
long as one face and one track are near each other. Where several are (people cross, one hides another), a face was lost and comes
back, or what is in its place suddenly looks different, faces are described (``identity.Describer``) and a difference in looks
outweighs one in place: the distance of two descriptions of one person lies around 0.3, of two people around 0.7. A face that is
recognised continues its track wherever in the shot it comes back. A cut ends all tracks; who is who across it is told by
``track.name_people``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.types import Face, Image, Landmarks, Track, TrackPoint

REACH = 0.6
"""A face is linked when its centre lies within this many face sizes (root of the box's area) of the expected place."""
GROWTH = 1.6
"""A face is linked when its size is within this factor of the track's last one."""
KNOWN = 0.5
"""A lost face is known again, wherever it comes back, below this distance of descriptions."""
STRANGE = 0.7
"""A face in doubt is linked to no track whose mean description is farther than this."""
LOOKS = 6.0
"""Cost of a distance of 1.0 between descriptions; one of 0.6 sizes between places costs 1."""
TOUCH = 0.15
"""Two faces of a frame touch when their boxes, widened by this share of their size, meet."""
FIRST = 3
"""So many frames of a new track are described ..."""
FIRST_STEP = 4
"""... with so many frames from one to the next, later ones at the linker's own pace."""
CHANGE = 25.0
"""Mean difference of a face's thumbnails in two frames, grey levels, from which on it is doubted that they show one person."""
THUMB = 12
"""Side of those thumbnails."""
_ENOUGH = 24
"""Descriptions of one track that count in its mean: the last ones."""

_Array = NDArray[np.float64]
Describe = Callable[[Image, Sequence[Face]], _Array]


@dataclass(frozen=True, eq=False)
class Sight:
    """What was looked at of the faces of a frame, in their order. thumbs: (12, 12, 3) each; looks: (D,) descriptions, where there
    was doubt; None for what was not looked at."""

    thumbs: tuple[Image | None, ...]
    looks: tuple[_Array | None, ...]


@dataclass
class _Open:
    """A track that is still being followed."""

    points: list[TrackPoint] = field(default_factory=list)
    step: _Array = field(default_factory=lambda: np.zeros(2))
    looks: list[_Array] = field(default_factory=list)
    described: int = -(1 << 30)
    thumb: Image | None = None

    @property
    def last(self) -> TrackPoint:
        return self.points[-1]

    def distance(self, frame: int, face: Face, gap: int) -> float:
        """Distance in reaches between a face and where the track is expected; infinite when it cannot be the same."""
        missed = frame - self.last.frame
        size, other = np.sqrt(self.last.face.area), np.sqrt(face.area)
        if max(size, other) > GROWTH * min(size, other):
            return float("inf")
        expected = _centre(self.last.face) + (self.step * missed if missed <= gap + 1 else 0.0)
        return float(np.hypot(*(_centre(face) - expected)) / size) / REACH

    def strangeness(self, looks: _Array | None) -> float | None:
        """Distance of a description from the mean of the track's; None when either is missing."""
        if looks is None or not self.looks:
            return None
        return float(np.linalg.norm(np.mean(self.looks[-_ENOUGH:], axis=0) - looks))

    def add(self, frame: int, face: Face, looks: _Array | None) -> None:
        if self.points:
            moved = _centre(face) - _centre(self.last.face)
            missed = frame - self.last.frame
            jumped = np.hypot(*moved) / np.sqrt(self.last.face.area) > REACH * (missed + 1)
            self.step = np.zeros(2) if jumped else 0.5 * self.step + 0.5 * moved / missed
        self.points.append(TrackPoint(frame, face, description=looks))
        if looks is not None:
            self.looks.append(looks)
            self.described = frame


class Linker:
    """Links faces frame by frame.

    gap: runs of up to this many missing frames are filled by straight interpolation (``filled``). memory: for how many frames a
    face is awaited where it was lost. describe: picture, faces -> (N, D), called where there is doubt and every ``pace`` frames
    of a track; None to go by place alone.
    """

    def __init__(self, *, gap: int = 0, memory: int = 0, pace: int = 50, describe: Describe | None = None) -> None:
        self._gap, self._memory, self._pace, self._describe = gap, memory, max(1, pace), describe
        self._done: list[_Open] = []
        self._shot: list[_Open] = []

    def add(self, frame: int, faces: Sequence[Face], image: Image | None = None, *, cut: bool = False) -> Sight:
        """Take the faces of the next frame -> what was looked at of them.

        frame: index, rising. image: the frame, for ``describe``. cut: a new shot begins.
        """
        if cut:
            self._shot = []
        near = self._near(frame, faces)
        thumbs = tuple(None if image is None else _thumb(image, face) for face in faces)
        sight = Sight(thumbs, tuple(self._looks(frame, faces, image, near, thumbs)))
        self._link(frame, faces, near, sight)
        return sight

    def replay(self, frame: int, faces: Sequence[Face], sight: Sight, *, cut: bool = False) -> None:
        """Take the faces of a frame that was looked at before, as ``add`` took them."""
        if cut:
            self._shot = []
        self._link(frame, faces, self._near(frame, faces), sight)

    def _link(self, frame: int, faces: Sequence[Face], near: dict[tuple[int, int], float], sight: Sight) -> None:
        tracks = self._match(frame, faces, near, sight.looks)
        for face, seen, thumb, track in zip(faces, sight.looks, sight.thumbs, tracks, strict=True):
            if track is None:
                track = _Open()
                self._done.append(track)
                self._shot.append(track)
            track.add(frame, face, seen)
            track.thumb = thumb

    def tracks(self) -> list[Track]:
        """Give the tracks so far, numbered in order of appearance."""
        return [Track(i, tuple(filled(t.points, self._gap))) for i, t in enumerate(self._done)]

    def _near(self, frame: int, faces: Sequence[Face]) -> dict[tuple[int, int], float]:
        """Distances of the pairs (track of the shot, face) that place allows."""
        near = {}
        for i, track in enumerate(self._shot):
            if frame - track.last.frame > max(self._gap, self._memory) + 1:
                continue
            for j, face in enumerate(faces):
                distance = track.distance(frame, face, self._gap)
                if distance < 1:
                    near[i, j] = distance
        return near

    def _looks(
        self,
        frame: int,
        faces: Sequence[Face],
        image: Image | None,
        near: dict[tuple[int, int], float],
        thumbs: Sequence[Image | None],
    ) -> list[_Array | None]:
        """Describe the faces that need it."""
        if self._describe is None or image is None:
            return [None] * len(faces)
        wanted = [j for j in range(len(faces)) if self._doubtful(frame, j, faces, near, thumbs[j])]
        described = dict(zip(wanted, self._describe(image, [faces[j] for j in wanted]) if wanted else (), strict=True))
        return [described.get(j) for j in range(len(faces))]

    def _doubtful(self, frame: int, j: int, faces: Sequence[Face], near: dict[tuple[int, int], float], thumb: Image | None) -> bool:
        mine = [i for i, k in near if k == j]
        if len(mine) != 1 or any(i == mine[0] and k != j for i, k in near):
            return True
        track = self._shot[mine[0]]
        pace = FIRST_STEP if len(track.looks) < FIRST else self._pace
        if frame - track.described >= pace or frame - track.last.frame > self._gap + 1:
            return True
        if thumb is not None and track.thumb is not None and np.abs(thumb.astype(np.float64) - track.thumb).mean() > CHANGE:
            return True
        return any(k != j and _touching(faces[j], other) for k, other in enumerate(faces))

    def _match(
        self, frame: int, faces: Sequence[Face], near: dict[tuple[int, int], float], looks: Sequence[_Array | None]
    ) -> list[_Open | None]:
        """Pair faces with tracks, cheapest pair first; a face without a track is paired with None."""
        costs = []
        for i, track in enumerate(self._shot):
            for j in range(len(faces)):
                strange, place = track.strangeness(looks[j]), near.get((i, j))
                if place is not None and (strange is None or strange < STRANGE):
                    costs.append((place + LOOKS * (0.0 if strange is None else strange), i, j))
                elif place is None and strange is not None and strange < KNOWN:
                    costs.append((1.0 + LOOKS * strange, i, j))
        owner: dict[int, int] = {}
        for _, i, j in sorted(costs):
            if j not in owner and i not in owner.values():
                owner[j] = i
        return [self._shot[owner[j]] if j in owner else None for j in range(len(faces))]


def link(frames: Iterable[tuple[int, Sequence[Face]]], *, cuts: Collection[int] = (), gap: int = 0, memory: int = 0) -> list[Track]:
    """Link faces by place alone -> tracks, numbered in order of appearance.

    frames: (frame index, faces), indices rising. cuts: indices of the first frames after a cut. gap, memory: see ``Linker``.
    """
    linker = Linker(gap=gap, memory=memory)
    for index, faces in frames:
        linker.add(index, faces, cut=index in cuts)
    return linker.tracks()


def _thumb(image: Image, face: Face) -> Image:
    """Shrink the face's box to a few pixels; outside the picture its border goes on."""
    x1, y1, x2, y2 = (int(v) for v in face.box.round())
    height, width = image.shape[:2]
    x1, y1 = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
    part = image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    return np.asarray(cv2.resize(part, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.uint8)


def _touching(a: Face, b: Face) -> bool:
    edge = TOUCH * np.sqrt(max(a.area, b.area))
    return bool((np.maximum(a.box[:2], b.box[:2]) < np.minimum(a.box[2:], b.box[2:]) + 2 * edge).all())


def filled(points: Sequence[TrackPoint], gap: int) -> Iterable[TrackPoint]:
    """Fill runs of up to ``gap`` missing frames by straight interpolation, where the face did not jump."""
    for before, after in pairwise(points):
        yield before
        missing = after.frame - before.frame - 1
        if missing <= gap and _reachable(before.face, after.face, missing):
            for k in range(1, missing + 1):
                yield TrackPoint(before.frame + k, between(before.face, after.face, k / (missing + 1)), filled=True)
    yield points[-1]


def _reachable(a: Face, b: Face, missing: int) -> bool:
    return bool(np.hypot(*(_centre(a) - _centre(b))) <= REACH * (missing + 1) * np.sqrt(a.area))


def between(a: Face, b: Face, share: float) -> Face:
    """Interpolate a face between two: share 0 is the first, 1 the second."""
    marks = None
    if a.landmarks is not None and b.landmarks is not None and a.landmarks.scheme == b.landmarks.scheme:
        marks = Landmarks((1 - share) * a.landmarks.points + share * b.landmarks.points, a.landmarks.scheme)
    return Face((1 - share) * a.box + share * b.box, min(a.score, b.score), marks)


def _centre(face: Face) -> _Array:
    return (face.box[:2] + face.box[2:]) / 2

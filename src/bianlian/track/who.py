"""Who a track shows: tracks of one person get one name, also across cuts; tracks of a reference person are told from others.

Clustering is agglomerative with average linkage over the tracks' mean descriptions (two tracks that share a frame are two people);
people are named ``person1``, ``person2``, ... from the one who is seen most.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bianlian.identity.people import centre, distances
from bianlian.track.choose import area, shots
from bianlian.track.link import filled
from bianlian.types import Track, TrackPoint

JOIN = 0.5
"""Mean descriptions of two tracks that are nearer than this are one person's."""

_Array = NDArray[np.float64]


def name_people(tracks: Sequence[Track], *, join: float = JOIN) -> list[Track]:
    """Name the person of each track; a track without any description keeps None."""
    described = [t for t in tracks if described_points(t)]
    groups = _clusters(described, join)
    groups.sort(key=lambda group: -sum(area(described[k]) for k in group))
    names = {described[k].id: f"person{n + 1}" for n, group in enumerate(groups) for k in group}
    return [replace(t, person=names.get(t.id)) for t in tracks]


def join_shots(tracks: Sequence[Track], cuts: Collection[int], *, gap: int = 0) -> list[Track]:
    """Join the tracks of one named person that lie in one shot: they were hidden or away -> tracks, numbered anew.

    cuts, gap: as in ``link``.
    """
    joined: list[Track] = []
    for shot in shots(tracks, cuts):
        people: dict[str, Track] = {}
        for track in shot:
            before = people.get(track.person) if track.person else None
            if track.person:
                people[track.person] = track if before is None else replace(before, points=_merged(before, track, gap))
            else:
                joined.append(track)
        joined += people.values()
    joined.sort(key=lambda t: (t.points[0].frame, t.id))
    return [replace(t, id=k) for k, t in enumerate(joined)]


def _merged(a: Track, b: Track, gap: int) -> tuple[TrackPoint, ...]:
    return tuple(filled(sorted((*a.points, *b.points), key=lambda p: p.frame), gap))


def described_points(track: Track) -> list[_Array]:
    """Descriptions of a track's faces, in frame order."""
    return [p.description for p in track.points if p.description is not None]


def distance_to(track: Track, person: _Array) -> float | None:
    """Distance of a track's mean description from a person's (D,); None when the track was never described."""
    looks = described_points(track)
    return float(np.linalg.norm(centre(np.stack(looks)) - person)) if looks else None


def _clusters(tracks: Sequence[Track], join: float) -> list[list[int]]:
    """Join the nearest two groups until none are nearer than ``join``."""
    if not tracks:
        return []
    means = np.stack([centre(np.stack(described_points(t))) for t in tracks])
    frames = [{p.frame for p in t.points} for t in tracks]
    between = distances(means, means)
    for i, own in enumerate(frames):
        between[i, i] = np.inf
        for j in range(i):
            if not own.isdisjoint(frames[j]):
                between[i, j] = between[j, i] = np.inf
    groups = [[k] for k in range(len(tracks))]
    while len(tracks) > 1:
        i, j = (int(k) for k in np.unravel_index(np.argmin(between), between.shape))
        if not between[i, j] < join:
            break
        a, b = len(groups[i]), len(groups[j])
        between[i] = between[:, i] = (a * between[i] + b * between[j]) / (a + b)  # infinity stays: they can never be one
        between[i, i] = between[j] = between[:, j] = np.inf
        groups[i] += groups[j]
        groups[j] = []
    return [g for g in groups if g]

"""Choose whom to swap: the person who is seen most."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bianlian.types import Track


def shots(tracks: Sequence[Track], cuts: Collection[int]) -> list[list[Track]]:
    """Group tracks by the shot that they lie in; shots without a track are left out. cuts: as in ``link``."""
    edges = sorted(cuts)
    groups: dict[int, list[Track]] = {}
    for track in tracks:
        groups.setdefault(int(np.searchsorted(edges, track.points[0].frame, side="right")), []).append(track)
    return [groups[k] for k in sorted(groups)]


def main_tracks(tracks: Sequence[Track], cuts: Collection[int] = ()) -> list[Track]:
    """Choose the tracks of the most prominent person: the one whose boxes sum to the largest area.

    Where nobody is named, or the most prominent track of all is of nobody that is named, it is the most prominent track of each
    shot.
    """
    areas: dict[str | None, float] = {}
    for track in tracks:
        areas[track.person] = areas.get(track.person, 0.0) + area(track)
    person = max(areas, key=lambda p: areas[p], default=None)
    if person is not None:
        return [t for t in tracks if t.person == person]
    return [max(shot, key=area) for shot in shots(tracks, cuts)]


def area(track: Track) -> float:
    """Sum the areas of a track's boxes, in square pixels."""
    return sum(p.face.area for p in track.points)

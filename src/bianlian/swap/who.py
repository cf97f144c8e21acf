"""Choose the tracks of one person of a target: by the name in its tracks, or by pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.errors import ConfigError, NoFaceError, TracksError
from bianlian.identity.people import SURE
from bianlian.identity.reference import reference
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import Analysis
from bianlian.track import distance_to
from bianlian.types import Note, Track, silent


@dataclass(frozen=True, eq=False)
class Told:
    """What was decided. tracks: of the person; others: (track, distance, or None when it was never described) of everyone else;
    distances: of ``tracks``, 0 for a name."""

    tracks: tuple[Track, ...]
    others: tuple[tuple[Track, float | None], ...]
    distances: tuple[float, ...]

    def lines(self) -> list[str]:
        """Say which tracks are the person's, and how far the nearest of the others is."""
        said = [f"tracks of this person: {', '.join(str(t.id) for t in self.tracks)}"]
        far = [(d, t.id) for t, d in self.others if d is not None]
        if far:
            said.append(f"the nearest other face is track {min(far)[1]}, {min(far)[0]:.2f} away")
        return said


def looks_of(settings: SwapSettings, *, note: Note = silent) -> NDArray[np.float64] | None:
    """Describe the person of ``settings.who`` when that is a path; None when it can only be a name. Raises as ``reference``."""
    if settings.who is None or not Path(settings.who).exists():
        return None
    finders = [plugins.load(kind, getattr(settings, kind))() for kind in ("detector", "landmarker", "describer")]
    return reference(Path(settings.who), *finders, note=note)


def tell(analysis: Analysis, settings: SwapSettings, person: NDArray[np.float64] | None) -> Told:
    """Choose the tracks of ``settings.who``, by name unless ``person`` (D,) describes who it is.

    Raises ConfigError for nobody's name, NoFaceError when the person is in no track, TracksError for descriptions of other kinds.
    """
    who = settings.who or ""
    named = [t for t in analysis.tracks if t.person == who]
    if named and person is None:
        return Told(tuple(named), tuple((t, None) for t in analysis.tracks if t.person != who), (0.0,) * len(named))
    if person is None:
        people = sorted({t.person for t in analysis.tracks if t.person})
        raise ConfigError(f"who must be a picture, a folder of pictures or one of {', '.join(people) or '(nobody)'}, got {who!r}")
    if any(p.description is not None and p.description.shape != person.shape for t in analysis.tracks for p in t.points):
        raise TracksError(f"the tracks of {analysis.target} hold descriptions by another describer; delete their file")
    distances = [(t, distance_to(t, person)) for t in analysis.tracks]
    limit = SURE if settings.sure is None else settings.sure
    near = [(t, d) for t, d in distances if d is not None and d <= limit]
    if not near:
        nearest = min((d for _, d in distances if d is not None), default=None)
        said = "nobody there could be described" if nearest is None else f"the nearest face is {nearest:.2f} away"
        raise NoFaceError(f"{who} is not seen in {analysis.target}: {said}, {limit:.2f} is the limit (sure)")
    far = tuple((t, d) for t, d in distances if d is None or d > limit)
    return Told(tuple(t for t, _ in near), far, tuple(d for _, d in near))


def divide(told: Sequence[Told]) -> list[list[Track]]:
    """Give each track to the one of several people to whom it is nearest -> the tracks of each. Equal claims: the first."""
    best: dict[int, tuple[float, int]] = {}
    for k, one in enumerate(told):
        for track, distance in zip(one.tracks, one.distances, strict=True):
            best[track.id] = min(best.get(track.id, (distance, k)), (distance, k))
    return [[t for t in one.tracks if best[t.id][1] == k] for k, one in enumerate(told)]

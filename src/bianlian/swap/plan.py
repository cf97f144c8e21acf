"""From tracks to a plan: in which frame which face is swapped where, and why not elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from bianlian import align
from bianlian.errors import ConfigError, InputError
from bianlian.geometry import box_of, compose, inside_share, scale_of
from bianlian.landmark.pose import head_pose
from bianlian.landmark.schemes import convert
from bianlian.mask.hull import face_size, outline
from bianlian.mask.regions import face_outline
from bianlian.swap.fade import fades, turned
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import Analysis
from bianlian.track import gaussian, main_tracks, smoothed
from bianlian.types import Landmarks, Matrix, Points, Track

OUTSIDE = 0.25
"""A face with less than this share of its box inside the picture is left alone."""
TURNED = "face turned to profile"
"""Why a face that could be placed is not swapped."""
BREATH = 3.0
"""The crops' size is smoothed over so many times the time of the landmarks: a head's size changes slowly."""
FASTEST = 1000.0
"""Frames a second; smoothing takes time by its width in frames, and a file may name any rate."""
SHOWN_TRACKS = 12
"""Tracks that ``describe`` names."""


@dataclass(frozen=True, eq=False)
class Place:
    """One face to swap. crop_from_frame (2, 3): where to cut; outline (N, 2): of the face, and points (68, 2): iBUG, both in frame
    pixels; filled: interpolated; part: whose face goes in, by its place in the cast; share: of the new face that shows, 0 to 1."""

    track: int
    crop_from_frame: Matrix
    outline: Points
    points: Points
    filled: bool
    part: int = 0
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Plan:
    """places: faces to swap by frame index. reasons: why a frame with a face has none to swap, by frame index."""

    places: Mapping[int, tuple[Place, ...]]
    reasons: Mapping[int, str]

    def reason(self, frame: int) -> str:
        """Why a frame is left as it is."""
        return self.reasons.get(frame, "no face found")


def make_plan(
    analysis: Analysis, settings: SwapSettings, *, size: int, coverage: float, chosen: Sequence[Collection[Track]] | None = None
) -> Plan:
    """Choose and smooth tracks and place their crops.

    size, coverage: of the network's crops. chosen: tracks to swap, for each part of the cast; by ``settings.faces`` when None.
    Faces that are too small, or mostly outside of the picture, are left out with a reason.
    Raises ConfigError when ``settings.faces`` names a track that is not there.
    """
    chosen = [choose(analysis, settings.faces)] if chosen is None else chosen
    numbers = {t.id for tracks in chosen for t in tracks}
    reasons = {p.frame: "another person's face" for t in analysis.tracks if t.id not in numbers for p in t.points}
    places: dict[int, list[Place]] = {}
    rate = min(float(analysis.rate or 0), FASTEST)
    for part, track in ((k, track) for k, tracks in enumerate(chosen) for track in tracks):
        mine: dict[int, Place] = {}
        for point in smoothed(track, settings.smooth * rate):
            place = _place(track.id, point.face.landmarks, point.filled, analysis, settings, size, coverage)
            if isinstance(place, Place):
                mine[point.frame] = replace(place, part=part)
            else:
                reasons[point.frame] = place
        for frame, place in _sized(mine, BREATH * settings.smooth * rate, size).items():
            places.setdefault(frame, []).append(place)
    reasons.update((frame, TURNED) for frame, some in places.items() if not any(place.share > 0 for place in some))
    return Plan(_faded(places, analysis, round(settings.fade * rate)), reasons)


def _sized(places: Mapping[int, Place], sigma: float, size: int) -> Mapping[int, Place]:
    """Smooth the sizes of a track's crops over time, about their middles: talking moves the points that measure the size."""
    out, frames = dict(places), sorted(places)
    for _, group in groupby(enumerate(frames), key=lambda pair: pair[1] - pair[0]):
        run = [frame for _, frame in group]
        scales = np.log([scale_of(places[frame].crop_from_frame) for frame in run])
        for frame, change in zip(run, gaussian(scales, sigma) - scales, strict=True):
            factor = float(np.exp(change))
            middle = (1 - factor) * (size - 1) / 2
            larger = np.array([[factor, 0.0, middle], [0.0, factor, middle]])
            out[frame] = replace(places[frame], crop_from_frame=compose(larger, places[frame].crop_from_frame))
    return out


def _faded(places: Mapping[int, Sequence[Place]], analysis: Analysis, length: int) -> dict[int, tuple[Place, ...]]:
    """Let faces that come and go show by and by; those that do not show at all are left out."""
    seen = {frame: shown for frame, some in places.items() if (shown := [p for p in some if p.share > 0])}
    outlines = {frame: [(p.track, p.outline) for p in some] for frame, some in seen.items()}
    shares = fades(outlines, length, {analysis.first, analysis.frames, *analysis.cuts})
    return {
        frame: tuple(replace(p, share=min(p.share, share)) for p, share in zip(some, shares[frame], strict=True))
        for frame, some in seen.items()
    }


def choose(analysis: Analysis, faces: str) -> list[Track]:
    """Choose tracks by ``SwapSettings.faces``. Raises ConfigError for a number that no track has."""
    if faces == "all":
        return list(analysis.tracks)
    if faces == "main":
        return main_tracks(analysis.tracks, analysis.cuts)
    known = {t.id: t for t in analysis.tracks}
    wanted = [int(n) for n in faces.split(",")]
    if missing := [n for n in wanted if n not in known]:
        raise ConfigError(f"faces names track {missing[0]}, which is not there; {describe(analysis)}")
    return [known[n] for n in sorted(set(wanted))]


def describe(analysis: Analysis) -> str:
    """Name the tracks in one line: number, person, first and last frame, mean width."""
    said = []
    for track in analysis.tracks:
        width = np.mean([p.face.box[2] - p.face.box[0] for p in track.points])
        person = f"{track.person}, " if track.person else ""
        said.append(f"{track.id} ({person}frames {track.points[0].frame}-{track.points[-1].frame}, {width:.0f} px)")
    return f"tracks: {', '.join(said[:SHOWN_TRACKS])}{', ...' if len(said) > SHOWN_TRACKS else ''}" if said else "there is no track"


def _place(
    track: int,
    landmarks: Landmarks | None,
    filled: bool,
    analysis: Analysis,
    settings: SwapSettings,
    size: int,
    coverage: float,
) -> Place | str:
    """Place one face, or say why not."""
    if landmarks is None:
        return "no landmarks"
    try:
        edge = face_outline(landmarks) if settings.mask == "face" else outline(landmarks)
        crop = align.crop_from_frame(landmarks, size, coverage)
    except InputError:
        return "landmarks fit no face"
    if face_size(edge) < settings.smallest:
        return f"face smaller than {settings.smallest:g} px"
    box = box_of(edge)
    if inside_share(box, analysis.width, analysis.height) < OUTSIDE:
        larger = min((box[2] - box[0]) / analysis.width, (box[3] - box[1]) / analysis.height) > 1
        return "face much larger than the picture" if larger else "face outside the picture"
    return Place(track, crop, edge, convert(landmarks, "ibug68").points, filled, share=turned(head_pose(landmarks)[0]))

"""``tracks.jsonl``: whose face is where in a target, written by the analysis pass, open to editing, read again by the next run.

The first line describes the target; every other line is one face in one frame:
``{"track": 0, "person": "person1", "frame": 12, "box": [x1, y1, x2, y2], "score": 0.98, "filled": false, "scheme": "mesh468",
"landmarks": [[x, y], ...], "description": null}``. Lines of a track come in frame order; pixels are rounded to a hundredth. The
description is what an ``identity.Describer`` said of the face, where it was asked. Reading never runs code, and a line that is not
exactly this is an error with its number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import InputError, TracksError
from bianlian.files import open_plain, replacing
from bianlian.types import Face, Landmarks, Track, TrackPoint
from bianlian.video import WHOLE, Span

SCHEMA = 3
"""Version of the layout; a reader refuses every other."""

_HEADER = (
    *("schema", "target", "fingerprint", "width", "height", "first", "frames", "rate", "span"),
    *("detector", "landmarker", "describer", "cuts"),
)
_POINT = ("track", "person", "frame", "box", "score", "filled", "scheme", "landmarks", "description")
_LONGEST, _LONGEST_NAME = 1 << 22, 255
_MOST = 1 << 53
"""Counts beyond it are damage: a JSON reader elsewhere could not hold them exactly."""
_FRACTION = re.compile(r"[0-9]{1,18}(/[0-9]{0,17}[1-9][0-9]{0,17})?")


@dataclass(frozen=True)
class Analysis:
    """What the analysis pass knows of a target.

    target: file name. fingerprint: of its content. width, height: pixels of the first frame. frames: one more than the last index.
    rate: frames a second, an estimate, None outside a video. detector, landmarker, describer: plug-in names. cuts: indices of the
    first frames after a cut, rising. tracks: not smoothed. span: the part of the target that was looked at; first: index of its
    first frame.
    """

    target: str
    fingerprint: str
    width: int
    height: int
    frames: int
    rate: Fraction | None
    detector: str
    landmarker: str
    describer: str
    cuts: tuple[int, ...]
    tracks: tuple[Track, ...]
    span: Span = WHOLE
    first: int = 0


def settled(analysis: Analysis) -> Analysis:
    """Round everything to what the file holds, so that tracks just made and tracks read again are the same."""
    return replace(analysis, tracks=tuple(replace(t, points=tuple(map(_rounded_point, t.points))) for t in analysis.tracks))


def rounded(face: Face) -> Face:
    """Round a face to what the file holds: pixels to a hundredth."""
    marks = face.landmarks
    return Face(
        face.box.round(2),
        round(face.score, 4),
        None if marks is None else Landmarks(marks.points.round(2), marks.scheme),
    )


def _rounded_point(point: TrackPoint) -> TrackPoint:
    looks = None if point.description is None else point.description.round(4)
    return TrackPoint(point.frame, rounded(point.face), point.filled, looks)


def write_tracks(path: Path, analysis: Analysis) -> None:
    """Write the file, whole or not at all. Raises OutputError."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(json.dumps(_header(analysis), ensure_ascii=False) + "\n")
        for track in analysis.tracks:
            for point in track.points:
                file.write(json.dumps(_record(track, point), ensure_ascii=False) + "\n")


def read_tracks(path: Path) -> Analysis:
    """Read the file. Raises TracksError that names the line: missing, not this schema, or a value that cannot be."""
    groups: dict[int, list[TrackPoint]] = {}
    persons: dict[int, str | None] = {}
    header: Mapping[str, Any] | None = None
    width = 0
    try:
        with open_plain(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(_LONGEST), b""), start=1):
                where = f"{path}, line {number}"
                if header is None:
                    header = _checked_header(_parse(line, where, _HEADER), where)
                    continue
                track, person, point = _point(_parse(line, where, _POINT), where, int(header["frames"]))
                if persons.setdefault(track, person) != person:
                    raise TracksError(f"{where}: track {track} is {persons[track]!r} in earlier lines, here {person!r}")
                width = width if point.description is None else (width or len(point.description))
                if point.description is not None and len(point.description) != width:
                    raise TracksError(f"{where}: a description of {width} numbers was wanted, got {len(point.description)}")
                groups.setdefault(track, []).append(point)
    except OSError as error:
        raise TracksError(f"cannot read the tracks {path}: {error.strerror}") from error
    if header is None:
        raise TracksError(f"{path} is empty; delete it, and the next swap writes it anew")
    tracks = tuple(_track(path, k, groups[k], persons[k]) for k in sorted(groups))
    rate = None if header["rate"] is None else Fraction(header["rate"])
    span = Span(*(None if t is None else Fraction(t) for t in header["span"]))
    rest = {k: header[k] for k in _HEADER if k not in ("schema", "rate", "cuts", "span")}
    return Analysis(**rest, rate=rate, cuts=tuple(header["cuts"]), tracks=tracks, span=span)


def _header(analysis: Analysis) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "target": analysis.target,
        "fingerprint": analysis.fingerprint,
        "width": analysis.width,
        "height": analysis.height,
        "first": analysis.first,
        "frames": analysis.frames,
        "rate": None if analysis.rate is None else str(analysis.rate),
        "span": [None if t is None else str(t) for t in (analysis.span.start, analysis.span.stop)],
        "detector": analysis.detector,
        "landmarker": analysis.landmarker,
        "describer": analysis.describer,
        "cuts": list(analysis.cuts),
    }


def _record(track: Track, point: TrackPoint) -> dict[str, object]:
    point = _rounded_point(point)
    marks = point.face.landmarks
    return {
        "track": track.id,
        "person": track.person,
        "frame": point.frame,
        "box": point.face.box.tolist(),
        "score": point.face.score,
        "filled": point.filled,
        "scheme": None if marks is None else marks.scheme,
        "landmarks": None if marks is None else marks.points.tolist(),
        "description": None if point.description is None else point.description.tolist(),
    }


def _parse(line: bytes, where: str, keys: Sequence[str]) -> Mapping[str, Any]:
    if len(line) >= _LONGEST:
        raise TracksError(f"{where}: longer than {_LONGEST} bytes; the file is damaged")
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TracksError(f"{where}: not JSON ({error}); delete the file, and the next swap writes it anew") from error
    if not isinstance(value, dict) or set(value) != set(keys):
        raise TracksError(f"{where}: wanted an object with exactly the keys {', '.join(keys)}")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no finite number")


def _checked_header(value: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    _want(value["schema"] == SCHEMA, where, f"schema must be {SCHEMA}", value["schema"])
    for key in ("target", "fingerprint", "detector", "landmarker", "describer"):
        _want(_is_name(value[key]), where, f"{key} must be text of at most {_LONGEST_NAME} letters", value[key])
    for key in ("width", "height", "frames"):
        _want(_is_count(value[key]) and value[key] > 0, where, f"{key} must be a positive whole number", value[key])
    good = _is_count(value["first"]) and value["first"] < value["frames"]
    _want(good, where, "first must be a frame index below frames", value["first"])
    rate, span = value["rate"], value["span"]
    good = rate is None or (_is_fraction(rate) and Fraction(rate) > 0)
    _want(good, where, 'rate must be null or a fraction such as "25" or "30000/1001"', rate)
    good = isinstance(span, list) and len(span) == 2 and all(t is None or _is_fraction(t) for t in span)
    _want(good, where, 'span must hold two times, each null or a fraction such as "5/2"', span)
    cuts = value["cuts"]
    _want(isinstance(cuts, list) and all(_is_count(c) for c in cuts), where, "cuts must be a list of frame indices", cuts)
    return value


def _point(value: Mapping[str, Any], where: str, frames: int) -> tuple[int, str | None, TrackPoint]:
    for key in ("track", "frame"):
        _want(_is_count(value[key]), where, f"{key} must be a whole number of 0 or more", value[key])
    _want(value["frame"] < frames, where, f"frame must be below {frames}", value["frame"])
    _want(isinstance(value["filled"], bool), where, "filled must be true or false", value["filled"])
    person = value["person"]
    _want(person is None or _is_name(person), where, f"person must be text of at most {_LONGEST_NAME} letters, or null", person)
    _want(_is_number(value["score"]), where, "score must be a number", value["score"])
    box = _numbers(value["box"], where, "box")
    try:
        marks = None
        if value["scheme"] is not None or value["landmarks"] is not None:
            marks = Landmarks(_numbers(value["landmarks"], where, "landmarks"), str(value["scheme"]))
        face = Face(box, float(value["score"]), marks)
        looks = None if value["description"] is None else _numbers(value["description"], where, "description")
        good = looks is None or (looks.ndim == 1 and len(looks) > 0)
        _want(good, where, "description must be a list of numbers", value["description"])
    except InputError as error:
        if isinstance(error, TracksError):
            raise
        raise TracksError(f"{where}: {error}") from error
    return value["track"], person, TrackPoint(value["frame"], face, value["filled"], looks)


def _numbers(value: object, where: str, name: str) -> NDArray[np.float64]:
    rows = value if isinstance(value, list) else [None]
    flat = [x for row in rows for x in (row if isinstance(row, list) else [row])]
    _want(all(_is_number(x) for x in flat), where, f"{name} must hold finite numbers only", "something else")
    try:
        return np.array(value, np.float64)
    except (ValueError, TypeError) as error:
        raise TracksError(f"{where}: {name} must be a regular list of numbers") from error


def _track(path: Path, number: int, points: list[TrackPoint], person: str | None) -> Track:
    if any(a.frame >= b.frame for a, b in pairwise(points)):
        raise TracksError(f"{path}: the lines of track {number} are not in frame order, or a frame comes twice")
    return Track(number, tuple(points), person)


def _is_fraction(value: object) -> bool:
    """Whether a value is a fraction as text of few digits: "1e999999999" would be one too, of a billion digits."""
    return isinstance(value, str) and _FRACTION.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9 and math.isfinite(value)


def _want(good: bool, where: str, wanted: str, got: object) -> None:
    if not good:
        raise TracksError(f"{where}: {wanted}, got {str(got)[:60]}")

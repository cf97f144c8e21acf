"""Sort the faces of footage by person: one folder of pictures each, a sheet to look at, and the tracks for a swap."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from bianlian import align, plugins
from bianlian.errors import NoFaceError, OutputError
from bianlian.files import replacing_folder
from bianlian.swap.analyse import analyse
from bianlian.swap.settings import SwapSettings
from bianlian.swap.tracks import write_tracks
from bianlian.track.choose import area
from bianlian.types import Image, Note, Progress, Track, TrackPoint, silent
from bianlian.video import frames, probe

SIZE, COVERAGE = 256, 0.5
"""Side of the pictures, and how much of one a face fills: there is room around it to find it again."""
PICTURES = 24
"""Pictures of a person, evenly spread over the frames in which they are seen."""
COLUMNS, THUMB = 6, 128
NOBODY = "unknown"
"""Folder of the faces that could not be described."""
TRACKS, LIST, SHEET = "tracks.jsonl", "people.json", "sheet.jpg"


@dataclass(frozen=True)
class Person:
    """Somebody who is seen. name: of the folder. frames: how many show them; spans: first and last frame of each run of them."""

    name: str
    frames: int
    spans: tuple[tuple[int, int], ...]


def sort_people(
    target: Path,
    out: Path,
    settings: SwapSettings | None = None,
    *,
    pictures: int = PICTURES,
    progress: Progress = silent,
    note: Note = silent,
) -> list[Person]:
    """Write the people of a video, picture or folder into ``out`` -> them, the one who is seen most first.

    ``out`` must not exist or be empty. It gets ``tracks.jsonl`` (for ``swap --tracks``), ``people.json`` and a folder a person
    with pictures of 256 x 256, and ``NAME.sheet.jpg``; a folder may be renamed, and is what ``swap --who`` takes. Raises
    NoFaceError when there is no face, VideoError, OutputError, ConfigError.
    """
    settings = settings or SwapSettings()
    info = probe(target)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputError(f"{out} is there already; name another folder, or remove it first")
    kinds = ("detector", "landmarker", "describer")
    finders = [plugins.load(kind, getattr(settings, kind))() for kind in kinds]
    with replacing_folder(out) as folder:
        names = (settings.detector, settings.landmarker, settings.describer)
        analysis = analyse(target, info, *finders, names=names, gap=settings.gap, progress=progress, note=note)
        if not analysis.tracks:
            raise NoFaceError(f"no face was found in the {analysis.frames} frames of {target}; try another detector")
        groups: dict[str, list[Track]] = {}
        for track in analysis.tracks:
            groups.setdefault(track.person or NOBODY, []).append(track)
        ranked = sorted(groups, key=lambda name: (name == NOBODY, -sum(area(t) for t in groups[name])))
        people = [_person(name, groups[name]) for name in ranked]
        _write_pictures(target, folder, {name: _spread(groups[name], pictures) for name in ranked}, progress)
        write_tracks(folder / TRACKS, analysis)
        listed = [{"name": p.name, "frames": p.frames, "spans": [list(span) for span in p.spans]} for p in people]
        (folder / LIST).write_text(json.dumps({"target": target.name, "people": listed}, indent=1), encoding="utf-8")
    return people


def _person(name: str, tracks: Sequence[Track]) -> Person:
    seen = sorted({p.frame for t in tracks for p in t.points})
    runs = [[frame for _, frame in run] for _, run in groupby(enumerate(seen), key=lambda pair: pair[1] - pair[0])]
    return Person(name, len(seen), tuple((run[0], run[-1]) for run in runs))


def _spread(tracks: Sequence[Track], count: int) -> list[TrackPoint]:
    found = sorted((p for t in tracks for p in t.points if not p.filled), key=lambda p: p.frame)
    picked = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    return [found[k] for k in picked]


def _write_pictures(target: Path, folder: Path, wanted: Mapping[str, Sequence[TrackPoint]], progress: Progress) -> None:
    """Cut the wanted faces in a second pass, and lay each person's on a sheet."""
    at: dict[int, list[tuple[str, TrackPoint]]] = {}
    for name, points in wanted.items():
        (folder / name).mkdir()
        for point in points:
            at.setdefault(point.frame, []).append((name, point))
    thumbs: dict[str, list[Image]] = {name: [] for name in wanted}
    done, total = 0, sum(len(points) for points in wanted.values())
    for frame in frames(target):
        for name, point in at.get(frame.index, ()):
            if point.face.landmarks is None:
                continue
            crop = align.cut(frame.image, align.crop_from_frame(point.face.landmarks, SIZE, COVERAGE), SIZE).image
            _write(folder / name / f"{frame.index:07d}.jpg", crop)
            thumbs[name].append(np.asarray(cv2.resize(crop, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.uint8))
            done += 1
            progress("cut", done, total)
        if done >= total:
            break
    for name, images in thumbs.items():
        rows = [images[k : k + COLUMNS] for k in range(0, len(images), COLUMNS)]
        blank = np.full((THUMB, THUMB, 3), 255, np.uint8)
        lines = [np.concatenate([*row, *[blank] * (COLUMNS - len(row))], axis=1) for row in rows]
        if lines:
            _write(folder / f"{name}.{SHEET}", np.concatenate(lines))


def _write(path: Path, image: Image) -> None:
    path.write_bytes(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())

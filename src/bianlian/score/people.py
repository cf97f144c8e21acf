"""Whom a swap is compared with: descriptions of the source, of held-out pictures of it, and of other people."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from bianlian.detect import Detector
from bianlian.errors import InputError, NoFaceError
from bianlian.faceset.ahead import ahead
from bianlian.faceset.header import HEADER
from bianlian.faceset.store import Faceset
from bianlian.geometry import apply, box_of
from bianlian.identity import Describer
from bianlian.identity.people import centre
from bianlian.landmark import Landmarker
from bianlian.score.pair import Array
from bianlian.types import Face, Image, Landmarks, Note
from bianlian.video import PICTURE_SUFFIXES, frames, probe

MOST = 48
"""Pictures of a person that are described, evenly spread."""
ENOUGH = 8
"""Pictures from which on half of them are held out."""
TWIN = 0.3
"""A distractor nearer than this to the source is taken to be the source and left out."""
_AHEAD = 4


@dataclass(frozen=True, eq=False)
class People:
    """Descriptions to compare with.

    source: (D,) mean of all pictures. pictures: how many. held_out: (n, D) the later half of them, empty where there are too few;
    known: (D,) mean of the earlier half, from which those are judged. others: (N, D) one mean a distractor; names: theirs.
    """

    source: Array
    pictures: int
    held_out: Array
    known: Array
    others: Array
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finders:
    """What finds, marks and describes faces."""

    detector: Detector
    landmarker: Landmarker
    describer: Describer


def source_people(path: Path, finders: Finders, note: Note) -> People:
    """Describe the source: a faceset, a video, a picture or a folder of pictures. Raises InputError, NoFaceError, VideoError."""
    looks = describe_person(path, finders, note)
    half, size = len(looks) // 2, looks.shape[1]
    split = len(looks) >= ENOUGH
    held, known = (looks[half:], centre(looks[:half])) if split else (np.zeros((0, size)), centre(looks))
    return People(centre(looks), len(looks), held, known, np.zeros((0, size)))


def with_others(people: People, folder: Path, finders: Finders, note: Note) -> People:
    """Add distractors: each faceset, video, picture and folder in ``folder`` is one person. Raises InputError when there is
    none.
    """
    check_folder(folder)
    means: list[Array] = []
    names: list[str] = []
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".") and (p.is_dir() or _is_picture(p))):
        try:
            looks = centre(describe_person(path, finders, note))
        except InputError as error:
            note(f"{error}; not a distractor")
            continue
        if np.linalg.norm(looks - people.source) < TWIN:
            note(f"{path.name} looks like the source; not a distractor")
            continue
        means.append(looks)
        names.append(path.name)
    if not means:
        raise InputError(f"{folder} holds nobody to compare with; give one picture or folder of pictures a person")
    return replace(people, others=np.stack(means), names=tuple(names))


def describe_person(path: Path, finders: Finders, note: Note) -> Array:
    """Describe up to ``MOST`` pictures of a person -> (n, D), in order. Of several faces in a picture the largest counts."""
    with closing(ahead(_faces(path, finders, note), _AHEAD)) as found:
        looks = [finders.describer.describe(image, [face])[0] for image, face in islice(found, MOST)]
    if not looks:
        raise NoFaceError(f"no face was found in {path}, which should show a person; give clear pictures of one")
    return np.stack(looks)


def check_person(path: Path) -> None:
    """Raise InputError for what cannot be pictures of a person since it is not there."""
    if not path.exists():
        raise InputError(f"{path} does not exist; give a faceset, a video, a picture or a folder of pictures of the person")


def check_folder(folder: Path) -> None:
    """Raise InputError for what cannot be a folder of people."""
    if not folder.is_dir():
        raise InputError(f"people must be a folder with one picture or folder a person, got {folder}")


def _faces(path: Path, finders: Finders, note: Note) -> Generator[tuple[Image, Face], None, None]:
    check_person(path)
    if path.is_dir() and (path / HEADER).is_file():
        yield from _of_faceset(Faceset.open(path, note=note))
        return
    for image in _pictures(path):
        marked = [f for f in finders.landmarker.mark(image, finders.detector.detect([image])[0]) if f is not None]
        if marked:
            yield image, max(marked, key=lambda f: f.area)


def _of_faceset(faceset: Faceset) -> Iterator[tuple[Image, Face]]:
    wanted = _spread(faceset.kept_count)
    for place, record in enumerate(faceset.kept()):
        if place in wanted:
            points = apply(record.crop_from_frame, record.landmarks.points)
            yield faceset.load_crop(record), Face(box_of(points), record.score, Landmarks(points, record.scheme))


def _pictures(path: Path) -> Iterator[Image]:
    if not path.is_dir():
        total = probe(path).frames or MOST
        yield from (frame.image for frame in frames(path, every=max(1, total // MOST)))
        return
    found = sorted(p for p in path.rglob("*") if _is_picture(p))
    if not found:
        raise InputError(f"{path} holds no picture of a person ({' '.join(PICTURE_SUFFIXES)})")
    wanted = _spread(len(found))
    yield from (next(iter(frames(p))).image for k, p in enumerate(found) if k in wanted)


def _spread(count: int) -> set[int]:
    return {int(k) for k in np.linspace(0, count - 1, min(MOST, count))} if count else set()


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES

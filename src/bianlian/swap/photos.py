"""A person as photos show them: what the network from one photo asks of the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian import align, plugins
from bianlian.detect import Detector
from bianlian.errors import InputError, NoFaceError
from bianlian.faceset.header import HEADER
from bianlian.faceset.store import Faceset
from bianlian.geometry import apply, box_of
from bianlian.identity import Describer
from bianlian.landmark import Landmarker
from bianlian.model.faceshifter.config import LOOK_SIDE
from bianlian.provenance.consent import NO_CONSENT, footage_consent
from bianlian.swap.settings import SwapSettings
from bianlian.swap.study import view
from bianlian.train.lay import View
from bianlian.types import Face, Image, Landmarks, Note, silent
from bianlian.video import PICTURE_SUFFIXES, frames

CROP = 128
"""Side of the crop that a portrait is made of."""
MOST = 24
"""Photos of a folder or a faceset that are looked at, evenly spread."""


@dataclass(frozen=True, eq=False)
class Sitter:
    """A person as N photos show them. portraits (N, 64, 64, 3) RGB uint8; descriptions (N, 128); consent: of the photos."""

    name: str
    portraits: NDArray[np.uint8]
    descriptions: NDArray[np.float64]
    views: tuple[View, ...]
    consent: str


@dataclass(frozen=True, eq=False)
class Eyes:
    """What looks at photos. For one thread at a time."""

    detector: Detector
    landmarker: Landmarker
    describer: Describer

    @classmethod
    def open(cls, settings: SwapSettings) -> Eyes:
        """Load those that a swap uses. Raises PluginError, WeightsError."""
        kinds = (("detector", settings.detector), ("landmarker", settings.landmarker), ("describer", settings.describer))
        return cls(*(plugins.load(kind, name)() for kind, name in kinds))


def sit(photos: Sequence[Path], eyes: Eyes, *, note: Note = silent) -> Sitter:
    """Look at photos of one person: pictures, folders of them, or facesets. Of several faces in a picture the largest counts.

    Raises InputError for what is no picture, NoFaceError when none shows a face.
    """
    portraits, descriptions, views = [], [], []
    for where, image, face in _faces(photos, eyes, note):
        if face is None or face.landmarks is None:
            note(f"{where}: no face found; skipped")
            continue
        portraits.append(portrait(image, face.landmarks))
        views.append(view(image, face.landmarks))
        descriptions.append(eyes.describer.describe(image, [face])[0])
    if not portraits:
        named = ", ".join(map(str, photos))
        raise NoFaceError(f"no face was found in {named}, which should show the person; give a clear, frontal photo")
    consents = dict.fromkeys(_consent(photo) for photo in photos)
    return Sitter(_person(photos[0]), np.stack(portraits), np.stack(descriptions), tuple(views), "; ".join(consents))


def portrait(image: Image, landmarks: Landmarks) -> Image:
    """Cut the picture that the look network reads: (H, W, 3) -> (64, 64, 3)."""
    crop = align.cut(image, align.crop_from_frame(landmarks, CROP), CROP).image
    return np.asarray(cv2.resize(crop, (LOOK_SIDE, LOOK_SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _faces(photos: Sequence[Path], eyes: Eyes, note: Note) -> Iterator[tuple[Path, Image, Face | None]]:
    """Give the face of each photo, and the faces of a faceset as they were cut."""
    for photo in photos:
        if (photo / HEADER).is_file():
            faceset = Faceset.open(photo, note=note)
            records = list(faceset.kept())
            for record in (records[k] for k in _spread(len(records))):
                points = apply(record.crop_from_frame, record.landmarks.points)
                face = Face(box_of(points), record.score, Landmarks(points, record.landmarks.scheme))
                yield photo, faceset.load_crop(record), face
            continue
        pictures = _pictures(photo)
        for path in (pictures[k] for k in _spread(len(pictures))):
            image = next(iter(frames(path))).image
            found = [face for face in eyes.landmarker.mark(image, eyes.detector.detect([image])[0]) if face is not None]
            yield path, image, max(found, key=lambda f: f.area, default=None)


def _pictures(photo: Path) -> list[Path]:
    if photo.is_dir():
        below = sorted(p for p in photo.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
        if not below:
            raise InputError(f"{photo} holds no picture of a person ({' '.join(PICTURE_SUFFIXES)})")
        return below
    if not photo.exists():
        raise InputError(f"wanted a photo of the person whose face goes in, {photo} does not exist: check the name")
    if photo.suffix.lower() not in PICTURE_SUFFIXES:
        wanted = f"a photo ({' '.join(PICTURE_SUFFIXES)}), a folder of photos or a faceset"
        raise InputError(f"wanted {wanted}, got {photo}; make a faceset of footage first, with `bianlian extract`")
    return [photo]


def _spread(count: int) -> list[int]:
    return [int(k) for k in np.unique(np.linspace(0, count - 1, min(MOST, count)).astype(int))] if count else []


def _person(photo: Path) -> str:
    return Faceset.open(photo).person if (photo / HEADER).is_file() else photo.stem


def _consent(photo: Path) -> str:
    if (photo / HEADER).is_file():
        return Faceset.open(photo).header.consent or NO_CONSENT
    return footage_consent(photo)

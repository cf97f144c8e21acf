"""Photos of people -> a file of actors: one frontal photo each, found, marked, fitted, baked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np

from bianlian import plugins
from bianlian.actors.atlas import Texture
from bianlian.actors.bake import bake
from bianlian.actors.bank import Fitted
from bianlian.actors.fit import fit
from bianlian.actors.head import Head
from bianlian.actors.marks import Marks, marks_of
from bianlian.actors.webmorph import find_points, marks_of_189, read_points
from bianlian.errors import InputError, NoFaceError
from bianlian.types import Image, Note, silent
from bianlian.video import PICTURE_SUFFIXES, frames

MOST_TURN = 25.0
"""Degrees to a side, up or down beyond which a photo is not frontal."""
MOST_ERROR = 0.06
"""Mean distance of the marks, over the eye distance, beyond which a fit is no fit."""
_SMALLEST, _SHARP = 50.0, 90.0
"""Eye distances in pixels: the least of which a texture is worth making, and what frames of 512 pixels ask for."""


@final
class Fitter:
    """Fits photos. For one thread at a time."""

    def __init__(self, head: Head, detector: str = "duo") -> None:
        """Load what finds and marks faces. Raises PluginError, WeightsError."""
        self._head = head
        self._detector, self._landmarker = plugins.load("detector", detector)(), plugins.load("landmarker", "facemesh478")()

    def fit(self, photo: Path, note: Note = silent) -> tuple[Fitted, Texture]:
        """Fit the largest face of a photo, by the points that lie beside it (see ``webmorph``) or by a face mesh.

        Raises VideoError, NoFaceError, and InputError for a photo that is small, not frontal, or does not fit.
        """
        image = next(iter(frames(photo))).image
        points = find_points(photo)
        if points is None:
            marks = self._marks(photo, image)
        else:
            marks = marks_of_189(read_points(points, image.shape[1]), self._head.landmarks)
        apart = float(np.linalg.norm(marks.eyes["image_left"].pupil - marks.eyes["image_right"].pupil))
        if apart < _SMALLEST:
            raise InputError(f"{photo} shows the eyes {apart:.0f} pixels apart; wanted {_SMALLEST:.0f} or more: a larger photo")
        fitted = fit(self._head, marks)
        _check(photo, fitted)
        if apart < _SHARP:
            note(f"{photo}: the eyes are {apart:.0f} pixels apart; frames of 512 pixels will look soft")
        return fitted, bake(self._head, image, fitted, marks)

    def _marks(self, photo: Path, image: Image) -> Marks:
        found = [f for f in self._landmarker.mark(image, self._detector.detect([image])[0]) if f is not None]
        if not found:
            raise NoFaceError(f"no face was found in {photo}; give a clear photo of one person, from the front")
        face = max(found, key=lambda f: f.area)
        assert face.landmarks is not None
        return marks_of(face.landmarks)


def list_photos(given: Sequence[Path]) -> Mapping[str, Path]:
    """List photos, and those below folders, by the person's name: the file's, or the folder's where file names repeat.

    Raises InputError for what is no picture, none, or two people of one name.
    """
    found: list[Path] = []
    for path in given:
        below = sorted(p for p in path.rglob("*") if _is_photo(p)) if path.is_dir() else [path]
        if not path.exists() or not all(map(_is_photo, below)):
            raise InputError(f"wanted photos ({' '.join(PICTURE_SUFFIXES)}) or folders of them, got {path}: check the name")
        found += below
    if not found:
        raise InputError(f"{', '.join(map(str, given)) or 'nothing'} holds no photo ({' '.join(PICTURE_SUFFIXES)})")
    repeats = len({p.stem for p in found}) < len(found)
    named = {(p.resolve().parent.name if repeats else p.stem): p for p in found}
    if len(named) < len(found):
        raise InputError("two photos would be of one name; give one photo a person, named after them or in a folder named so")
    odd = [name for name in named if any(c in name for c in "+*:") or not name.isprintable()]
    if odd:
        raise InputError(f"a person cannot be called {odd[0]!r}: + * and : have a meaning in mixes; rename the photo")
    return named


def _is_photo(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def _check(photo: Path, fitted: Fitted) -> None:
    x, y, z = (float(v) for v in fitted.rotation[:, 2])  # where the face looks
    yaw, pitch = np.degrees(np.arctan2(x, z)), np.degrees(np.arcsin(np.clip(y, -1, 1)))
    if max(abs(yaw), abs(pitch)) > MOST_TURN:
        turned = f"{abs(yaw):.0f} degrees to a side and {abs(pitch):.0f} up or down"
        raise InputError(f"the head in {photo} is turned {turned}; a texture wants a photo from the front (within {MOST_TURN:.0f})")
    if fitted.error > MOST_ERROR:
        raise InputError(
            f"the head does not fit the face in {photo}: marks are {100 * fitted.error:.1f} % of the eye distance off, at most"
            f" {100 * MOST_ERROR:.0f} is usable; give a photo with a calm face, from the front"
        )

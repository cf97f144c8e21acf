"""Pictures of a person -> the description that their face is known by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian.detect import Detector
from bianlian.errors import InputError, NoFaceError
from bianlian.identity import Describer
from bianlian.identity.people import centre
from bianlian.landmark import Landmarker
from bianlian.types import Note, silent
from bianlian.video import PICTURE_SUFFIXES, frames

MOST = 50
"""Pictures of a folder that are looked at, evenly spread."""


def reference(
    path: Path, detector: Detector, landmarker: Landmarker, describer: Describer, *, note: Note = silent
) -> NDArray[np.float64]:
    """Describe a person by a picture, or by the pictures of a folder and of the folders in it -> (D,) float64.

    Of several faces in a picture the largest counts. Raises InputError when there is no picture, NoFaceError when none shows a
    face.
    """
    pictures = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not pictures:
        raise InputError(f"{path} holds no picture of a person ({' '.join(PICTURE_SUFFIXES)})")
    picked = [pictures[k] for k in np.unique(np.linspace(0, len(pictures) - 1, min(MOST, len(pictures))).astype(int))]
    looks = []
    for picture in picked:
        image = next(iter(frames(picture))).image
        marked = [f for f in landmarker.mark(image, detector.detect([image])[0]) if f is not None]
        if not marked:
            note(f"{picture}: no face found; skipped")
            continue
        looks.append(describer.describe(image, [max(marked, key=lambda f: f.area)])[0])
    if not looks:
        raise NoFaceError(f"no face was found in {path}, which should show the person; give a clear, frontal picture")
    return centre(np.stack(looks))

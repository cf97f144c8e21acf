"""Whose faces an extraction keeps, where footage shows several people."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bianlian import plugins
from bianlian.detect import Detector
from bianlian.errors import ConfigError
from bianlian.faceset.stages import Shot
from bianlian.identity import Describer
from bianlian.identity.people import SURE, distances
from bianlian.identity.reference import reference
from bianlian.landmark import Landmarker
from bianlian.types import Note, silent


@dataclass(frozen=True, eq=False)
class Wanted:
    """The person whose faces are kept.

    describer: tells people apart. person: their description (D,), see ``identity.reference``. sure: distance of descriptions up
    to which a face is taken to be theirs.
    """

    describer: Describer
    person: NDArray[np.float64]
    sure: float = SURE

    @classmethod
    def by_pictures(
        cls,
        path: Path,
        detector: Detector,
        landmarker: Landmarker,
        *,
        describer: str = "dlib",
        sure: float = SURE,
        note: Note = silent,
    ) -> Self:
        """Learn the person from a picture or a folder of pictures. Raises as ``identity.reference``, ConfigError, PluginError."""
        if not 0 < sure <= 2:
            raise ConfigError(f"sure must lie in (0, 2], got {sure}")
        look: Describer = plugins.load("describer", describer)()
        return cls(look, reference(path, detector, landmarker, look, note=note), sure)

    def __str__(self) -> str:
        return f"{hashlib.sha256(self.person.round(3).tobytes()).hexdigest()[:8]} up to {self.sure:g}"

    def recognise(self, shots: Generator[Shot, None, None]) -> Generator[Shot, None, None]:
        """Give each face of the frames its distance from the person: a stage of the extraction, after ``mark``."""
        with closing(shots):
            for shot in shots:
                if shot.frame is None or not shot.faces:
                    yield shot
                    continue
                looks = self.describer.describe(shot.frame.image, shot.faces)
                away = distances(looks, self.person[None])[:, 0]
                strange = tuple(f"another person: {d:.2f} away" if d > self.sure else None for d in away)
                yield replace(shot, strange=strange)

"""Five points: hand on what the detector itself found. Costs nothing; as exact as the detector's points are."""

from __future__ import annotations

from collections.abc import Sequence

from bianlian.landmark.schemes import convert
from bianlian.types import Face, Image, check_image


class FivePoints:
    """Gives each face with points the scheme ``five``; keeps the contract ``Landmarker``."""

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Reduce each face's own landmarks to the five points; box and score are kept.

        image (H, W, 3) uint8, only checked; faces -> as many faces, None for a face whose detector gave no points.
        """
        check_image(image)
        return [None if face.landmarks is None else Face(face.box, face.score, convert(face.landmarks, "five")) for face in faces]

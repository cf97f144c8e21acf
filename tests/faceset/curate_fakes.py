"""Tables of good faces, a faceset of drawn ones, and eyes that need no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from faceset_fakes import some_record
from numpy.typing import NDArray

from bianlian import align
from bianlian.faceset.curate.measure import Eyes
from bianlian.faceset.curate.table import Table
from bianlian.faceset.header import FACESET_COVERAGE, Header
from bianlian.faceset.store import Faceset
from bianlian.faceset.writer import FacesetWriter, Pass, crop_name
from bianlian.geometry import box_of
from bianlian.types import Crop, Face, Image, Landmarks

SIZE = 64


def good_table(count: int, **columns: Any) -> Table:
    """Faces with which nothing is wrong, all of one person, each in a pose of its own; ``columns`` replace some."""
    rng = np.random.default_rng(0)
    same = np.full(count, 1.0)
    table = Table(
        ids=np.arange(count, dtype=np.int64) * 10,
        stamps=tuple(f"{k:016x}" for k in range(count)),
        width=120 * same,
        pose=np.stack([np.arange(count) * 6.0, 0 * same, 0 * same], axis=1),
        expression=np.zeros((count, 6)),
        face=0.9 * same,
        blur=0.45 * same,
        level=150 * same,
        burnt=0 * same,
        contrast=90 * same,
        whole=same,
        side=0 * same,
        top=0 * same,
        hash=rng.integers(0, 2**63, count, np.uint64),
        who=np.tile(person(0), (count, 1)),
    )
    return replace(table, **columns)


def person(number: int) -> NDArray[np.float32]:
    """Describe a person; two of them are 1 apart."""
    out = np.zeros(8, np.float32)
    out[number] = np.sqrt(0.5)
    return out


class CountingDetector:
    """Finds the face again in every crop that is not black, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find it where the drawn faces are."""
        self.asked += len(images)
        box = box_of(align.template("ibug68", SIZE, FACESET_COVERAGE))
        return [[Face(box, 0.9)] if image.any() else [] for image in images]


class ColourDescriber:
    """Tells people by the colour of their skin: red is person 0, green is person 1."""

    same = 0.6

    def describe(self, image: Image, faces: Sequence[Face]) -> NDArray[np.float64]:
        """Describe the middle of the picture."""
        middle = image[28:36, 28:36].reshape(-1, 3).mean(0)
        return np.stack([person(int(middle[1] > middle[0])) for _ in faces]).astype(np.float64)


def eyes() -> Eyes:
    """Both fakes."""
    return Eyes(CountingDetector(), ColourDescriber())


def drawn_face(seed: int, skin: tuple[int, int, int] = (200, 120, 90)) -> Image:
    """A face-like picture of 64 pixels with detail of its own."""
    rng = np.random.default_rng(seed)
    image = np.full((SIZE, SIZE, 3), 70, np.uint8)
    cv2.ellipse(image, (32, 32), (16, 20), 0, 0, 360, skin, -1)
    for x, y in rng.integers(20, 45, (14, 2)).tolist():
        cv2.rectangle(image, (x, y), (x + 2, y + 2), tuple(rng.integers(0, 255, 3).tolist()), -1)
    return image


def make_faces(path: Path, crops: Sequence[Image], reasons: dict[int, str] | None = None) -> Faceset:
    """Write a faceset of given crops, one a frame; face k has yaw 4 k - 20. reasons: why extraction left some out."""
    points = Landmarks(align.template("ibug68", SIZE, FACESET_COVERAGE).round(2), "ibug68")
    with FacesetWriter(path, Header("anna", SIZE, format="png")) as writer:
        writer.begin(Pass("clip.mp4", "f", "every 6"))
        for k, crop in enumerate(crops):
            reason = (reasons or {}).get(k)
            record = some_record(
                k,
                landmarks=points,
                box=box_of(points.points) * 4,
                crop_from_frame=np.eye(2, 3),
                crop=crop_name(k, "png"),
                pose=(4.0 * k - 20, 0.0, 0.0),
                kept=reason is None,
                reason=reason,
            )
            writer.add([record], [Crop(crop, np.eye(2, 3))])
        writer.finish()
    return Faceset.open(path)

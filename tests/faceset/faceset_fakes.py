"""Drawn faces, and a detector and a landmarker that find them exactly: facesets can be tested without weights."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from bianlian.align import template
from bianlian.faceset.record import FaceRecord
from bianlian.geometry import umeyama
from bianlian.types import Face, Image, Landmarks

TALL = 1.25
"""Height of a drawn face over its width."""


def draw(*faces: tuple[float, float, float], width: int = 160, height: int = 120) -> Image:
    """Draw faces (centre x, centre y, width) as red ellipses with dark eyes on a blue ground."""
    image = np.full((height, width, 3), (20, 40, 90), np.uint8)
    for x, y, across in faces:
        centre, axes = (round(x), round(y)), (round(across / 2), round(across * TALL / 2))
        cv2.ellipse(image, centre, axes, 0, 0, 360, (230, 40, 40), -1)
        for side in (-1, 1):
            cv2.circle(image, (round(x + side * across / 5), round(y - across / 5)), max(1, round(across / 12)), (190, 10, 10), -1)
    return image


class DrawnDetector:
    """Finds drawn faces by their colour. A face that is cut off at the left border gets its whole box back.

    fail_at: pictures after which ``error`` is raised. seen: counts the pictures.
    """

    def __init__(self, fail_at: int | None = None, error: BaseException | None = None) -> None:
        self.seen = 0
        self._fail_at, self._error = fail_at, error

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Find the red blobs of each picture, smallest first."""
        self.seen += len(images)
        if self._error is not None and self._fail_at is not None and self.seen > self._fail_at:
            raise self._error
        return [self._detect(image) for image in images]

    def _detect(self, image: Image) -> list[Face]:
        red = ((image[..., 0] > 130) & (image[..., 1] < 110)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(red)
        faces = []
        for x, y, w, h, area in sorted(stats[1:].tolist(), key=lambda s: s[4]):
            if area >= 60:
                left = x + w - h / TALL if x == 0 else x
                faces.append(Face(np.array([left, y, x + w, y + h], np.float64), 0.9))
        return faces


class DrawnLandmarker:
    """Marks the mean face's 68 points inside the box."""

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Fit the template's width to the box."""
        return [self._mark(face) for face in faces]

    def _mark(self, face: Face) -> Face:
        x1, y1, x2, y2 = face.box
        y = (y1 + y2) / 2
        box_from_unit = umeyama([[-0.5, 0], [0.5, 0]], [[x1, y], [x2, y]])
        unit = template("ibug68", 1, 1.0)
        return Face(face.box, face.score, Landmarks(unit @ box_from_unit[:, :2].T + box_from_unit[:, 2], "ibug68"))


def write_video(path: Path, pictures: Sequence[Image], rate: int = 10) -> Path:
    """Encode pictures as H.264."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10", "preset": "ultrafast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_png(path: Path, image: Image) -> Path:
    """Write a picture without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])
    return path


def walk(count: int, first: int = 0) -> list[Image]:
    """A face of 44 pixels' width that moves two pixels a frame."""
    return [draw((50 + 2 * (first + i), 60, 44)) for i in range(count)]


def some_record(number: int = 0, **changes: object) -> FaceRecord:
    """A plain record; ``changes`` replace its fields."""
    fields: dict[str, object] = {
        "id": number,
        "file": "clip.mp4",
        "frame": 6 * number,
        "pts": 3072 * number,
        "time_base": Fraction(1, 12800),
        "box": np.array([10.0, 20.0, 60.0, 80.0]),
        "score": 0.98,
        "landmarks": Landmarks(template("five", 100).round(2), "five"),
        "crop_from_frame": np.array([[1.5, 0.1, -3.0], [-0.1, 1.5, 4.0]]),
        "crop": f"crops/{number:06d}.png",
        "sharpness": 41.2,
        "pose": (1.0, -2.0, 3.0),
        "kept": True,
        "reason": None,
    }
    return FaceRecord(**(fields | changes))  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their relative name."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

"""Faces turned in the plane: run any detector on turned copies of a picture and map what it finds back.

A detector that knows upright faces alone finds a face turned by any angle in one of eight views, 45 degrees apart: none is off by
more than 22.5 degrees. Seven more passes cost seven times as much and may raise seven times the false alarms, so they are for
pictures in which the upright pass finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.geometry import apply, invert, iou
from bianlian.types import Face, Image, Landmarks, Matrix

ANGLES = (90, 270, 180, 45, 315, 135, 225)
"""Degrees, counter-clockwise as seen, by which a picture is turned."""

_SAME = 0.3


def with_turns(
    find: Callable[[Sequence[Image]], list[list[Face]]],
    images: Sequence[Image],
    *,
    angles: Sequence[int] = ANGLES,
    sure: float = 0.0,
) -> list[list[Face]]:
    """Find the faces of each picture; where the upright pass finds none, those of its turned copies, in the picture's own pixels.

    find: a detector's upright pass, which keeps the contract of ``Detector.detect`` -> a list as long as ``images``, best first.
    sure: turned copies are searched too where no face scores as much, for a detector that reads turned faces as upright ones, with
    wrong points, but doubts them; of faces in one place the best is kept.
    """
    found = find(images)
    return [
        faces if any(face.score >= sure for face in faces) else _turned(find, image, angles, faces)
        for image, faces in zip(images, found, strict=True)
    ]


def _turned(
    find: Callable[[Sequence[Image]], list[list[Face]]], image: Image, angles: Sequence[int], upright: Sequence[Face]
) -> list[Face]:
    copies = [turn(image, degrees) for degrees in angles]
    height, width = image.shape[:2]
    faces = [
        turned_back(face, frame_from_copy)
        for (_, frame_from_copy), there in zip(copies, find([copy for copy, _ in copies]), strict=True)
        for face in there
    ]
    faces = [f for f in faces if (_centre(f) >= 0).all() and (_centre(f) <= [width - 1, height - 1]).all()]
    return best([*upright, *faces])


def best(faces: Sequence[Face]) -> list[Face]:
    """Of several boxes of one face keep the one with the best score -> best score first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: -f.score):
        if not any(_same(face, better) for better in kept):
            kept.append(face)
    return kept


def _same(a: Face, b: Face) -> bool:
    """Tell whether two boxes are of one face: they overlap, or one holds the other's middle."""
    holds = (bool((_centre(p) > q.box[:2]).all() and (_centre(p) < q.box[2:]).all()) for p, q in ((a, b), (b, a)))
    return iou(a.box, b.box) > _SAME or any(holds)


def turn(image: Image, degrees: int) -> tuple[Image, Matrix]:
    """Turn a picture counter-clockwise -> the copy, large enough to hold all of it, and ``frame_from_copy`` (2, 3).

    By multiples of 90 degrees pixels move as they are; otherwise they are interpolated, and the corners are mid-grey.
    """
    height, width = image.shape[:2]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    linear = np.array([[cos, sin], [-sin, cos]])
    size = np.abs(linear) @ np.array([width, height])
    wide, high = (round(float(n)) if degrees % 90 == 0 else int(np.ceil(n)) for n in size)
    shift = np.array([(wide - 1) / 2, (high - 1) / 2]) - linear @ np.array([(width - 1) / 2, (height - 1) / 2])
    copy_from_frame = np.concatenate([linear, shift[:, None]], axis=1)
    if degrees % 90 == 0:
        copy = np.rot90(image, degrees // 90).copy()
    else:
        drawn = cv2.warpAffine(image, copy_from_frame, (wide, high), flags=cv2.INTER_LINEAR, borderValue=(127, 127, 127))
        copy = np.asarray(drawn, np.uint8)
    return copy, invert(copy_from_frame)


def turned_back(face: Face, frame_from_copy: Matrix) -> Face:
    """Map a face of a turned copy to the picture: points and the box's centre exactly.

    By multiples of 90 degrees the box keeps its sides, otherwise it becomes the level square of the same area.
    """
    linear = np.abs(frame_from_copy[:, :2])
    size = face.box[2:] - face.box[:2]
    straight = np.allclose(linear, linear.round(), atol=1e-9)
    half = (linear.round() @ size if straight else np.full(2, np.sqrt(size.prod()))) / 2
    centre = apply(frame_from_copy, _centre(face)[None])[0]
    marked = face.landmarks
    points = marked and Landmarks(apply(frame_from_copy, marked.points), marked.scheme)
    return Face(np.concatenate([centre - half, centre + half]), face.score, points)


def _centre(face: Face) -> NDArray[np.float64]:
    return (face.box[:2] + face.box[2:]) / 2

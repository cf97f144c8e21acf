"""The parts of a face: rings in order, inside each other as on a face, right and left mirrored."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bianlian.align import template
from bianlian.errors import InputError
from bianlian.landmark.facemesh import FaceMesh
from bianlian.landmark.regions import REGIONS, Region, ring
from bianlian.landmark.schemes import IBUG68_FROM_MESH, LEFT_EYE, RIGHT_EYE, convert
from bianlian.types import SCHEMES, Face, Image, Landmarks, Points

MEAN = Landmarks(template("ibug68", 400), "ibug68")


def area(points: Points) -> float:
    return float(cv2.contourArea(points.astype(np.float32)))


def crossings(points: Points) -> int:
    """How many pairs of edges of a closed ring cross: none when its points are in order around it."""

    def side(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> float:
        return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    edges = [*pairwise(points), (points[-1], points[0])]
    count = 0
    for i, (a, b) in enumerate(edges):
        for c, d in edges[i + 1 :]:
            count += side(a, b, c) * side(a, b, d) < -1e-9 and side(c, d, a) * side(c, d, b) < -1e-9
    return count


def inside(points: Points, polygon: Points) -> bool:
    closed = polygon.astype(np.float32)
    return all(cv2.pointPolygonTest(closed, (float(x), float(y)), True) > -1.5 for x, y in points)


@pytest.mark.parametrize("scheme", list(REGIONS))
def test_rows_exist_and_come_once(scheme: str) -> None:
    for rows in REGIONS[scheme].values():
        assert len(set(rows)) == len(rows) >= 4
        assert 0 <= min(rows) <= max(rows) < SCHEMES[scheme]


def check_rings(landmarks: Landmarks) -> None:
    """What holds on any frontal face with open eyes."""
    rings = {name: ring(landmarks, name) for name in REGIONS[landmarks.scheme]}
    for name, points in rings.items():
        assert crossings(points) == 0, name
        assert area(points) > 0, name
    for name in ("right_eye", "left_eye", "nose", "mouth"):
        assert inside(rings[name], rings["face"]), name
    assert inside(rings["opening"], rings["mouth"])
    for part in ("eye", "brow"):
        assert rings[f"right_{part}"][:, 0].max() < rings[f"left_{part}"][:, 0].min()  # type: ignore[index]
    heights = [rings[name][:, 1].mean() for name in ("right_brow", "right_eye", "nose", "mouth")]
    assert heights == sorted(heights)


def test_rings_of_the_mean_face() -> None:
    check_rings(MEAN)


@pytest.mark.weights
def test_rings_of_a_mesh(face_image: Image) -> None:
    (face,) = FaceMesh().mark(face_image, [Face(np.array([140.0, 150.0, 350.0, 380.0]), 1.0)])
    assert face is not None
    assert face.landmarks is not None
    check_rings(face.landmarks)
    shared = convert(face.landmarks, "ibug68")
    for name in ("right_eye", "left_eye", "mouth"):
        own, coarse = ring(face.landmarks, name), ring(shared, name)
        assert 0.8 < area(own) / area(coarse) < 1.6, name  # the same part, its edge rounder


def test_both_schemes_mean_the_same_eyes() -> None:
    mesh = np.array(IBUG68_FROM_MESH)
    for name, rows in (("right_eye", RIGHT_EYE), ("left_eye", LEFT_EYE)):
        assert set(mesh[rows]) <= set(REGIONS["mesh468"][name])  # type: ignore[index]


@pytest.mark.parametrize(
    ("scheme", "region", "hint"),
    [("five", "nose", "use ibug68 or mesh468"), ("mesh468", "left_iris", "use mesh478"), ("ibug68", "ear", "regions are")],
)
def test_a_region_that_is_not_there_says_what_to_do(scheme: str, region: Region, hint: str) -> None:
    points = np.random.default_rng(0).normal(size=(SCHEMES[scheme], 2))
    with pytest.raises(InputError, match=hint):
        ring(Landmarks(points, scheme), region)

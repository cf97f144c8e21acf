"""Photos: a head that was projected is found again, its skin is laid where it was seen, and nothing behind it gets in."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bianlian.actors.bake import bake, project
from bianlian.actors.bank import Fitted
from bianlian.actors.behind import behind
from bianlian.actors.fit import fit
from bianlian.actors.head import Head, rotation
from bianlian.actors.layout import EYE_ORIGIN, EYE_TILE
from bianlian.actors.marks import EyeMarks, Marks, marks_of, resample
from bianlian.actors.photos import Fitter, list_photos
from bianlian.actors.raster import rasterise
from bianlian.actors.renderer import Renderer
from bianlian.actors.webmorph import find_points, landmarks_of, marks_of_189, read_points
from bianlian.errors import InputError, NoFaceError
from bianlian.types import Image, Landmarks
from bianlian.video import frames
from made_head import EYES

SIZE, SCALE = 400, 14.0
TRUE = np.array([1.2, -0.8], np.float32)
"""Coefficients of the head that is looked for."""


def projected(head: Head, turn: NDArray[np.float64], offsets: NDArray[np.float32] | None = None) -> tuple[Fitted, Marks]:
    """Project a head -> what a fit should find, and exact marks."""
    shift = np.array([SIZE / 2, -SIZE / 2], np.float32)
    zero = np.zeros((68, 3), np.float32)
    truth = Fitted(TRUE, zero if offsets is None else offsets, SCALE, turn.astype(np.float32), shift, 0.0)
    vertices = head.shape(truth.coefficients, truth.offsets)
    xy, _ = project(vertices, truth)
    rows = head.landmarks[17:]
    jaw = resample(xy[head.landmarks[:17]], 100)
    eyes = {}
    for side in ("image_left", "image_right"):
        pupil = xy[head.eyes[side]].mean(0)
        angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        ring = pupil + np.stack([np.cos(angle), 0.6 * np.sin(angle)], 1) * 0.8 * SCALE
        eyes[side] = EyeMarks(pupil, 0.45 * SCALE, ring)
    return truth, Marks(rows, xy[rows], np.ones(51), jaw, xy[head.landmarks[17:27]], eyes)  # type: ignore[arg-type]


@pytest.mark.parametrize("angles", [(0, 0, 0), (12, -8, 20)])
def test_a_projected_head_is_found_again(renderer: Renderer, angles: tuple[float, float, float]) -> None:
    head = renderer.head
    truth, marks = projected(head, rotation(*angles))
    found = fit(head, marks)
    mine, theirs = (project(head.shape(f.coefficients, f.offsets), f)[0][head.landmarks] for f in (found, truth))
    assert np.abs(mine - theirs)[17:].max() < 0.05 * SCALE  # a twentieth of a unit, of a head that is 14 units wide
    assert found.error < 0.01
    assert found.scale == pytest.approx(SCALE, rel=0.06)  # size and the shape "wider" say the same in part
    np.testing.assert_allclose(found.rotation, truth.rotation, atol=0.08)
    np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(3), atol=1e-5)


def test_what_no_shape_can_say_is_said_by_the_landmarks(renderer: Renderer) -> None:
    head, offsets = renderer.head, np.zeros((68, 3), np.float32)
    offsets[48:68, 0] = 1.0  # a mouth that sits a unit to the side
    truth, marks = projected(head, np.eye(3), offsets)
    found = fit(head, marks)
    plain, moved = (
        project(head.shape(found.coefficients, o), found)[0][head.landmarks[48:68], 0].mean() for o in (None, found.offsets)
    )
    wanted = project(head.shape(truth.coefficients, truth.offsets), truth)[0][head.landmarks[48:68], 0].mean()
    assert abs(plain - wanted) > 0.3 * SCALE
    assert abs(moved - wanted) < 0.15 * SCALE
    assert found.error > 0.01


def scene(head: Head, truth: Fitted) -> Image:
    """Photograph a head of skin over a striped wall: its colour says where it is, (120 + x / 8, 90, 120 - x / 8) by pixel."""
    xy, turned = project(head.shape(truth.coefficients, truth.offsets), truth)
    corners = head.atlas.skin_triangles
    index, _ = rasterise(xy, turned[:, 2].astype(np.float64), corners, SIZE, SIZE, True)
    x = np.tile(np.arange(SIZE), (SIZE, 1))
    skin = np.stack([120 + x / 8, np.full_like(x, 90), 120 - x / 8], 2)
    wall = np.where((x // 20 % 2)[..., None] == 0, [20, 220, 40], [40, 180, 20])
    return np.where((index >= 0)[..., None], skin, wall).astype(np.uint8)


def test_a_photo_is_laid_where_it_was_seen(renderer: Renderer) -> None:
    head = renderer.head
    truth, marks = projected(head, np.eye(3))
    texture = bake(head, scene(head, truth), truth, marks)
    xy, _ = project(head.shape(truth.coefficients), truth)
    rows = head.landmarks[27:68]
    spot = np.round(head.atlas.texel[rows]).astype(int)
    found = texture[spot[:, 1], spot[:, 0]].astype(float)
    np.testing.assert_allclose(found[:, 0], 120 + xy[rows, 0] / 8, atol=4)
    np.testing.assert_allclose(found[:, 2], 120 - xy[rows, 0] / 8, atol=4)


def test_nothing_of_the_wall_gets_into_the_face(renderer: Renderer) -> None:
    head = renderer.head
    truth, marks = projected(head, np.eye(3))
    texture = bake(head, scene(head, truth), truth, marks).astype(int)
    skin = texture[head.atlas.index >= 0]
    assert (skin[:, 1] > skin[:, 0] + 20).mean() < 0.002  # the wall is green, the skin is not


def test_the_wall_is_told_from_the_head(renderer: Renderer) -> None:
    head = renderer.head
    truth, marks = projected(head, np.eye(3))
    photo = scene(head, truth)
    wall = photo[..., 1] > 100
    away = behind(photo, marks, (~wall).astype(np.uint8))
    above = slice(0, int(marks.jaw[:, 1].max()))
    assert (away[above] == wall[above]).mean() > 0.95
    assert not away[-20:].any()  # below the neck all is the person


def test_an_eye_keeps_its_iris_and_is_completed_around_it(renderer: Renderer) -> None:
    head = renderer.head
    truth, marks = projected(head, np.eye(3))
    photo = scene(head, truth)
    y, x = np.mgrid[:SIZE, :SIZE]
    for side in EYES:
        eye = marks.eyes[side]  # type: ignore[index]
        away = np.hypot(x - eye.pupil[0], y - eye.pupil[1])
        photo[away < 1.2 * SCALE] = (235, 230, 225)
        photo[away < eye.iris] = (60, 110, 200)
    texture = bake(head, photo, truth, marks)
    for side in EYES:
        left, top = EYE_ORIGIN[side]  # type: ignore[index]
        tile = texture[top : top + EYE_TILE, left : left + EYE_TILE].astype(int)
        middle = tile[EYE_TILE // 2 - 4 : EYE_TILE // 2 + 4, EYE_TILE // 2 - 4 : EYE_TILE // 2 + 4].reshape(-1, 3).mean(0)
        np.testing.assert_allclose(middle, [60, 110, 200], atol=12)
        assert tile[EYE_TILE // 2, 4].min() > 190  # far from the pupil, behind the lids: white


def test_marks_of_a_mesh_run_from_the_image_left() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (478, 2))
    points[127], points[152], points[356] = [5, 50], [50, 120], [95, 50]
    points[468:473] = [[30, 40], [33, 40], [30, 37], [27, 40], [30, 43]]
    marks = marks_of(Landmarks(points, "mesh478"))
    np.testing.assert_array_equal(marks.jaw[[0, -1]], [[5, 50], [95, 50]])
    assert np.abs(marks.jaw - [50, 120]).sum(1).min() < 15
    assert marks.eyes["image_left"].iris == pytest.approx(3)
    np.testing.assert_array_equal(marks.eyes["image_left"].pupil, [30, 40])
    assert len(marks.vertices) == len(marks.points) == 468 - 36
    with pytest.raises(InputError, match="by mesh478 landmarks, got mesh468"):
        marks_of(Landmarks(points[:468], "mesh468"))


def test_points_set_by_hand_are_read_in_both_forms(tmp_path: Path, renderer: Renderer) -> None:
    points = np.random.default_rng(1).uniform(100, 900, (189, 2))
    with (tmp_path / "ana_points189.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["x", "y"], *points.tolist()])
    (tmp_path / "ben.tem").write_text("\n".join(["189", *(f"{x}\t{y}" for x, y in points), "0", ""]))
    for name in ("ana", "ben"):
        path = find_points(tmp_path / f"{name}.jpg")
        assert path is not None
        np.testing.assert_allclose(read_points(path, 675), points * (0.5 if name == "ben" else 1))
    assert find_points(tmp_path / "cleo.jpg") is None
    marks = marks_of_189(points, renderer.head.landmarks)
    np.testing.assert_array_equal(marks.points[48 - 17], points[87])
    np.testing.assert_array_equal(landmarks_of(points)[36], points[18])
    (tmp_path / "ben.tem").write_text("3\n1 2\n")
    with pytest.raises(InputError, match="should hold 189 points"):
        read_points(tmp_path / "ben.tem", 675)
    (tmp_path / "ben.tem").write_text("no number")
    with pytest.raises(InputError, match="holds no points"):
        read_points(tmp_path / "ben.tem", 675)


def test_people_are_called_as_their_photos_or_their_folders(tmp_path: Path) -> None:
    for name in ("ana.jpg", "b/neutral.png", "c/neutral.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert list(list_photos([tmp_path / "ana.jpg", tmp_path / "b"])) == ["ana", "neutral"]
    assert list(list_photos([tmp_path / "b", tmp_path / "c"])) == ["b", "c"]
    (tmp_path / "b" / "again").mkdir()
    (tmp_path / "b" / "again" / "neutral.png").write_bytes(b"x")
    (tmp_path / "c" / "again").mkdir()
    (tmp_path / "c" / "again" / "neutral.png").write_bytes(b"x")
    with pytest.raises(InputError, match="two photos would be of one name"):
        list_photos([tmp_path / "b", tmp_path / "c"])
    for given, says in (([tmp_path / "no.jpg"], "check the name"), ([tmp_path / "made.txt"], "wanted photos")):
        with pytest.raises(InputError, match=says):
            list_photos(given)
    (tmp_path / "a+b.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="cannot be called"):
        list_photos([tmp_path / "a+b.jpg"])


@pytest.mark.weights
def test_photos_that_cannot_be_used_are_told(renderer: Renderer, face_image: Image, tmp_path: Path) -> None:
    from PIL import Image as Pillow

    fitter = Fitter(renderer.head, "blazeface")
    Pillow.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    with pytest.raises(NoFaceError, match=r"no face was found in .*grey\.png"):
        fitter.fit(tmp_path / "grey.png")
    Pillow.fromarray(face_image).resize((200, 200)).save(tmp_path / "small.png")
    with pytest.raises(InputError, match=r"shows the eyes .* pixels apart"):
        fitter.fit(tmp_path / "small.png")
    # the mesh's table is of the real model's vertices, so that the stand-in cannot fit
    Pillow.fromarray(face_image).save(tmp_path / "face.png")
    with pytest.raises(InputError, match=r"face\.png"):
        fitter.fit(tmp_path / "face.png")
    assert next(iter(frames(tmp_path / "face.png"))).image.shape == face_image.shape

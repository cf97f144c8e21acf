"""dlib's 68 points: trees that see a drawn face in place of the real ones; the real ones where they are in the cache."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from bianlian.errors import ConfigError, TermsWarning
from bianlian.geometry import apply, box_of
from bianlian.landmark import dlib68
from bianlian.landmark._upright import head_from_points
from bianlian.landmark.dlib68 import Dlib68
from bianlian.landmark.facemesh478 import FaceMesh478
from bianlian.landmark.pose import HEAD68
from bianlian.landmark.schemes import INNER, convert
from bianlian.types import Face, Image, Landmarks, Points
from bianlian.weights import CARDS, Url, WeightsCard, find
from bianlian.weights.cards import EXTRA_CARDS

FRONT = np.array(HEAD68)[:, :2]


class Trees:
    """Put the mean head onto a drawn face: its right eye is red, its left one green; else in the middle of the box."""

    def __init__(self, path: str) -> None:
        assert path == "trees.dat"

    def __call__(self, image: Image, box: object) -> SimpleNamespace:
        red, green = (image[..., k].astype(int) - image[..., 2] > 100 for k in (0, 1))
        if red.any() and green.any():
            eyes = np.array([np.argwhere(seen)[:, ::-1].mean(0) for seen in (red, green)])
            own = np.array([FRONT[36:42].mean(0), FRONT[42:48].mean(0)])
            scale = np.hypot(*(eyes[1] - eyes[0])) / np.hypot(*(own[1] - own[0]))
            points = (FRONT - own.mean(0)) * scale + eyes.mean(0)
        else:
            width = box.width()  # type: ignore[attr-defined]
            points = FRONT * width + [box.center().x, box.center().y]  # type: ignore[attr-defined]
        parts = [SimpleNamespace(x=round(float(x)), y=round(float(y))) for x, y in points]
        return SimpleNamespace(parts=lambda: parts)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Dlib68:
    monkeypatch.setattr(dlib68, "locate", lambda card: Path("trees.dat"))
    monkeypatch.setattr("dlib.shape_predictor", Trees)
    with pytest.warns(TermsWarning, match=r"dlib_68 \(Davis King.*non-commercial.*https://ibug"):
        return Dlib68()


def draw(degrees: float) -> tuple[Image, Points]:
    """A grey picture with the two coloured eyes of a face turned by some degrees, and where its 68 points are."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = FRONT @ (120 * turn).T + [160, 140]
    picture = np.full((300, 320, 3), 60, np.uint8)
    for rows, colour in ((slice(36, 42), (255, 60, 60)), (slice(42, 48), (60, 255, 60))):
        x, y = points[rows].mean(0)
        cv2.circle(picture, (round(16 * x), round(16 * y)), 8 * 16, colour, -1, cv2.LINE_AA, 4)
    return picture, points


@pytest.mark.parametrize("degrees", [0.0, 90.0, 180.0, -90.0, 35.0])
def test_points_come_back_to_a_face_however_it_is_turned(drawn: Dlib68, degrees: float) -> None:
    """dlib's whole pixels are a two-hundredth of the face's width here: 0.6 of a pixel of the frame, half of it either way."""
    picture, points = draw(degrees)
    five = convert(Landmarks(points, "ibug68"), "five")
    (face,) = drawn.mark(picture, [Face(box_of(points), 0.8, five)])
    assert face is not None
    assert face.landmarks is not None
    np.testing.assert_allclose(face.landmarks.points, points, atol=1.0)
    np.testing.assert_allclose(face.box, box_of(face.landmarks.points))
    assert face.score == 0.8


def test_points_that_move_with_the_box_are_no_face(drawn: Dlib68) -> None:
    picture = np.full((300, 320, 3), 60, np.uint8)
    assert drawn.mark(picture, [Face(np.array([100.0, 80.0, 220.0, 200.0]), 0.9)]) == [None]


@pytest.mark.parametrize(("setting", "named"), [({"spread": 0.0}, "spread"), ({"passes": 0}, "passes")])
def test_settings_out_of_range_are_refused(setting: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Dlib68(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("card", EXTRA_CARDS.values(), ids=lambda c: c.name)
def test_cards_under_other_terms_are_whole_and_apart(card: WeightsCard) -> None:
    assert EXTRA_CARDS[card.name] is card
    assert card.name not in CARDS
    assert re.fullmatch(r"[0-9a-f]{64}", card.sha256)
    assert card.size > 0
    assert "non-commercial" in card.licence
    assert card.licence_url.startswith("https://")
    assert all(source.url.startswith("https://") for source in card.sources if isinstance(source, Url))
    assert card.file not in {other.file for other in CARDS.values()}


@pytest.mark.weights
def test_the_real_trees_agree_with_the_mesh(face_image: Image) -> None:
    """Inner points of two landmarkers that know nothing of each other: within 6 % of the eye distance in the mean."""
    if find(EXTRA_CARDS["dlib_68"])[1] != "present":
        pytest.skip("the weights dlib_68 are not in the cache; they are fetched when asked for")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TermsWarning)
        trees = Dlib68()
    (mesh,) = FaceMesh478().mark(face_image, [Face(np.array([140.0, 150.0, 350.0, 380.0]), 1.0)])
    assert mesh is not None
    assert mesh.landmarks is not None
    (face,) = trees.mark(face_image, [mesh])
    assert face is not None
    assert face.landmarks is not None
    wanted = convert(mesh.landmarks, "ibug68").points
    off = np.hypot(*(face.landmarks.points - wanted)[INNER].T).mean()
    assert off < 0.06 * np.hypot(*(wanted[36] - wanted[45]))
    np.testing.assert_allclose(apply(head_from_points(face.landmarks), wanted)[INNER], FRONT[INNER], atol=0.2)

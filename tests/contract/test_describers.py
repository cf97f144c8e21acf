"""Every describer of the table keeps the contract ``Describer``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bianlian import plugins
from bianlian.errors import InputError
from bianlian.identity import Describer
from bianlian.identity.people import centre, distances
from bianlian.types import Face, Frame, Image
from bianlian.video import frames

pytestmark = [pytest.mark.weights, pytest.mark.parametrize("name", list(plugins.TABLES["describer"]))]
DEMO = Path(plugins.__file__).parent / "data" / "demo"


@cache
def describer(name: str) -> Describer:
    made: Describer = plugins.load("describer", name)()
    return made


def marked(image: Image) -> Face:
    detector, mesh = plugins.load("detector", "blazeface")(), plugins.load("landmarker", "facemesh")()
    face: Face | None = mesh.mark(image, detector.detect([image])[0][:1])[0]
    assert face is not None
    return face


@pytest.fixture(scope="module")
def people() -> dict[str, list[tuple[Image, Face]]]:
    """Five frames of each demo clip, with their faces."""
    found: dict[str, list[tuple[Image, Face]]] = {}
    for clip in ("source", "target"):
        pictures = [f.image for f in frames(DEMO / f"{clip}.mp4") if f.index % 20 == 5][:5]
        found[clip] = [(picture, marked(picture)) for picture in pictures]
    return found


def test_descriptions_have_one_length_and_no_face_gives_none(name: str, face_image: Image) -> None:
    face = marked(face_image)
    one, two, none = (describer(name).describe(face_image, faces) for faces in ([face], [face, face], []))
    assert one.ndim == two.ndim == none.ndim == 2
    assert (len(one), len(two), len(none)) == (1, 2, 0)
    assert one.shape[1] == two.shape[1] == none.shape[1]
    np.testing.assert_array_equal(two[0], two[1])
    np.testing.assert_allclose(one[0], two[0], atol=1e-5)
    assert np.isfinite(one).all()


def test_a_face_without_landmarks_is_refused(name: str, demo_frames: list[Frame]) -> None:
    with pytest.raises(InputError, match="must be marked"):
        describer(name).describe(demo_frames[0].image, [Face(np.array([1.0, 1.0, 9.0, 9.0]), 1.0)])


def test_a_person_is_nearer_to_themselves(name: str, people: dict[str, list[tuple[Image, Face]]]) -> None:
    rows = {who: np.concatenate([describer(name).describe(i, [f]) for i, f in shots]) for who, shots in people.items()}
    across = distances(rows["source"], rows["target"])
    for who in rows:
        own = distances(rows[who], rows[who])[~np.eye(5, dtype=bool)]
        assert own.mean() < 0.8 * across.mean()
        assert np.median(own) < describer(name).same
    means = np.stack([centre(rows["source"]), centre(rows["target"])])
    nearest = [distances(rows[who], means).argmin(1) for who in ("source", "target")]
    assert (nearest[0] == 0).all()
    assert (nearest[1] == 1).all()

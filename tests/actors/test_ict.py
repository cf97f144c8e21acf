"""The head model: found where the user keeps it, in all its forms, and one clear line where it is not."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bianlian.actors.ict import open_model
from bianlian.actors.obj import parse_mesh
from bianlian.errors import WeightsError
from made_head import write_repository


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANLIAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BIANLIAN_ICT", raising=False)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("repo") / "ICT-FaceKit")


def test_the_repository_is_read_as_what_was_packed_of_it(repository: Path, model_folder: Path, tmp_path: Path) -> None:
    found, packed = open_model(str(repository)), open_model(str(model_folder))
    # OBJ files hold six digits, packed shapes half precision: 2^-11 of less than 1 unit.
    np.testing.assert_allclose(found.neutral, packed.neutral, atol=1e-6)
    assert found.expression_names == ("jawOpen",)
    jaw = packed.expression[packed.expression_names.index("jawOpen")]
    for mine, theirs in ((found.identity, packed.identity), (found.expression[0], jaw)):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
    np.testing.assert_array_equal(found.triangles, packed.triangles)
    np.testing.assert_array_equal(found.landmarks, packed.landmarks)
    [kept] = (tmp_path / "cache").glob("ict-*.npz")
    before = kept.stat().st_mtime_ns
    again = open_model(str(repository / "FaceXModel"))
    assert kept.stat().st_mtime_ns == before
    np.testing.assert_array_equal(again.neutral, found.neutral)


def test_a_zip_is_read_without_unpacking_it(repository: Path, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "ict"), "zip", repository.parent))
    np.testing.assert_array_equal(open_model(str(path)).neutral, open_model(str(repository)).neutral)
    assert not (tmp_path / "FaceXModel").exists()


def test_an_address_is_checked_and_kept(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(shutil.make_archive(str(tmp_path / "ict"), "zip", repository.parent)).read_bytes()
    asked = []

    def read(url: str, size: int) -> bytes:
        asked.append(url)
        return data

    monkeypatch.setattr("bianlian.actors.ict.read_url", read)
    right = hashlib.sha256(data).hexdigest()
    for _ in range(2):
        open_model(f"https://example.org/ict.zip#sha256={right}")
    assert asked == ["https://example.org/ict.zip"]
    with pytest.raises(WeightsError, match="has the sha256"):
        open_model(f"https://example.org/ict.zip#sha256={'0' * 64}")
    with pytest.raises(WeightsError, match="must end in #sha256="):
        open_model("https://example.org/ict.zip")
    monkeypatch.setenv("BIANLIAN_OFFLINE", "1")
    with pytest.raises(WeightsError, match="forbids"):
        open_model(f"https://example.org/ict.zip#sha256={'1' * 64}")


def test_without_the_model_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match=r"not part of bianlian.*git clone https://github.com/ICT-VGL/ICT-FaceKit.*BIANLIAN_ICT"):
        open_model()
    monkeypatch.setenv("BIANLIAN_ICT", str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match=r"nowhere does not exist.*git clone"):
        open_model()
    with pytest.raises(WeightsError, match=r"holds no generic_neutral_mesh\.obj and no vertex_indices\.json"):
        open_model(str(tmp_path))


def test_the_environment_names_the_model(model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANLIAN_ICT", str(model_folder))
    assert len(open_model().expression_names) == 25


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"neutral": np.zeros((100, 3))}, "24591 vertices"),
        ({"tri": np.full((5, 3), 10**6), "tri_uv": np.zeros((5, 3))}, "triangles of its vertices"),
        ({"identity": np.zeros((2, 7, 3))}, "shapes for every vertex"),
        ({"expression_names": np.array(["jawOpen"])}, "a name for each expression"),
        ({"uv": np.zeros((3, 2))}, "triangles of its texture points"),
    ],
)
def test_another_model_is_refused(change: dict[str, np.ndarray], says: str, model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder, tmp_path / "m")
    with np.load(model_folder / "ict_facekit_light.npz") as data:
        np.savez(tmp_path / "m" / "ict_facekit_light.npz", **{**dict(data), **change})
    with pytest.raises(WeightsError, match=says):
        open_model(str(tmp_path / "m"))


def test_damage_is_told(model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder, tmp_path / "m")
    (tmp_path / "m" / "vertex_indices.json").write_text(json.dumps({"other": 1}))
    with pytest.raises(WeightsError, match="does not name the head model's landmarks"):
        open_model(str(tmp_path / "m"))
    (tmp_path / "m" / "ict_facekit_light.npz").write_bytes(b"PK\x03\x04 cut")
    shutil.copy(model_folder / "vertex_indices.json", tmp_path / "m")
    with pytest.raises(WeightsError, match="cannot be read as the head model"):
        open_model(str(tmp_path / "m"))
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(WeightsError, match="no folder and no zip"):
        open_model(str(tmp_path / "x.zip"))


def test_a_face_of_four_corners_becomes_two_triangles() -> None:
    mesh = parse_mesh(b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 1\nf 1/1 2/1 3/2 4/1\nf 1/1/7 2/2/7 3/1/7\n", "m.obj")
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]
    assert mesh.texture_triangles.tolist() == [[0, 0, 1], [0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize("text", [b"v 0 0\n", b"v 0 0 x\n", b"v 0 0 0\nf 1 1 1\n"])
def test_what_is_no_obj_is_refused(text: bytes) -> None:
    with pytest.raises(WeightsError, match=r"m\.obj has a"):
        parse_mesh(text, "m.obj")

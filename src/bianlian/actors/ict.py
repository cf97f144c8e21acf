"""ICT-FaceKit's head model, read from where the user keeps it; it is never part of the package.

What may be named (``--ict``, or ``BIANLIAN_ICT``; else ``ict`` in the cache of weights):

- a copy of the project's repository, or its ``FaceXModel``: Wavefront OBJ files, packed once into the cache;
- a zip of that, or an https address of one, which must say its ``#sha256=`` and is kept in the cache;
- a folder with ``ict_facekit_light.npz`` (neutral, identity, expression, expression_names, tri, tri_uv, uv) and
  ``vertex_indices.json``.

Source: R. Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020; MIT licence.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian.actors.layout import VERTICES
from bianlian.actors.obj import Mesh, parse_mesh, parse_vertices
from bianlian.errors import WeightsError
from bianlian.files import open_plain, replacing, sha256_of
from bianlian.weights import cache_dir, offline
from bianlian.weights.sources import read_url

HOME = "https://github.com/ICT-VGL/ICT-FaceKit"
PACKED, INDICES = "ict_facekit_light.npz", "vertex_indices.json"
_MODEL, _NEUTRAL = "FaceXModel", "generic_neutral_mesh.obj"
_MOST_BYTES = 1 << 31
_HOW = f"`git clone {HOME}` gets it (MIT licence); name its folder with --ict or BIANLIAN_ICT"
_KEYS = ("neutral", "identity", "expression", "expression_names", "tri", "tri_uv", "uv")


@dataclass(frozen=True, eq=False)
class HeadModel:
    """The model as it was read. V vertices, F triangles, T texture points.

    neutral (V, 3) float32. identity (K, V, 3), expression (E, V, 3) float32: what a weight of 1 adds to it. expression_names: E.
    triangles, texture_triangles (F, 3) int32: rows of vertices, and of ``texture`` (T, 2), whose x holds the tile's number before
    the point and whose y runs up. landmarks (68,): vertices of the iBUG points.
    """

    neutral: NDArray[np.float32]
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    expression_names: tuple[str, ...]
    triangles: NDArray[np.int32]
    texture_triangles: NDArray[np.int32]
    texture: NDArray[np.float32]
    landmarks: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raise WeightsError unless all fits together."""
        count = len(self.neutral)
        fits = (
            *((self.neutral.shape == (count, 3) and count >= VERTICES, f"{VERTICES} vertices or more"),),
            *((b.ndim == 3 and b.shape[1:] == (count, 3), "shapes for every vertex") for b in (self.identity, self.expression)),
            (len(self.expression_names) == len(self.expression), "a name for each expression"),
            (self.triangles.shape == self.texture_triangles.shape, "texture for every triangle"),
            (bool(len(self.triangles)) and _within(self.triangles, count), "triangles of its vertices"),
            (_within(self.texture_triangles, len(self.texture)), "triangles of its texture points"),
            (self.landmarks.shape == (68,) and _within(self.landmarks, VERTICES), "68 landmark vertices"),
            (all(bool(np.isfinite(x).all()) for x in (self.neutral, self.texture)), "finite numbers"),
        )
        for good, wanted in fits:
            if not good:
                raise WeightsError(f"the head model is not ICT-FaceKit's: it should have {wanted}; {_HOW}")


def open_model(given: str | None = None) -> HeadModel:
    """Read the model. given: a folder, a zip or an address, see above; looked for when None. Raises WeightsError."""
    place = _place(given)
    if (place / PACKED).is_file():
        return _unpacked(place / PACKED, _json(place / INDICES, (place / INDICES).read_bytes))
    if place.is_dir():
        folder = place / _MODEL if (place / _MODEL).is_dir() else place
        files = {p.name: p for p in folder.iterdir() if p.suffix == ".obj" or p.name == INDICES}
        known = [(name, p.stat().st_size, p.stat().st_mtime_ns) for name, p in sorted(files.items())]
        return _packed(place, {name: p.read_bytes for name, p in files.items()}, repr(known))
    return _zipped(place)


def _place(given: str | None) -> Path:
    named = given or os.environ.get("BIANLIAN_ICT") or ""
    if named.startswith("https://"):
        return _fetched(named)
    place = Path(named).expanduser() if named else cache_dir() / "ict"
    if not place.exists():
        what = f"{place} does not exist" if named else "it is not part of bianlian and was not found"
        raise WeightsError(f"rendering people wants the head model ICT-FaceKit; {what}. {_HOW}")
    return place


def _fetched(address: str) -> Path:
    """Fetch a zip into the cache, once, and check it each time."""
    url, _, wanted = address.partition("#sha256=")
    if len(wanted) != 64 or not set(wanted.lower()) <= set("0123456789abcdef"):
        raise WeightsError(f"{url}: an address of the head model must end in #sha256= and the 64 digits of the zip's; or {_HOW}")
    path = cache_dir() / f"ict-{wanted.lower()[:16]}.zip"
    if not path.is_file():
        if offline():
            raise WeightsError(f"the head model of {url} is not in the cache and BIANLIAN_OFFLINE forbids fetching it")
        data = read_url(url, _MOST_BYTES)
        _compare(url, hashlib.sha256(data).hexdigest(), wanted)
        with replacing(path) as part:
            part.write_bytes(data)
    _compare(str(path), sha256_of(path), wanted)
    return path


def _compare(what: str, found: str, wanted: str) -> None:
    if found != wanted.lower():
        raise WeightsError(f"{what} has the sha256 {found}, wanted {wanted}: it was altered, or is another version; remove it")


def _zipped(path: Path) -> HeadModel:
    """Read the model's files out of a zip; nothing is unpacked to disk."""
    try:
        with open_plain(path) as file, zipfile.ZipFile(file) as archive:
            members = {m.filename.rpartition("/")[2]: m for m in archive.infolist() if f"{_MODEL}/" in m.filename}
            if sum(m.file_size for m in members.values()) > _MOST_BYTES:
                raise WeightsError(f"{path} unpacks to more than {_MOST_BYTES >> 20} MB: it is not the head model; {_HOW}")
            known = repr(sorted((name, m.file_size, m.CRC) for name, m in members.items()))
            return _packed(path, {name: lambda m=m: archive.read(m) for name, m in members.items()}, known)  # type: ignore[misc]
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise WeightsError(f"{path} is no folder and no zip of the head model ({error}); {_HOW}") from error


def _packed(place: Path, files: Mapping[str, Callable[[], bytes]], known: str) -> HeadModel:
    """Read OBJ files, or what was packed of the same ones before. known: tells these files from others."""
    missing = [name for name in (_NEUTRAL, INDICES) if name not in files]
    if missing:
        raise WeightsError(f"{place} holds no {' and no '.join(missing)}: it is not ICT-FaceKit's {_MODEL}; {_HOW}")
    indices = _json(place / INDICES, files[INDICES])
    path = cache_dir() / f"ict-{hashlib.sha256(known.encode()).hexdigest()[:16]}.npz"
    if not path.is_file():
        columns = _columns(parse_mesh(files[_NEUTRAL](), _NEUTRAL), files)
        with replacing(path) as part:
            np.savez_compressed(part, **columns)  # type: ignore[arg-type]
    return _unpacked(path, indices)


def _columns(mesh: Mesh, files: Mapping[str, Callable[[], bytes]]) -> dict[str, NDArray[np.generic]]:
    shapes = {}
    for name in sorted(n for n in files if n.endswith(".obj") and n != _NEUTRAL):
        vertices = parse_vertices(files[name](), name)
        if vertices.shape != mesh.vertices.shape:
            raise WeightsError(f"{name} of the head model has not the {len(mesh.vertices)} vertices of {_NEUTRAL}; {_HOW}")
        shapes[name.removesuffix(".obj")] = (vertices - mesh.vertices).astype(np.float16)
    people = [n for n in shapes if n.startswith("identity")]
    others = [n for n in shapes if not n.startswith("identity")]
    if not people or not others:
        raise WeightsError(f"the head model has no identity*.obj or no shapes of expressions; {_HOW}")
    return {
        "neutral": mesh.vertices.astype(np.float32),
        "identity": np.stack([shapes[n] for n in people]),
        "expression": np.stack([shapes[n] for n in others]),
        "expression_names": np.array(others),
        "tri": mesh.triangles,
        "tri_uv": mesh.texture_triangles,
        "uv": mesh.texture.astype(np.float32),
    }


def _unpacked(path: Path, landmarks: NDArray[np.int64]) -> HeadModel:
    try:
        with open_plain(path) as file, np.load(file, allow_pickle=False) as data:
            columns = {key: data[key] for key in _KEYS}
        return HeadModel(
            columns["neutral"].astype(np.float32),
            columns["identity"].astype(np.float32),
            columns["expression"].astype(np.float32),
            tuple(str(name) for name in columns["expression_names"]),
            columns["tri"].astype(np.int32),
            columns["tri_uv"].astype(np.int32),
            columns["uv"].astype(np.float32),
            landmarks,
        )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, TypeError, IndexError, AttributeError) as error:
        raise WeightsError(f"{path} cannot be read as the head model ({error}); remove it, and {_HOW}") from error


def _json(path: Path, read: Callable[[], bytes]) -> NDArray[np.int64]:
    try:
        return np.array(json.loads(read())["idx_to_landmark_verts"], np.int64)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise WeightsError(f"{path} does not name the head model's landmarks ({error}); {_HOW}") from error


def _within(rows: NDArray[np.integer], count: int) -> bool:
    return bool((rows >= 0).all() and (rows < count).all())

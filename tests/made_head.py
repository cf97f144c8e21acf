"""A stand-in for the head model: an ellipsoid with the parts, landmarks and files of ICT-FaceKit, and people on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bianlian.actors.actor import Actor
from bianlian.actors.bank import Fitted, write_people
from bianlian.actors.layout import ATLAS_HEIGHT, ATLAS_WIDTH, EYE_SHELL, PARTS, SIDES, VERTICES
from bianlian.align import template

AXES = np.array([7.0, 10.0, 9.0])
"""Half axes of the head, in the model's units."""
EYES = {"image_left": (-2.7, 2.0), "image_right": (2.7, 2.0)}
"""Where the eyeballs' middles are; of radius 1."""
_PLAIN = (
    *("mouthUpperUp", "mouthLowerDown", "mouthSmile", "browInnerUp", "browOuterUp", "browDown"),
    *("eyeSquint", "cheekSquint", "eyeBlink", "eyeLookUp", "eyeLookDown"),
)
EXPRESSIONS = {
    **{"jawOpen": (0.0, -2.0, 0.0), "mouthFunnel": (0.0, 0.0, 0.5), "mouthPucker": (0.0, 0.0, 0.4)},
    **{f"{name}_{side}": (0.02 * k, 0.1, 0.0) for side in "LR" for k, name in enumerate(_PLAIN)},
}
"""Where each expression moves the landmarks at full weight."""
_SIDE = 97  # 97 x 97 is the number of vertices of the face


def columns() -> dict[str, NDArray[np.generic]]:
    """Make the arrays of ``ict_facekit_light.npz``."""
    neutral, uv = np.zeros((VERTICES, 3)), np.zeros((VERTICES, 2))
    triangles: list[NDArray[np.int64]] = []
    for name, (first, last) in PARTS.items():
        rows = np.arange(first, last + 1)
        if name == "face":
            points, faces = _face()
            # the model's first vertices are its inner face
            order = np.argsort(np.abs(points[:, :2] / AXES[:2]).max(1), kind="stable")
            where = np.argsort(order)
            neutral[rows], uv[rows] = points[order], _flat(points[order])
            triangles.append(first + where[faces])
        elif name.startswith("eye_"):
            x, y = EYES[name.removeprefix("eye_")]
            ball, faces = _ball(np.array([x, y, _front(x, y) - 0.9]))
            neutral[rows], uv[rows] = ball[0], [2.5, 0.5]
            neutral[first : first + EYE_SHELL] = ball
            triangles.append(first + faces)
        else:
            behind = name == "head"
            points, faces = _patch(len(rows), np.array([0.0, 0.0, -9.0] if behind else [0.0, -2.5, 4.0]), -1 if behind else 1)
            neutral[rows], uv[rows] = points, [1.5, 0.5]
            triangles.append(first + faces)
    tri = np.concatenate(triangles)
    return {"neutral": neutral, "tri": tri, "tri_uv": tri, "uv": uv, **_shapes(neutral)}


def landmark_vertices(neutral: NDArray[np.floating]) -> NDArray[np.int64]:
    """Choose 68 vertices of the face that lie like the points of a face."""
    wanted = (template("ibug68", 101, 1.0) / 100 - 0.5) * [11.0, -11.0]
    face = neutral[: PARTS["face"][1] + 1, :2]
    return np.array([((face - p) ** 2).sum(1).argmin() for p in wanted])


def write_model(folder: Path) -> Path:
    """Write the model as one npz and the indices."""
    folder.mkdir(parents=True)
    arrays = columns()
    np.savez(folder / "ict_facekit_light.npz", **arrays)  # type: ignore[arg-type]
    landmarks = landmark_vertices(np.asarray(arrays["neutral"], float))
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": landmarks.tolist()}))
    return folder


def write_repository(folder: Path) -> Path:
    """Write the model as the project's repository has it: an OBJ file each shape; of the expressions ``jawOpen`` alone."""
    arrays, where = columns(), folder / "FaceXModel"
    where.mkdir(parents=True)
    neutral = np.asarray(arrays["neutral"], float)
    shapes = {f"identity{k:03d}": v for k, v in enumerate(np.asarray(arrays["identity"], float))}
    shapes["jawOpen"] = np.asarray(arrays["expression"], float)[list(EXPRESSIONS).index("jawOpen")]
    rest = [f"vt {u:.6f} {v:.6f}" for u, v in np.asarray(arrays["uv"], float)]
    rest += ["f " + " ".join(f"{v + 1}/{v + 1}" for v in face) for face in np.asarray(arrays["tri"])]
    for name, shift in {"generic_neutral_mesh": np.zeros_like(neutral), **shapes}.items():
        lines = ["mtllib a.mtl", *(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in neutral + shift)]
        (where / f"{name}.obj").write_text("\n".join(lines + rest if name.startswith("generic") else lines) + "\n")
    landmarks = landmark_vertices(neutral).tolist()
    (where / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": landmarks}))
    return folder


def texture(seed: int) -> NDArray[np.uint8]:
    """Draw a texture: a skin tone with blobs."""
    rng = np.random.default_rng(seed)
    tone = rng.uniform(90, 200, 3)
    blobs = np.kron(rng.uniform(-25, 25, (24, 36, 1)), np.ones((ATLAS_HEIGHT // 24, ATLAS_WIDTH // 36, 1)))
    return np.asarray(np.clip(tone + blobs, 0, 255), np.uint8)


def write_made_people(path: Path, names: tuple[str, ...] = ("ana", "ben", "cleo")) -> Path:
    """Write some people who differ in shape and texture."""
    fits = [
        Fitted(np.array([1.5 * k, -k], np.float32), np.zeros((68, 3), np.float32), 10.0, np.eye(3, dtype=np.float32),
               np.zeros(2, np.float32), 0.01)
        for k in range(len(names))
    ]  # fmt: skip
    write_people(path, names, fits, [texture(k) for k in range(len(names))], [{} for _ in names])
    return path


def painted(actor: Actor, colour: tuple[int, int, int]) -> Actor:
    """Paint somebody in one colour."""
    return Actor(actor.name, actor.vertices, np.full_like(actor.texture, colour))


def _front(x: float, y: float) -> float:
    return float(AXES[2] * np.sqrt(max(0.0, 1 - (x / AXES[0]) ** 2 - (y / AXES[1]) ** 2)))


def _face() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The front of the ellipsoid; in a square grid, with holes where the eyes are."""
    a, b = np.meshgrid(np.linspace(-1, 1, _SIDE), np.linspace(1, -1, _SIDE))
    x, y = a * np.sqrt(1 - b**2 / 2), b * np.sqrt(1 - a**2 / 2)
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    points = np.stack([x, y, z], 2).reshape(-1, 3) * AXES
    faces = _grid(_SIDE, _SIDE)
    middle = points[faces].mean(1)
    seen = np.ones(len(faces), bool)
    for side in SIDES:
        seen &= np.hypot(*(middle[:, :2] - EYES[side]).T) > 0.8
    return points, faces[seen]


def _grid(rows: int, across: int) -> NDArray[np.int64]:
    """Two triangles each square of a grid, counter-clockwise seen from the front where y falls with the row."""
    k = np.arange(rows * across).reshape(rows, across)
    a, b, c, d = (k[:-1, :-1].ravel(), k[:-1, 1:].ravel(), k[1:, :-1].ravel(), k[1:, 1:].ravel())
    return np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])


def _patch(count: int, middle: NDArray[np.float64], sign: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A flat square 4 units wide that looks to the front, or with -1 to the back; vertices to spare lie in its corner."""
    side = int(np.sqrt(count))
    x, y = np.meshgrid(np.linspace(-2, 2, side) * sign, np.linspace(2, -2, side))
    points = np.full((count, 3), middle - [2 * sign, -2, 0])
    points[: side * side] = np.stack([x, y, np.zeros_like(x)], 2).reshape(-1, 3) + middle
    return points, _grid(side, side)


def _ball(centre: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A half sphere of 27 x 28 vertices and more to spare."""
    a, b = np.meshgrid(np.linspace(-1, 1, 28), np.linspace(1, -1, 27))
    x, y = a * np.sqrt(1 - b**2 / 2), b * np.sqrt(1 - a**2 / 2)
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    points = np.full((EYE_SHELL, 3), centre)
    points[: 27 * 28] = np.stack([x, y, z], 2).reshape(-1, 3) + centre
    points[27 * 28 :] = centre - [0, 0, 1]
    return points, _grid(27, 28)


def _flat(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points[:, :2] / AXES[:2] * 0.45 + 0.5)


def _shapes(neutral: NDArray[np.float64]) -> dict[str, NDArray[np.generic]]:
    wider, longer = np.zeros_like(neutral), np.zeros_like(neutral)
    wider[:, 0], longer[:, 1] = 0.05 * neutral[:, 0], 0.05 * neutral[:, 1]
    face = np.arange(VERTICES) <= PARTS["face"][1]
    lower = face & (neutral[:, 1] < -2)
    expression = [np.where((lower if name == "jawOpen" else face)[:, None], np.array(m), 0) for name, m in EXPRESSIONS.items()]
    return {
        "identity": np.stack([wider, longer]).astype(np.float32),
        "expression": np.stack(expression).astype(np.float16),
        "expression_names": np.array(list(EXPRESSIONS)),
    }

"""Read Wavefront OBJ files: vertices, texture points, and faces of three or four corners, as triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bianlian.errors import WeightsError


@dataclass(frozen=True, eq=False)
class Mesh:
    """vertices (V, 3), texture (T, 2) float64; triangles, texture_triangles (F, 3) int32: rows of them."""

    vertices: NDArray[np.float64]
    texture: NDArray[np.float64]
    triangles: NDArray[np.int32]
    texture_triangles: NDArray[np.int32]


def parse_vertices(data: bytes, name: str) -> NDArray[np.float64]:
    """Read the vertices (V, 3). name: for the error. Raises WeightsError for what is no number."""
    return _numbers(data, b"v", 3, name)


def parse_mesh(data: bytes, name: str) -> Mesh:
    """Read a whole mesh, in which every corner has a texture point. Raises WeightsError."""
    corners: list[list[tuple[int, int]]] = []
    try:
        for line in data.split(b"\n"):
            if line.startswith(b"f "):
                face = [(int(v) - 1, int(t) - 1) for v, t in (c.split(b"/")[:2] for c in line[2:].split())]
                corners += [[face[0], face[k], face[k + 1]] for k in range(1, len(face) - 1)]
        rows = np.array(corners, np.int32).reshape(-1, 3, 2)
    except (ValueError, OverflowError) as error:
        raise WeightsError(f"{name} has a face that is not of the kind `f 1/1 2/2 3/3` ({error}); get the file anew") from error
    return Mesh(parse_vertices(data, name), _numbers(data, b"vt", 2, name), rows[..., 0].copy(), rows[..., 1].copy())


def _numbers(data: bytes, key: bytes, count: int, name: str) -> NDArray[np.float64]:
    rows = [line.split()[1 : 1 + count] for line in data.split(b"\n") if line.startswith(key + b" ")]
    try:
        return np.array([float(x) for row in rows for x in row]).reshape(len(rows), count)
    except ValueError as error:
        raise WeightsError(f"{name} has a line `{key.decode()}` without {count} numbers ({error}); get the file anew") from error

"""The z-buffer: which triangle each sample of a picture shows; compiled loops.

Image x goes right, y down; depth grows towards the camera, so that the larger one wins. The view is orthographic.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bianlian.actors._numba import compiled

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]
EMPTY = -1
"""Triangle of a sample that shows none."""
_FAR = np.float32(-1e9)
_EDGE = 1e-4
"""How far outside a triangle, in its own coordinates, a sample still counts, so that no seam shows."""


@compiled
def vertex_normals(vertices: Floats, triangles: Indices) -> Floats:
    """Average the normals of the triangles around each vertex by their areas. (V, 3), (F, 3) -> (V, 3), of length 1."""
    normals = np.zeros((vertices.shape[0], 3), np.float32)
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz
    for i in range(normals.shape[0]):
        length = math.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-12
        normals[i, 0] /= length
        normals[i, 1] /= length
        normals[i, 2] /= length
    return normals


@compiled
def rasterise(
    points: NDArray[np.float64], depth: NDArray[np.float64], triangles: Indices, height: int, width: int, cull: bool
) -> tuple[Indices, Floats]:
    """Draw triangles into a z-buffer.

    points (V, 2): pixels, centres on integers. depth (V,). cull: draw only triangles that face the camera, which run clockwise on
    the screen -> the triangle of each sample, (H, W) int32, ``EMPTY`` where there is none, and its depth, (H, W).
    """
    nearest = np.full((height, width), _FAR, np.float32)
    index = np.full((height, width), EMPTY, np.int32)
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9 or (cull and area > 0.0):
            continue
        top = max(0, math.ceil(min(y0, y1, y2) - 1e-3))
        bottom = min(height - 1, math.floor(max(y0, y1, y2) + 1e-3))
        left = max(0, math.ceil(min(x0, x1, x2) - 1e-3))
        right = min(width - 1, math.floor(max(x0, x1, x2) + 1e-3))
        if top > bottom or left > right:
            continue
        # The weights of corners 1 and 2, and with them the depth, are linear in x and y.
        inv = 1.0 / area
        w1x, w1y, w2x, w2y = (y2 - y0) * inv, (x0 - x2) * inv, (y0 - y1) * inv, (x1 - x0) * inv
        z0, z1, z2 = depth[a], depth[b] - depth[a], depth[c] - depth[a]
        zx = w1x * z1 + w2x * z2
        for y in range(top, bottom + 1):
            w1 = w1x * (left - x0) + w1y * (y - y0)
            w2 = w2x * (left - x0) + w2y * (y - y0)
            z = z0 + w1 * z1 + w2 * z2
            for x in range(left, right + 1):
                if w1 >= -_EDGE and w2 >= -_EDGE and w1 + w2 <= 1.0 + _EDGE and z > nearest[y, x]:
                    nearest[y, x] = z
                    index[y, x] = k
                w1 += w1x
                w2 += w2x
                z += zx
    return index, nearest


@compiled
def interpolate(index: Indices, points: NDArray[np.float64], triangles: Indices, corners: Floats) -> Floats:
    """Interpolate values over what ``rasterise`` drew. corners (F, 3, C): at their corners -> (H, W, C), 0 where empty."""
    height, width = index.shape
    out = np.zeros((height, width, corners.shape[2]), np.float32)
    for y in range(height):
        for x in range(width):
            k = index[y, x]
            if k < 0:
                continue
            a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
            x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
            inv = 1.0 / ((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0))
            w1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) * inv
            w2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) * inv
            for j in range(corners.shape[2]):
                out[y, x, j] = (1.0 - w1 - w2) * corners[k, 0, j] + w1 * corners[k, 1, j] + w2 * corners[k, 2, j]
    return out


@compiled
def spread_over_mesh(values: Floats, trust: Floats, edges: Indices, rounds: int) -> Floats:
    """Fill values that are not trusted from their neighbours, over and over (Jacobi's iterations of a screened Laplace equation).

    values (V, C); trust (V,) in [0, 1], 0 for unknown; edges (E, 2) -> (V, C).
    """
    count, channels = values.shape
    out = values.copy()
    total, degree = np.zeros((count, channels), np.float32), np.zeros(count, np.float32)
    for e in range(edges.shape[0]):
        degree[edges[e, 0]] += 1.0
        degree[edges[e, 1]] += 1.0
    for _ in range(rounds):
        total[:] = 0.0
        for e in range(edges.shape[0]):
            a, b = edges[e, 0], edges[e, 1]
            for j in range(channels):
                total[a, j] += out[b, j]
                total[b, j] += out[a, j]
        for i in range(count):
            if degree[i] > 0:
                for j in range(channels):
                    out[i, j] = trust[i] * values[i, j] + (1.0 - trust[i]) * total[i, j] / degree[i]
    return out

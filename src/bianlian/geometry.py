"""Pure numpy geometry: fits of point sets, affine chains, boxes. Points are (N, 2) float64 (x, y); matrices (2, 3) float64."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bianlian.errors import InputError
from bianlian.types import Matrix, Points


def umeyama(from_points: ArrayLike, to_points: ArrayLike) -> Matrix:
    """Fit the similarity (rotation, uniform scale, shift; never a reflection) that takes one point set to another.

    from_points, to_points: (N, 2), N >= 2 -> ``to_from`` (2, 3), least squares in the space of ``to_points``.
    Raises InputError on other shapes, on numbers that are not finite, or when all points coincide.
    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.
    """
    p, q = _matched("umeyama", from_points, to_points, 2)
    mean_p, mean_q = p.mean(0), q.mean(0)
    cp, cq = p - mean_p, q - mean_q
    variance = (cp**2).sum() / len(p)
    if variance < 1e-12:
        raise InputError("umeyama wants points that do not all coincide")
    u, d, vt = np.linalg.svd(cq.T @ cp / len(p))
    sign = np.ones(2)
    if (u[0, 0] * u[1, 1] - u[0, 1] * u[1, 0]) * (vt[0, 0] * vt[1, 1] - vt[0, 1] * vt[1, 0]) < 0:
        sign[1] = -1
    rotation = u @ np.diag(sign) @ vt
    scale = float((d * sign).sum() / variance)
    linear = scale * rotation
    return np.concatenate([linear, (mean_q - linear @ mean_p)[:, None]], axis=1)


def procrustes(from_points: ArrayLike, to_points: ArrayLike, *, scale: bool = True) -> Matrix:
    """Fit by ordinary Procrustes analysis: an orthogonal matrix (rotation, or reflection where that fits better), scale, shift.

    from_points, to_points: (N, 2), N >= 2 -> ``to_from`` (2, 3), least squares in the space of ``to_points``. scale: fit a uniform
    scale too ("full"), or keep sizes ("partial"). On points that are no mirror image it is ``umeyama``, which takes care of the
    sign. Raises InputError as ``umeyama``, and for points that all coincide in either set.
    Source: P. Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 1966; names after
    I. Dryden and K. Mardia, "Statistical Shape Analysis".
    """
    p, q = _matched("procrustes", from_points, to_points, 2)
    mean_p, mean_q = p.mean(0), q.mean(0)
    cp, cq = p - mean_p, q - mean_q
    if (cp**2).sum() < 1e-12 * len(p) or (cq**2).sum() < 1e-12 * len(q):
        raise InputError("procrustes wants points that do not all coincide")
    u, d, vt = np.linalg.svd(cq.T @ cp)
    linear = (d.sum() / (cp**2).sum() if scale else 1.0) * (u @ vt)
    return np.concatenate([linear, (mean_q - linear @ mean_p)[:, None]], axis=1)


def affine(from_points: ArrayLike, to_points: ArrayLike) -> Matrix:
    """Fit the affine map (shear and two scales too) that takes one point set to another -> ``to_from`` (2, 3), least squares.

    from_points, to_points: (N, 2), N >= 3. Raises InputError on other shapes, on numbers that are not finite, or when the points
    of either set lie on one line.
    """
    p, q = _matched("affine", from_points, to_points, 3)
    for points in (p, q):
        spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
        if spread[1] <= 1e-9 * max(spread[0], 1e-9):
            raise InputError("affine wants points that do not lie on one line")
    middle = p.mean(0)
    linear = np.linalg.lstsq(p - middle, q - q.mean(0), rcond=None)[0].T
    return np.concatenate([linear, (q.mean(0) - linear @ middle)[:, None]], axis=1)


def apply(to_from: Matrix, points: ArrayLike) -> Points:
    """Map points (N, 2) through ``to_from`` (2, 3) -> (N, 2)."""
    p = np.asarray(points, np.float64)
    return p @ to_from[:, :2].T + to_from[:, 2]


def compose(c_from_b: Matrix, b_from_a: Matrix) -> Matrix:
    """Chain two affine maps -> ``c_from_a`` (2, 3)."""
    linear = c_from_b[:, :2] @ b_from_a[:, :2]
    shift = c_from_b[:, :2] @ b_from_a[:, 2] + c_from_b[:, 2]
    return np.concatenate([linear, shift[:, None]], axis=1)


def invert(to_from: Matrix) -> Matrix:
    """Invert an affine map -> ``from_to`` (2, 3). Raises InputError when it is singular."""
    (a, b, x), (c, d, y) = to_from.tolist()
    area = a * d - b * c
    if abs(area) < 1e-12:
        raise InputError("cannot invert an affine map of zero area")
    return np.array([[d / area, -b / area, (b * y - d * x) / area], [-c / area, a / area, (c * x - a * y) / area]])


def scaling(factor: float) -> Matrix:
    """Resize map between picture sizes with pixel centres on integers: x' = factor * (x + 0.5) - 0.5 -> (2, 3)."""
    shift = 0.5 * factor - 0.5
    return np.array([[factor, 0.0, shift], [0.0, factor, shift]])


def scale_of(to_from: Matrix) -> float:
    """Uniform scale of a similarity: length in ``to`` of a unit vector of ``from``."""
    (a, b, _), (c, d, _) = to_from.tolist()
    return math.sqrt(abs(a * d - b * c))


def box_of(points: ArrayLike) -> NDArray[np.float64]:
    """Smallest box (x1, y1, x2, y2) around points (N, 2)."""
    p = np.asarray(points, np.float64)
    return np.concatenate([p.min(0), p.max(0)])


def iou(a: ArrayLike, b: ArrayLike) -> float:
    """Intersection over union of two boxes (x1, y1, x2, y2), in [0, 1]."""
    left, top, right, bottom = np.asarray(a, np.float64).tolist()
    x1, y1, x2, y2 = np.asarray(b, np.float64).tolist()
    w, h = min(right, x2) - max(left, x1), min(bottom, y2) - max(top, y1)
    if w <= 0 or h <= 0:
        return 0.0
    return float(w * h / ((right - left) * (bottom - top) + (x2 - x1) * (y2 - y1) - w * h))


def ious(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each of many boxes (N, 4) with one (4,), all of some area -> (N,) in [0, 1]."""
    shared = np.clip(np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2]), 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(shared / (areas + (box[2:] - box[:2]).prod() - shared))


def nms(boxes: NDArray[np.float64], scores: NDArray[np.float64], threshold: float) -> list[int]:
    """Greedy non-maximum suppression. boxes (N, 4), scores (N,) -> indices kept, best first; overlap above threshold drops."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(iou(boxes[i], boxes[k]) <= threshold for k in kept):
            kept.append(int(i))
    return kept


def inside_share(box: ArrayLike, width: int, height: int) -> float:
    """Share of a box's area that lies in a picture of ``width`` x ``height`` pixels, in [0, 1]."""
    x1, y1, x2, y2 = np.asarray(box, np.float64)
    w = min(x2, width - 0.5) - max(x1, -0.5)
    h = min(y2, height - 0.5) - max(y1, -0.5)
    if w <= 0 or h <= 0:
        return 0.0
    return float(w * h / ((x2 - x1) * (y2 - y1)))


def _matched(fit: str, from_points: ArrayLike, to_points: ArrayLike, least: int) -> tuple[Points, Points]:
    """Check two point sets of a fit: (N, 2), of equal length, at least so many, finite."""
    p, q = np.asarray(from_points, np.float64), np.asarray(to_points, np.float64)
    if p.shape != q.shape or p.ndim != 2 or p.shape[1] != 2 or len(p) < least:
        raise InputError(f"{fit} wants two (N, 2) point sets of equal length, N >= {least}, got {p.shape} and {q.shape}")
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise InputError(f"{fit} wants finite points, got NaN or infinity")
    return p, q


def thin_plate(at: Points, values: NDArray[np.float64], grid: int, *, stiff: float = 0.0) -> NDArray[np.float32]:
    """Interpolate values (N, 2) between places ``at`` (N, 2) in [0, 1] by a thin-plate spline -> (grid, grid, 2), at the middles of
    that many cells a side.

    stiff: 0 to pass through every value; above that the spline gives way where neighbours disagree. Source: F. L. Bookstein,
    "Principal warps", IEEE PAMI 1989.
    """
    count = len(at)
    flat = np.column_stack([np.ones(count), at])
    system = np.block([[_plate(at, at) + stiff * np.eye(count), flat], [flat.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    middles = (np.arange(grid) + 0.5) / grid
    asked = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    found = _plate(asked, at) @ weights[:count] + np.column_stack([np.ones(len(asked)), asked]) @ weights[count:]
    return found.reshape(grid, grid, 2).astype(np.float32)


def _plate(a: Points, b: Points) -> NDArray[np.float64]:
    """Kernel of the spline: r^2 log r^2 of all distances r, (N, 2) and (M, 2) -> (N, M)."""
    squared = (a[:, None, 0] - b[:, 0]) ** 2 + (a[:, None, 1] - b[:, 1]) ** 2
    return np.asarray(squared * np.log(np.maximum(squared, 1e-12)))

"""Lay a photo over a fitted head as its texture; what the photo does not show, or not well, is filled in over the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.actors.atlas import Texture, fill_nearest, smoothstep
from bianlian.actors.bank import Fitted
from bianlian.actors.behind import behind, outline
from bianlian.actors.eyes import bake_eyes
from bianlian.actors.head import Head, Vertices
from bianlian.actors.layout import ATLAS_HEIGHT, ATLAS_WIDTH, FACE_TILE, HEAD_TILE, PARTS, SKIN_VERTICES
from bianlian.actors.marks import Marks
from bianlian.actors.raster import Floats, rasterise, spread_over_mesh, vertex_normals
from bianlian.types import Image, Points

GREY = np.array([0.299, 0.587, 0.114], np.float32)
_HIDDEN = 0.35
"""How far behind what the photo shows a place may lie, in the model's units, and still be seen."""
_CHEEK_ROWS, _CHEEK_COLUMNS = slice(int(0.35 * FACE_TILE), FACE_TILE // 2), slice(int(0.3 * FACE_TILE), int(0.7 * FACE_TILE))
_ROUNDS = 150


@dataclass(frozen=True, eq=False)
class _View:
    """The head as the photo shows it. xy (V, 2): pixels; depth, facing (V,): towards the camera; nearest (H, W): depth of what is
    seen; doubt (H, W): how much a pixel is of something behind; face (H, W): surely of the face."""

    photo: Image
    xy: Points
    depth: Floats
    facing: Floats
    nearest: Floats
    doubt: Floats
    face: Floats


def bake(head: Head, photo: Image, fitted: Fitted, marks: Marks) -> Texture:
    """Make a texture of a frontal photo (H, W, 3)."""
    vertices = head.shape(fitted.coefficients, fitted.offsets)
    view = _view(head, photo, vertices, fitted, marks)
    where = head.atlas.at_texels(np.concatenate([view.xy, view.depth[:, None], view.facing[:, None]], 1))
    x, y = np.ascontiguousarray(where[..., 0]), np.ascontiguousarray(where[..., 1])
    colour = cv2.remap(photo, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    trust = _trust(head, view, where, colour)
    base = _filled(head, *_at_vertices(head, view, trust))
    for left, size in ((0, FACE_TILE), (FACE_TILE, HEAD_TILE)):  # the charts are symmetric: try the other half
        tile = np.s_[:size, left : left + size]
        other = trust[tile] * np.where(head.atlas.hair_texels[..., 0][tile] > 0.5, 1.0, 0.85)[:, ::-1]
        mirrored = other[:, ::-1, None]
        base[tile] = mirrored * colour[tile][:, ::-1] + (1 - mirrored) * base[tile]
    mixed = colour * trust[..., None] + base * (1 - trust[..., None])
    texture = fill_nearest(np.asarray(np.clip(mixed, 0, 255), np.uint8), head.atlas.index >= 0)
    return bake_eyes(texture, head, photo, vertices, fitted, marks)


def project(vertices: Vertices, fitted: Fitted) -> tuple[Points, Vertices]:
    """Say where vertices (V, 3) lie in the photo (V, 2), and give them turned as there (V, 3)."""
    turned = np.asarray(vertices @ fitted.rotation.T, np.float32)
    xy = turned[:, :2].astype(np.float64) * fitted.scale + fitted.shift
    return xy * [1.0, -1.0], turned


def _view(head: Head, photo: Image, vertices: Vertices, fitted: Fitted, marks: Marks) -> _View:
    height, width = photo.shape[:2]
    xy, turned = project(vertices, fitted)
    corners = head.atlas.skin_triangles
    index, nearest = rasterise(xy, turned[:, 2].astype(np.float64), corners, height, width, True)
    away = behind(photo, marks, (index >= 0).astype(np.uint8)).astype(np.float32)
    doubt = cv2.GaussianBlur(cv2.dilate(away, _square(width / 80)), (0, 0), width / 400)
    face = cv2.erode(outline(marks, photo.shape, 0.12 * height), _square(width / 75)).astype(np.float32)
    return _View(
        photo,
        xy,
        turned[:, 2],
        vertex_normals(turned, corners)[:, 2],
        np.asarray(np.maximum(cv2.dilate(nearest, np.ones((3, 3))), -50.0), np.float32),
        np.asarray(doubt, np.float32),
        np.asarray(cv2.GaussianBlur(face, (0, 0), width / 300), np.float32),
    )


def _trust(head: Head, view: _View, where: Floats, colour: Floats) -> Floats:
    """Say how far each texel (H, W) may be taken from the photo: seen, facing the camera, nothing behind, no loose hair."""
    x, y = np.ascontiguousarray(where[..., 0]), np.ascontiguousarray(where[..., 1])
    trust = (where[..., 2] > cv2.remap(view.nearest, x, y, cv2.INTER_NEAREST) - _HIDDEN).astype(np.float32)
    trust *= smoothstep(where[..., 3] + 0.1 * head.atlas.hair_texels[..., 0], 0.12, 0.45)  # streaks look right on hair alone
    trust *= 1 - smoothstep(_read(view.doubt, x, y), 0.05, 0.5)
    trust *= _bare(colour)
    # Texels of the cheeks that fall outside the face's outline show hair, ear or neck.
    v, u = np.mgrid[:ATLAS_HEIGHT, :ATLAS_WIDTH].astype(np.float32) / FACE_TILE
    cheek = (1 - smoothstep(v, 0.64, 0.70)) * smoothstep(v, 0.30, 0.34) * (1 - smoothstep(np.abs(u - 0.5), 0.33, 0.37))
    trust *= 1 - cheek * (1 - smoothstep(_read(view.face, x, y), 0.2, 0.7))
    return np.asarray(cv2.GaussianBlur(cv2.erode(trust, np.ones((3, 3))), (0, 0), 2.0), np.float32)


def _at_vertices(head: Head, view: _View, trust: Floats) -> tuple[Floats, Floats]:
    """Read the photo at each vertex -> colours (V, 3), and how far they may be trusted (V,)."""
    x, y = (np.ascontiguousarray(view.xy[:, [k]], np.float32) for k in range(2))
    soft = cv2.GaussianBlur(view.photo, (0, 0), view.photo.shape[1] / 300).astype(np.float32)
    colours = cv2.remap(soft, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
    sure = (view.depth > cv2.remap(view.nearest, x, y, cv2.INTER_NEAREST)[:, 0] - _HIDDEN).astype(np.float32)
    sure *= smoothstep(view.facing, 0.2, 0.5) * (_read(view.doubt, x, y)[:, 0] < 0.05)
    spot = np.clip(head.atlas.texel.astype(int), 0, [ATLAS_WIDTH - 1, ATLAS_HEIGHT - 1])
    sure *= trust[spot[:, 1], spot[:, 0]] > 0.6
    return np.asarray(colours, np.float32), np.asarray(sure, np.float32)


def _filled(head: Head, colours: Floats, sure: Floats) -> Floats:
    """Guess skin and scalp (H, W, 3) from the colours of vertices and how sure they are."""
    scalp, known = _scalp(head), sure[:SKIN_VERTICES]
    start = colours.copy()
    for zone in (scalp, ~scalp):  # from the nearest vertex of the same zone that is known
        donors = np.flatnonzero((known > 0.4) & zone)
        if len(donors) < 20:
            donors = np.flatnonzero(known > 0.4)
        elif zone is scalp:  # hair rather than forehead
            level = start[donors].mean(1)
            donors = donors[level <= np.percentile(level, 60)]
        if not len(donors):
            continue
        donors = donors[np.linspace(0, len(donors) - 1, min(len(donors), 2000)).astype(int)]
        for rows in np.array_split(np.flatnonzero((known < 0.02) & zone), 30):
            away = ((head.neutral[rows][:, None] - head.neutral[donors]) ** 2).sum(2)
            start[rows] = start[donors[away.argmin(1)]] if len(rows) else start[rows]
    base = head.atlas.at_texels(spread_over_mesh(start, sure, head.atlas.edges, _ROUNDS))
    return _grained(head, base, scalp)


def _grained(head: Head, base: Floats, scalp: NDArray[np.bool_]) -> Floats:
    """Give filled skin a grain, and filled scalp streaks like hair's."""
    grain = np.random.default_rng(0).normal(0, 1, (*base.shape[:2], 1)).astype(np.float32)
    level = base @ GREY
    skin = float(np.median(level[_CHEEK_ROWS, _CHEEK_COLUMNS])) + 1e-3
    zone = np.zeros((len(head.neutral), 1), np.float32)
    zone[: len(scalp), 0] = scalp
    strand = cv2.GaussianBlur(grain, (0, 0), sigmaX=0.9, sigmaY=7.0)
    depth = 0.04 + 0.2 * smoothstep(1 - level / skin, 0.1, 0.45)
    strand = strand * head.atlas.at_texels(zone)[..., 0] / strand.std() * depth
    return np.asarray(base * (1 + 0.03 * cv2.GaussianBlur(grain, (0, 0), 1.0) + strand)[..., None], np.float32)


def _bare(colour: Floats) -> Floats:
    """Trust (H, W) very dark texels (loose hair, earrings) little where ears and the sides of the neck are."""
    grey = cv2.GaussianBlur(colour @ GREY, (0, 0), 1.5)
    grey = grey / (np.median(grey[_CHEEK_ROWS, _CHEEK_COLUMNS]) + 1e-3)
    out, ear, neck = np.ones(grey.shape, np.float32), int(0.13 * FACE_TILE), int(0.3 * FACE_TILE)
    places = (
        *((slice(int(0.30 * FACE_TILE), int(0.60 * FACE_TILE)), ear, 0.28, 0.5),),
        *((slice(int(0.62 * FACE_TILE), FACE_TILE), neck, 0.3, 0.55),),
    )
    for rows, wide, low, high in places:
        for columns in (slice(0, wide), slice(FACE_TILE - wide, FACE_TILE)):
            out[rows, columns] = smoothstep(grey[rows, columns], low, high)
    return out


def _scalp(head: Head) -> NDArray[np.bool_]:
    """Tell which vertices of the skin have hair where the photo does not show them: above and behind the ears."""
    x, y = head.atlas.texel[:SKIN_VERTICES].T / FACE_TILE
    face = np.arange(SKIN_VERTICES) <= PARTS["face"][1]
    above = (y < 0.06) | ((np.abs(x - 0.5) > 0.36) & (y < 0.30))
    return np.asarray((face & above) | (~face & (head.neutral[:SKIN_VERTICES, 1] > -3.5)))


def _read(plane: Floats, x: Floats, y: Floats) -> Floats:
    """Read a picture (H, W) between its pixels."""
    return np.asarray(cv2.remap(plane, x, y, cv2.INTER_LINEAR), np.float32)


def _square(side: float) -> NDArray[np.uint8]:
    """A kernel of about so many pixels, odd, 3 or more."""
    return np.ones((max(3, int(side)) | 1,) * 2, np.uint8)

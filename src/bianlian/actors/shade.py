"""From triangles to colours: texture, light, gloss, and the averaging of samples into pixels; one compiled loop.

The light model is the plainest that makes faces look right under a light that moves: ambient light plus Lambert's law with a soft
terminator, as skin has, and Blinn's highlight (J. Blinn, "Models of light reflection for computer synthesized pictures", 1977),
small and strong on eyeballs, wide and weak on skin.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bianlian.actors._numba import compiled
from bianlian.actors.layout import EYEBALL, PLAIN
from bianlian.actors.raster import Floats, Indices

HEAD_MASK, INNER_MASK = 128, 255
"""Values of a mask: the rest of the head, and the inner face; 0 is background."""
_WRAP = np.float32(0.35)
_ONE, _HALF, _ZERO, _TOP = np.float32(1), np.float32(0.5), np.float32(0), np.float32(255)
_EYE_SHINE, _SKIN_SHINE, _WET_SHINE = np.float32(70), np.float32(16), np.float32(30)
_DIM, _REST = np.float32(0.55), np.float32(0.45)


@compiled
def _sample(atlas: NDArray[np.uint8], u: np.float32, v: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    """Read the atlas between texels."""
    u = min(max(u, _ZERO), np.float32(atlas.shape[1] - 1.001))
    v = min(max(v, _ZERO), np.float32(atlas.shape[0] - 1.001))
    x, y = np.int32(u), np.int32(v)
    fu, fv = u - np.float32(x), v - np.float32(y)
    p00, p10, p01, p11 = (_ONE - fu) * (_ONE - fv), fu * (_ONE - fv), (_ONE - fu) * fv, fu * fv
    r = p00 * atlas[y, x, 0] + p10 * atlas[y, x + 1, 0] + p01 * atlas[y + 1, x, 0] + p11 * atlas[y + 1, x + 1, 0]
    g = p00 * atlas[y, x, 1] + p10 * atlas[y, x + 1, 1] + p01 * atlas[y + 1, x, 1] + p11 * atlas[y + 1, x + 1, 1]
    b = p00 * atlas[y, x, 2] + p10 * atlas[y, x + 1, 2] + p01 * atlas[y + 1, x, 2] + p11 * atlas[y + 1, x + 1, 2]
    return r, g, b


@compiled
def _shine(h: np.float32, kind: np.uint8) -> np.float32:
    """Raise the cosine to the highlight to the power of its surface: 90 on eyeballs, 30 inside the mouth, 14 on skin."""
    h2 = h * h
    h4 = h2 * h2
    h8 = h4 * h4
    if kind == EYEBALL:
        h16 = h8 * h8
        h64 = (h16 * h16) * (h16 * h16)
        return _EYE_SHINE * h64 * h16 * h8 * h2
    if kind == PLAIN:
        return _WET_SHINE * h8 * h8 * h8 * h4 * h2
    return _SKIN_SHINE * h8 * h4 * h2


@compiled
def shade(
    index: Indices, points: Floats, triangles: Indices, corner_uv: Floats, kind: NDArray[np.uint8], inner: NDArray[np.uint8],
    atlas: NDArray[np.uint8], plain: Floats, normals: Floats, dark: Floats, light: Floats, levels: Floats, tint: Floats,
    step: int, image: NDArray[np.uint8], mask: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Draw what ``rasterise`` found over a picture, in place.

    index (h * step, w * step): of samples, step x step a pixel. points (V, 2): of samples. corner_uv (F, 3, 2): texels. kind,
    inner (F,): how a triangle is drawn, and whether it is of the inner face. plain (F, 3): RGB of those without a texture. normals
    (V, 3). dark (V,): share of the light that comes there. light (3,): unit vector towards it. levels (3,): of ambient light,
    of the light, of gloss. tint (3,): RGB gains. image (h, w, 3), mask (h, w): drawn over.
    """
    height, width = image.shape[0], image.shape[1]
    weight = np.float32(1.0 / (step * step))
    lx, ly, lz = light[0], light[1], light[2]
    length = np.float32(math.sqrt(lx * lx + ly * ly + (lz + 1) * (lz + 1)) + 1e-9)
    hx, hy, hz = lx / length, ly / length, (lz + _ONE) / length  # half-way between the light and the viewer
    ambient, diffuse, gloss = levels[0], levels[1], levels[2]
    last = -1
    way, zone = np.uint8(0), np.uint8(0)
    ax = ay = w1x = w1y = w2x = w2y = _ZERO
    u0 = u1 = u2 = v0 = v1 = v2 = d0 = d1 = d2 = _ZERO
    n0x = n0y = n0z = n1x = n1y = n1z = n2x = n2y = n2z = _ZERO
    for y in range(height):
        for x in range(width):
            red = green = blue = cover = inside = _ZERO
            for sub in range(step * step):
                sy, sx = y * step + sub // step, x * step + sub % step
                k = index[sy, sx]
                if k < 0:
                    continue
                if k != last:  # neighbours mostly show the same triangle
                    last, way, zone = k, kind[k], inner[k]
                    a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
                    ax, ay = points[a, 0], points[a, 1]
                    bx, by, cx, cy = points[b, 0] - ax, points[b, 1] - ay, points[c, 0] - ax, points[c, 1] - ay
                    inv = _ONE / (bx * cy - cx * by)
                    w1x, w1y, w2x, w2y = cy * inv, -cx * inv, -by * inv, bx * inv
                    u0, v0 = corner_uv[k, 0, 0], corner_uv[k, 0, 1]
                    u1, v1, u2, v2 = (
                        corner_uv[k, 1, 0] - u0,
                        corner_uv[k, 1, 1] - v0,
                        corner_uv[k, 2, 0] - u0,
                        corner_uv[k, 2, 1] - v0,
                    )
                    d0, d1, d2 = dark[a], dark[b] - dark[a], dark[c] - dark[a]
                    n0x, n0y, n0z = normals[a, 0], normals[a, 1], normals[a, 2]
                    n1x, n1y, n1z = normals[b, 0] - n0x, normals[b, 1] - n0y, normals[b, 2] - n0z
                    n2x, n2y, n2z = normals[c, 0] - n0x, normals[c, 1] - n0y, normals[c, 2] - n0z
                dx, dy = np.float32(sx) - ax, np.float32(sy) - ay
                w1, w2 = w1x * dx + w1y * dy, w2x * dx + w2y * dy
                nx, ny, nz = n0x + w1 * n1x + w2 * n2x, n0y + w1 * n1y + w2 * n2y, n0z + w1 * n1z + w2 * n2z
                open_ = d0 + w1 * d1 + w2 * d2
                lit = max((nx * lx + ny * ly + nz * lz + _WRAP) / (_ONE + _WRAP), _ZERO)
                level = (ambient + diffuse * lit) * open_
                shine = gloss * _shine(max(nx * hx + ny * hy + nz * hz, _ZERO), way)
                if way == PLAIN:  # the light inside the mouth is reddish
                    dim = _DIM + _REST * open_
                    r, g, b_ = plain[k, 0], plain[k, 1] * dim, plain[k, 2] * dim
                    shine *= open_
                else:
                    r, g, b_ = _sample(atlas, u0 + w1 * u1 + w2 * u2, v0 + w1 * v1 + w2 * v2)
                red += min(_TOP, (r * level + shine) * tint[0])
                green += min(_TOP, (g * level + shine) * tint[1])
                blue += min(_TOP, (b_ * level + shine) * tint[2])
                cover += weight
                inside += weight * zone
            if cover > _ZERO:
                rest = _ONE - cover
                image[y, x, 0] = np.uint8(min(_TOP, red * weight + image[y, x, 0] * rest + _HALF))
                image[y, x, 1] = np.uint8(min(_TOP, green * weight + image[y, x, 1] * rest + _HALF))
                image[y, x, 2] = np.uint8(min(_TOP, blue * weight + image[y, x, 2] * rest + _HALF))
                if cover > _HALF:
                    mask[y, x] = HEAD_MASK
                if inside > _HALF:
                    mask[y, x] = INNER_MASK

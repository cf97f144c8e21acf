"""People: a shape and a texture each; mixes of them, and the ideal face swap as a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.actors.atlas import Texture
from bianlian.actors.head import Head, Vertices
from bianlian.actors.layout import FACE_TILE

_CHEEKS = (slice(int(0.33 * FACE_TILE), int(0.5 * FACE_TILE)), slice(int(0.27 * FACE_TILE), int(0.73 * FACE_TILE)))
"""Texels by which skin tones are matched."""


@dataclass(frozen=True, eq=False)
class Actor:
    """One person: neutral vertices (V, 3) in head space, a texture atlas, and what is known about them."""

    name: str
    vertices: Vertices
    texture: Texture
    info: Mapping[str, object] = field(default_factory=dict)


def mix(head: Head, people: Sequence[Actor], weights: Sequence[float], name: str, rng: np.random.Generator | None = None) -> Actor:
    """Make someone new of some people, whose shapes and textures are weighed; the hair is the heaviest one's.

    rng: draws a little change of tone, brightness and contrast; none when None.
    """
    w = np.asarray(weights, np.float32) / np.float32(np.sum(weights))
    vertices = np.sum([k * p.vertices for k, p in zip(w, people, strict=True)], axis=0)
    mean = np.zeros(people[0].texture.shape, np.float32)
    for k, person in zip(w, people, strict=True):
        mean += k * person.texture
    hair = head.atlas.hair_texels
    texture = mean * (1 - hair) + people[int(w.argmax())].texture * hair
    if rng is not None:
        gain = 1 + rng.normal(0, 0.05) + rng.normal(0, 0.012, 3)
        texture = ((texture - 110) * (1 + rng.normal(0, 0.06)) + 110) * gain
    info = {"parts": [p.name for p in people], "weights": [float(k) for k in w]}
    return Actor(name, np.asarray(vertices, np.float32), _bytes(texture), info)


def swapped(head: Head, target: Actor, source: Actor) -> Actor:
    """Make the ideal face swap: the source's inner face on the target's head, feathered, in the target's skin tone."""
    at_vertices, at_texels = head.atlas.inner_face[:, None], head.atlas.inner_texels
    vertices = target.vertices * (1 - at_vertices) + source.vertices * at_vertices
    skin = source.texture.astype(np.float32)
    skin[:, :FACE_TILE] = toned(source.texture[:, :FACE_TILE], target.texture[:, :FACE_TILE])
    texture = target.texture * (1 - at_texels) + skin * at_texels
    info = {"target": target.name, "source": source.name}
    return Actor(f"{source.name}_on_{target.name}", np.asarray(vertices, np.float32), _bytes(texture), info)


def toned(face: NDArray[np.uint8], like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give one face's texture the skin tone of another's: median and spread of the cheeks in L*a*b*."""
    mine, theirs = (cv2.cvtColor(x, cv2.COLOR_RGB2LAB).astype(np.float32) for x in (face, like))
    (m, s), (m2, s2) = ((np.median(p, axis=0), p.std(0)) for p in (x[_CHEEKS].reshape(-1, 3) for x in (mine, theirs)))
    moved = (mine - m) * np.clip(s2 / (s + 1e-6), 0.75, 1.25) + m2
    return np.asarray(cv2.cvtColor(_bytes(moved), cv2.COLOR_LAB2RGB), np.uint8)


def _bytes(picture: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)

"""Which vertices of ICT-FaceKit are which part of the head, and where each part lies in a texture atlas.

A texture atlas is (768, 1152, 3): the face at x 0..767, the back of the head and the neck at x 768..1151 above, and below it the
eyeball on the image left, then the one on the image right. Numbers are those of the model's own description.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np

Side = Literal["image_left", "image_right"]
SIDES: tuple[Side, Side] = ("image_left", "image_right")

FACE_TILE, HEAD_TILE, EYE_TILE = 768, 384, 192
"""Sides of the square tiles of an atlas, in texels."""
ATLAS_HEIGHT, ATLAS_WIDTH = FACE_TILE, FACE_TILE + HEAD_TILE
EYE_ORIGIN: Mapping[Side, tuple[int, int]] = MappingProxyType(
    {"image_left": (FACE_TILE, HEAD_TILE), "image_right": (FACE_TILE + EYE_TILE, HEAD_TILE)}
)
"""Top-left texel (x, y) of the eyeballs' tiles."""
EYE_SPAN = float(np.radians(75.0))
"""Angle from an eyeball's axis at the border of its tile."""

PARTS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "face": (0, 9408),
        "head": (9409, 11247),
        "mouth_socket": (11248, 13293),
        "socket_image_right": (13294, 13677),
        "socket_image_left": (13678, 14061),
        "gums_tongue": (14062, 17038),
        "teeth": (17039, 21450),
        "eye_image_right": (21451, 23020),
        "eye_image_left": (23021, 24590),
    }
)
"""First and last vertex of the parts that are drawn, in the order of the model."""
VERTICES = 24591
SKIN_VERTICES = 11248
"""Vertices of face and head."""
INNER_FACE = 6706
"""The first so many vertices are the model's "narrow face area"."""
EYE_SHELL = 770
"""The first so many vertices of an eyeball are its outer shell, the only one drawn."""
COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "mouth_socket": (80, 34, 40),
        "socket_image_right": (120, 70, 60),
        "socket_image_left": (120, 70, 60),
        "gums_tongue": (165, 88, 92),
        "teeth": (218, 212, 206),
    }
)
"""RGB of the parts without a texture."""
SKIN, EYEBALL, PLAIN = 0, 1, 2
"""How a triangle is drawn: textured skin, textured and glossy, one colour."""

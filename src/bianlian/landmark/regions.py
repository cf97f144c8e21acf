"""The parts of a face as named sets of points: what masks fill and losses weigh.

Each region of a scheme is a ring: its points in order around it, so that it is an index set and a polygon at once. "right" is the
person's own right. Rings of the face mesh follow its edges; the two halves mirror each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from bianlian.errors import InputError
from bianlian.types import Landmarks, Points

Region = Literal["right_eye", "left_eye", "right_brow", "left_brow", "nose", "mouth", "opening", "face", "right_iris", "left_iris"]
"""Names of the parts. ``mouth`` is the lips' outer edge, ``opening`` their inner one; ``face`` is the outline."""

_IBUG68: Mapping[Region, tuple[int, ...]] = MappingProxyType(
    {
        "right_eye": tuple(range(36, 42)),
        "left_eye": tuple(range(42, 48)),
        "right_brow": tuple(range(17, 22)),
        "left_brow": tuple(range(22, 27)),
        "nose": (27, 31, 32, 33, 34, 35),
        "mouth": tuple(range(48, 60)),
        "opening": tuple(range(60, 68)),
        "face": (*range(17), 26, 25, 24, 19, 18, 17),
    }
)
_MESH468: Mapping[Region, tuple[int, ...]] = MappingProxyType(
    {
        "right_eye": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
        "left_eye": (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
        "right_brow": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
        "left_brow": (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
        "nose": (168, 122, 196, 174, 198, 49, 129, 64, 98, 97, 2, 326, 327, 294, 358, 279, 420, 399, 419, 351),
        "mouth": (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
        "opening": (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
        "face": (
            *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
            *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
        ),
    }
)
_IRISES: Mapping[Region, tuple[int, ...]] = MappingProxyType(
    {"right_iris": (469, 470, 471, 472), "left_iris": (474, 475, 476, 477)}
)

REGIONS: Mapping[str, Mapping[Region, tuple[int, ...]]] = MappingProxyType(
    {
        "five": MappingProxyType({}),
        "ibug68": _IBUG68,
        "mesh468": _MESH468,
        "mesh478": MappingProxyType({**_MESH468, **_IRISES}),
    }
)
"""Scheme -> region -> rows of its ring, in order around it. Five points bound nothing."""


def ring(landmarks: Landmarks, region: Region) -> Points:
    """Give the ring of a region -> (N, 2) frame pixels, in order around it; eyes and lips may bulge inwards.

    Raises InputError for a region that the scheme does not know.
    """
    known = REGIONS[landmarks.scheme]
    if region not in known:
        asked = f"{landmarks.scheme} landmarks do not bound the region {region!r}"
        if region not in get_args(Region):
            raise InputError(f"{asked}; regions are {', '.join(get_args(Region))}")
        raise InputError(f"{asked}; use {' or '.join(s for s, rings in REGIONS.items() if region in rings)}")
    return landmarks.points[list(known[region])]

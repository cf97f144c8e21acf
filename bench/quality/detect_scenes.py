"""Pictures with known faces for ``bench/quality/detect.py``: photos of the London set changed in hard ways, groups, clutter, clips.

A folder of data is laid out as: ``persons/london/ID/neutral.jpg`` beside ``neutral_points189.csv``, ``synthetic/rendered_heads``
with ``NAME.mp4`` beside ``NAME_gt.npz`` (one head, ``landmarks68``) or ``NAME_gt.json`` (a list of heads a frame), ``videos`` with
clips of one person each. Everything drawn comes from a seed, so that each run sees the same pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.geometry import apply, box_of, scaling
from bianlian.types import Image, Matrix, Points
from bianlian.video import frames

_OUTLINE = [*range(71, 87), *range(109, 115), *range(125, 134)]
"""Of the London set's 189 points: brows, jaw and chin, which span the box from brow to chin."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture. boxes: (N, 4) of its faces, squares of the same area where a face is turned; None: only their count is known."""

    image: Image
    boxes: NDArray[np.float64] | None
    count: int


@dataclass(frozen=True, eq=False)
class Person:
    """One photo: picture, box (4,) from brow to chin, weight of the person against the plain background (H, W) in [0, 1]."""

    image: Image
    box: NDArray[np.float64]
    alpha: NDArray[np.float32]


def people(folder: Path) -> list[Person]:
    """Read the London photos, in the order of their names."""
    found = []
    for path in sorted((folder / "persons" / "london").glob("*/neutral.jpg")):
        image = read(path)
        points = np.loadtxt(path.with_name("neutral_points189.csv"), delimiter=",", skiprows=1)
        found.append(Person(image, box_of(points[_OUTLINE]), _alpha(image, points)))
    return found


def read(path: Path) -> Image:
    """Read a picture as RGB."""
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def _alpha(image: Image, points: Points) -> NDArray[np.float32]:
    """Tell the person from the plain background, which reaches both upper corners; what the points span is the person."""
    height, width = image.shape[:2]
    flooded = np.zeros((height + 2, width + 2), np.uint8)
    smooth = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), 1.5), cv2.COLOR_RGB2LAB)
    for x in (2, width - 3):
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (255 << 8)
        cv2.floodFill(smooth, flooded, (x, 2), (0, 0, 0), (40, 5, 6), (40, 5, 6), flags=flags)
    person = 255 - flooded[1:-1, 1:-1]
    cv2.fillConvexPoly(person, cv2.convexHull(points.astype(np.int32)), (255,))
    neck, face = points[[183, 184]].mean(0), np.ptp(points[_OUTLINE, 0])
    body = [neck + face * np.array(at) for at in ((-0.4, -0.2), (0.4, -0.2), (1.0, 0.3), (1.2, 3.0), (-1.2, 3.0), (-1.0, 0.3))]
    cv2.fillConvexPoly(person, np.stack(body).astype(np.int32), (255,))
    return cv2.GaussianBlur(person.astype(np.float32) / 255, (0, 0), 1.5)


def resized(person: Person, face: float) -> tuple[Image, NDArray[np.float64]]:
    """Shrink a photo until its face is ``face`` pixels high -> picture, box."""
    factor = face / (person.box[3] - person.box[1])
    size = tuple(round(factor * n) for n in person.image.shape[1::-1])
    image = cv2.resize(person.image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8), apply(scaling(factor), person.box.reshape(2, 2)).ravel()


def upright(person: Person, face: float) -> Scene:
    """Show the photo, small."""
    image, box = resized(person, face)
    return Scene(image, box[None], 1)


def rotated(person: Person, face: float, degrees: float) -> Scene:
    """Show the photo turned in the plane, its border going on."""
    image, box = resized(person, face)
    height, width = image.shape[:2]
    turn: Matrix = np.asarray(cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0), np.float64)
    turned = cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    centre = apply(turn, (box[None, :2] + box[None, 2:]) / 2)[0]
    half = np.sqrt((box[2] - box[0]) * (box[3] - box[1])) / 2
    return Scene(np.asarray(turned, np.uint8), np.concatenate([centre - half, centre + half])[None], 1)


def dark(person: Person, face: float, light: float, rng: np.random.Generator) -> Scene:
    """Show the photo at a share of its light, with a camera's noise."""
    image, box = resized(person, face)
    noisy = image * light + rng.normal(0, 4, image.shape)
    return Scene(np.clip(noisy, 0, 255).astype(np.uint8), box[None], 1)


def covered(person: Person, face: float, side: str, rng: np.random.Generator) -> Scene:
    """Show the photo with the left, right or lower half of the face behind something coarse."""
    image, box = resized(person, face)
    x1, y1, x2, y2 = box
    wide, high = x2 - x1, y2 - y1
    middle = (x1 + x2) / 2
    left, right = middle if side == "right" else x1 - wide, middle if side == "left" else x2 + wide
    top = (y1 + y2) / 2 if side == "lower" else y1 - high
    patch = image[max(0, round(top)) : round(y2 + high), max(0, round(left)) : max(0, round(right))]
    coarse = rng.integers(40, 200, (3, 3, 3), dtype=np.uint8)
    patch[...] = cv2.resize(coarse, patch.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return Scene(image, box[None], 1)


def clutter(width: int, height: int, rng: np.random.Generator, cuts: list[Image]) -> Image:
    """Draw a crowded background: pieces of pictures without a face at random sizes, discs, bars and gratings."""
    picture = cv2.resize(rng.integers(30, 220, (9, 12, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        side = int(rng.integers(40, max(60, min(width, height) // 2)))
        x, y = int(rng.integers(-side // 2, width - side // 2)), int(rng.integers(-side // 2, height - side // 2))
        kind = rng.integers(6)
        colour = [int(c) for c in rng.integers(0, 255, 3)]
        if kind < 3 and cuts:
            _lay(picture, _piece(cuts[int(rng.integers(len(cuts)))], side, rng), x, y)
        elif kind == 3:
            cv2.ellipse(
                picture, (x + side // 2, y + side // 2), (side // 4, side // 3), float(rng.uniform(0, 180)), 0, 360, colour, -1
            )
        elif kind == 4:
            cv2.rectangle(picture, (x, y), (x + side // 3, y + side), colour, -1)
        else:
            ramp = np.sin(np.arange(side) * rng.uniform(0.2, 1.2))[:, None] * 60 + 120
            _lay(picture, np.repeat(np.tile(ramp, (1, side))[..., None], 3, axis=2).astype(np.uint8), x, y)
    noisy = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.2))) + rng.normal(0, 3, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _piece(image: Image, side: int, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    taken = int(rng.integers(min(height, width) // 4, min(height, width)))
    x, y = int(rng.integers(0, width - taken + 1)), int(rng.integers(0, height - taken + 1))
    return np.asarray(cv2.resize(image[y : y + taken, x : x + taken], (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _lay(picture: Image, piece: Image, x: int, y: int) -> None:
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = max(0, x), max(0, y), min(width, x + piece.shape[1]), min(height, y + piece.shape[0])
    if x1 < x2 and y1 < y2:
        picture[y1:y2, x1:x2] = piece[y1 - y : y2 - y, x1 - x : x2 - x]


def group(
    crowd: list[Person], width: int, height: int, sizes: tuple[float, float], rows: int, rng: np.random.Generator, cuts: list[Image]
) -> Scene:
    """Stand people in rows before clutter; sizes: height in pixels of the faces in the last and the first row."""
    picture, boxes = clutter(width, height, rng, cuts).astype(np.float32), []
    for row in range(rows):
        face = sizes[0] + (sizes[1] - sizes[0]) * row / max(rows - 1, 1)
        y = height * (0.14 + 0.7 * row / rows)
        x = face * rng.uniform(1.0, 2.5)
        while x < width - 1.2 * face:
            person = crowd[int(rng.integers(len(crowd)))]
            box = _stand(picture, person, face * rng.uniform(0.9, 1.1), (x, y + face * rng.uniform(-0.3, 0.3)), rng)
            boxes.append(box)
            x += face * rng.uniform(2.5, 4.0)
    noisy = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 88])
    seen = _visible(np.stack(boxes), width, height)
    return Scene(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8), seen, len(seen))


def _visible(boxes: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Keep the boxes of which a later one does not cover more than a third."""
    kept = []
    for k, box in enumerate(boxes):
        later = boxes[k + 1 :]
        sides = np.minimum(later[:, 2:], box[2:]) - np.maximum(later[:, :2], box[:2] - [0, (box[3] - box[1])])
        inside = box[0] > 0 and box[1] > 0 and box[2] < width and box[3] < height
        if inside and (np.clip(sides, 0, None).prod(axis=1) / np.prod(box[2:] - box[:2])).max(initial=0) < 1 / 3:
            kept.append(box)
    return np.stack(kept)


def _stand(
    picture: NDArray[np.float32], person: Person, face: float, at: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a person into the picture, tilted and lit a little by chance -> the face's box."""
    height, width = picture.shape[:2]
    image, box = resized(person, face)
    alpha = cv2.resize(person.alpha, image.shape[1::-1], interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        image, alpha = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(alpha[:, ::-1])
        box = np.array([image.shape[1] - 1 - box[2], box[1], image.shape[1] - 1 - box[0], box[3]])
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    turn = np.asarray(cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), float(rng.normal(0, 7)), 1.0), np.float64)
    image, alpha = (cv2.warpAffine(layer, turn, image.shape[1::-1], flags=cv2.INTER_LINEAR) for layer in (image, alpha))
    light = rng.uniform(0.55, 1.1) * rng.uniform(0.93, 1.07, 3)
    x, y = (round(float(v)) for v in np.array(at) - centre)
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = max(0, x), max(0, y), min(width, x + image.shape[1]), min(height, y + image.shape[0])
    there, inside = (slice(y1, y2), slice(x1, x2)), (slice(y1 - y, y2 - y), slice(x1 - x, x2 - x))
    share = alpha[inside][..., None]
    picture[there] = picture[there] * (1 - share) + share * image[inside] * light
    return np.concatenate([centre - half, centre + half]) + np.tile([x, y], 2)


def rendered(folder: Path, step: int) -> Iterator[Scene]:
    """Read every ``step``-th frame of the rendered clips of one head."""
    for truth in sorted((folder / "synthetic" / "rendered_heads").glob("*_gt.npz")):
        points = np.load(truth)["landmarks68"]
        for frame in frames(truth.with_name(truth.name.replace("_gt.npz", ".mp4")), every=step):
            yield Scene(frame.image, _boxes([points[frame.index]]), 1)


def pairs(folder: Path, step: int) -> Iterator[Scene]:
    """Read every ``step``-th frame of the rendered clips of several heads, frames without a head too."""
    for truth in sorted((folder / "synthetic" / "rendered_heads").glob("*_gt.json")):
        heads = json.loads(truth.read_text(encoding="utf-8"))
        for frame in frames(truth.with_name(truth.name.replace("_gt.json", ".mp4")), every=step):
            points = [np.array(head["landmarks68"], np.float64) for head in heads[frame.index]]
            yield Scene(frame.image, _boxes(points), len(points))


def _boxes(faces: list[Points]) -> NDArray[np.float64]:
    return np.stack([box_of(points) for points in faces]) if faces else np.zeros((0, 4))


def bodies(folder: Path) -> Iterator[Image]:
    """Cut clothes and hands, but no face, out of photos and clips: what lies below the faces."""
    for person in people(folder):
        yield person.image[round(1.25 * person.box[3] - 0.25 * person.box[1]) :]
    for path in sorted((folder / "videos").glob("intel_asl*/*.mkv")):
        for frame in frames(path, every=15):
            yield frame.image[round(frame.image.shape[0] * 0.6) :]
    for path in sorted((folder / "detect").glob("solvay*.jpg")):
        image = read(path)
        height, width = image.shape[:2]
        for column in range(6):
            yield image[round(0.48 * height) : round(0.88 * height), column * width // 6 : (column + 1) * width // 6]


def clips(folder: Path, step: int) -> Iterator[Scene]:
    """Read every ``step``-th frame of the clips of one person each; where the face is, nobody has marked."""
    for path in sorted(p for p in (folder / "videos").glob("*/*") if p.suffix in (".mkv", ".mp4", ".mpg")):
        for frame in frames(path, every=step):
            yield Scene(frame.image, None, 1)

"""Tell the head from what is behind it in a portrait, so that no wallpaper gets into a texture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian.actors.marks import Marks
from bianlian.types import Image

SIDE = 360
"""Longer side of the picture in which this is decided, pixels."""
_ROUNDS = 4
_LIFT = 0.55
"""How far above the brows the face surely is, in heights from brows to chin."""


def outline(marks: Marks, shape: tuple[int, ...], lift: float) -> NDArray[np.uint8]:
    """Fill the face (H, W) with 1: inside the line of the jaw, up to ``lift`` pixels above the brows."""
    up = np.array([[0.0, -lift]])
    polygon = np.concatenate([marks.jaw, marks.jaw[[-1]] + up, marks.brows[::-1] + up, marks.jaw[[0]] + up])
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], [1])
    return mask


def behind(photo: Image, marks: Marks, head: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell what is behind a person (H, W). photo (H, W, 3); head (H, W): 1 where the fitted head lies.

    GrabCut (C. Rother et al., SIGGRAPH 2004), started from the fitted head and the edges of the picture beside and above it; below
    the neck nothing is behind, whatever the person wears.
    """
    height, width = photo.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.ascontiguousarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA)[..., ::-1])
    labels = np.asarray(cv2.resize(_seeds(marks, head), size, interpolation=cv2.INTER_NEAREST), np.uint8)
    if not ((labels == cv2.GC_BGD).any() and (labels == cv2.GC_FGD).any()):
        return np.zeros((height, width), bool)
    cv2.setRNGSeed(0)
    cv2.grabCut(small, labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_MASK)
    away = np.isin(labels, (cv2.GC_BGD, cv2.GC_PR_BGD)).astype(np.uint8)
    large = cv2.resize(cv2.dilate(away, np.ones((3, 3), np.uint8)), (width, height), interpolation=cv2.INTER_LINEAR)
    large[round(_bottom(marks)) :] = 0
    return np.asarray(large > 0)


def _seeds(marks: Marks, head: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mark (H, W) what is surely and what is likely the person or not, in GrabCut's labels."""
    height, width = head.shape
    tall = _tall(marks)
    labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    around = cv2.dilate(head, np.ones((3, 3), np.uint8), iterations=max(1, round(0.18 * tall)))
    labels[around == 0] = cv2.GC_BGD
    labels[cv2.dilate(head, np.ones((3, 3), np.uint8), iterations=max(1, round(0.05 * tall))) > 0] = cv2.GC_PR_FGD
    shrunk = cv2.erode(outline(marks, head.shape, _LIFT * tall), np.ones((3, 3), np.uint8), iterations=max(1, round(0.04 * tall)))
    labels[shrunk > 0] = cv2.GC_FGD
    labels[round(_bottom(marks)) :] = cv2.GC_PR_FGD
    return labels


def _tall(marks: Marks) -> float:
    """Height from the brows to the chin, pixels."""
    return float(max(marks.jaw[:, 1].max() - marks.brows[:, 1].mean(), 4.0))


def _bottom(marks: Marks) -> float:
    """Row below which all is the person."""
    return float(np.clip(marks.jaw[:, 1].max() + 0.35 * _tall(marks), 0, 1e6))

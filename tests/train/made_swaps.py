"""Made swaps for tests: coloured noise as a ready file holds it, and a network small enough for seconds of training."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from bianlian.model.faceshifter.config import AeiConfig
from bianlian.train.swaps import Swaps
from bianlian.types import Image

TINY = AeiConfig(size=32, down=(8, 16, 16), up=(16, 16, 16, 16), look=8, identity=16, maps=3, output="change")


def noise(seed: int, side: int = 256) -> Image:
    blurred = cv2.GaussianBlur(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8), (0, 0), 9)
    return np.asarray(cv2.normalize(blurred, blurred, 0, 255, cv2.NORM_MINMAX), np.uint8)


def columns(name: str, pictures: list[Image]) -> dict[str, NDArray[np.generic]]:
    blobs = [cv2.imencode(".jpg", p[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].ravel() for p in pictures]
    return {name: np.concatenate(blobs), f"{name.removesuffix('_jpeg')}_end": np.array(list(accumulate(map(len, blobs))))}


def make_swaps(folder: Path) -> Swaps:
    """Write three swaps as a ready file holds them: the answer is darker than the target by a third."""
    target, source = [noise(k) for k in range(3)], [noise(k + 9) for k in range(3)]
    truth = [np.asarray(p // 3 * 2, np.uint8) for p in target]
    place, points = np.eye(2, 3), np.random.default_rng(1).uniform(80, 176, (68, 2)).astype(np.float32)
    described = np.full(128, 0.1, np.float32)
    rows: dict[str, NDArray[Any]] = {"target_place": place, "source_place": place, "described": described}
    rows |= {"points": points, "source_points": points[::-1], "truth_points": points}
    data = {**columns("target", target), **columns("source", source), **columns("truth", truth)}
    data |= {name: np.stack([value] * 3) for name, value in rows.items()}
    save_file({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in data.items()}, folder / "made.safetensors")
    return Swaps([folder / "made.safetensors"])

"""Which perceptual network tells a wrong face from a harmless change? On rendered swaps whose truth is known.

For each pair TRUTH.mp4 TARGET.mp4 (the source's face on the target's head, and the target itself, frame by frame alike) the
distance of a frame to the truth is measured for: the target (another person, same pose and light), the truth blurred as training
leaves it, and three changes that a viewer forgives: moved by a pixel, 8 % brighter, JPEG 60. A good network finds the first two far
larger.
Printed: distances in units of the mean of the three harmless ones, and how often a frame's wrong face is further than its worst
harmless change. ``l1`` is the plain difference, to compare.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from bianlian import align
from bianlian.detect.blazeface import BlazeFace
from bianlian.landmark.facemesh import FaceMesh
from bianlian.model.gan_config import GanWeights
from bianlian.model.gan_losses import feature_distance, l1
from bianlian.model.perceptual import open_perceptual
from bianlian.train.batches import to_tensor
from bianlian.types import Image
from bianlian.video import frames

SIZE = 128
Distance = Callable[[Tensor, Tensor], Tensor]


def crops(truth: Path, target: Path, every: int) -> list[tuple[Image, Image]]:
    """Cut the same place out of every n-th frame of both clips, where the target's face is."""
    detector, mesh = BlazeFace(), FaceMesh()
    found = []
    for one, other in zip(frames(truth), frames(target), strict=False):
        if one.index % every:
            continue
        faces = mesh.mark(other.image, detector.detect([other.image])[0][:1])
        if faces and faces[0] is not None and faces[0].landmarks is not None:
            crop_from_frame = align.crop_from_frame(faces[0].landmarks, SIZE)
            found.append((align.cut(one.image, crop_from_frame, SIZE).image, align.cut(other.image, crop_from_frame, SIZE).image))
    return found


def changed(truth: Image) -> dict[str, Image]:
    """Make the changed pictures of one truth."""
    jpeg = cv2.imencode(".jpg", truth, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    moved = cv2.warpAffine(truth, np.array([[1.0, 0, 0.7], [0, 1.0, 0.7]]), (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    return {
        "moved": np.asarray(moved, np.uint8),
        "brighter": np.clip(truth * 1.08, 0, 255).astype(np.uint8),
        "jpeg": np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8),
        "blurred": np.asarray(cv2.GaussianBlur(truth, (0, 0), 1.6), np.uint8),
    }


def distance(name: str, file: str) -> Distance:
    """Give the distance that the GAN's loss measures with a network."""
    if name == "l1":
        return l1
    network, weights = open_perceptual(name, file), GanWeights().perceptual
    return lambda a, b: feature_distance(network(a), network(b), weights)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path, help="truth and target in turns: TRUTH.mp4 TARGET.mp4 ...")
    parser.add_argument("--networks", nargs="+", default=["l1", "base", "dlib"])
    parser.add_argument("--file", default="", help="weights of vgg16 or vggface")
    parser.add_argument("--every", type=int, default=12)
    given = parser.parse_args()
    pairs = [p for k in range(0, len(given.clips), 2) for p in crops(given.clips[k], given.clips[k + 1], given.every)]
    print(f"{len(pairs)} frames; distances in units of the mean harmless change")
    heads = (("moved", 9), ("brighter", 10), ("jpeg", 9), ("blurred", 9), ("other", 9), ("other is further", 18), ("ms a pair", 11))
    print("network   " + "".join(f"{head:>{width}}" for head, width in heads))
    for name in given.networks:
        measure = distance(name, given.file if name.startswith("vgg") else "")
        rows, began = [], time.perf_counter()
        for truth, target in pairs:
            seen = {**changed(truth), "other": target}
            with torch.no_grad():
                exact = to_tensor(truth[None])
                rows.append([float(measure(to_tensor(picture[None]), exact)) for picture in seen.values()])
        spent = 1e3 * (time.perf_counter() - began) / (5 * len(rows))
        table = np.array(rows)
        unit = table[:, :3].mean()
        means = "".join(f"{v:{w}.2f}" for v, w in zip(table.mean(0) / unit, (9, 10, 9, 9, 9), strict=True))
        print(f"{name:<10}{means}{100 * (table[:, 4] > table[:, :3].max(1)).mean():>16.0f} %{spent:>11.1f}", flush=True)


if __name__ == "__main__":
    main()

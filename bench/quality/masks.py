"""Masks against rendered truth, by what is in front of the face.

Takes a folder of the head renderer's clips, named KIND_PERSON: KIND_PERSON.mp4, KIND_PERSON_mask.mp4, and KIND_PERSON_occlusion.mp4
where something is in front, made by ``video PERSON KIND_PERSON --occluder KIND``. Faces are found and marked as a swap does it.
With --run and --to the mask that a trained model draws of its own is measured too, inside the hull.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from bianlian import align, plugins
from bianlian.mask import Masker
from bianlian.mask.learned import LearnedMask
from bianlian.mask.regions import Hull, WholeFace
from bianlian.swap.settings import SwapSettings
from bianlian.swap.swapper import CompiledSwapper, open_swapper
from bianlian.types import Image, Landmarks, Mask
from bianlian.video import frames

Bits = NDArray[np.bool_]


class Own:
    """The mask that a trained model draws, inside the hull."""

    def __init__(self, swapper: CompiledSwapper) -> None:
        self._swapper, self._hull = swapper, Hull(erode=0, feather=0)

    def mask(self, images: Sequence[Image], landmarks: Sequence[Landmarks]) -> list[Mask]:
        """Mask one face in each picture, see ``Masker``."""
        masks = []
        for image, marks, hull in zip(images, landmarks, self._hull.mask(images, landmarks), strict=True):
            there = align.crop_from_frame(marks, self._swapper.size, self._swapper.coverage)
            _, own = self._swapper.swap(align.cut(image, there, self._swapper.size).image[None])
            back = cv2.warpAffine(own[0], there, hull.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            masks.append(np.asarray(back * hull, np.float32))
        return masks


def shown(clip: Path) -> Iterator[tuple[Image, Bits, Bits]]:
    """Read a clip -> picture, where the inner face shows, where it is hidden."""
    inner = frames(clip.with_name(f"{clip.stem}_mask.mp4"))
    path = clip.with_name(f"{clip.stem}_occlusion.mp4")
    front = frames(path) if path.exists() else None
    for frame, mask in zip(frames(clip), inner, strict=True):
        face = mask.image[..., 0] > 192
        hidden = face & (next(front).image[..., 0] > 127) if front else np.zeros_like(face)
        yield frame.image, face & ~hidden, hidden


def iou(mask: Bits, truth: Bits) -> float:
    """Intersection over union."""
    return float((mask & truth).sum() / max((mask | truth).sum(), 1))


def main() -> None:
    """Print IoU by what is in front, and how much of what is hidden each mask takes for face."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path, help="folder of clips, see above")
    parser.add_argument("--run", type=Path, help="trained run whose own mask is measured")
    parser.add_argument("--to", help="the person of it")
    given = parser.parse_args()
    folder: Path = given.clips
    settings = SwapSettings()
    detector, landmarker = plugins.load("detector", settings.detector)(), plugins.load("landmarker", settings.landmarker)()
    learned = LearnedMask()
    maskers: dict[str, Masker] = {"hull": Hull(erode=0, feather=0), "face": WholeFace(feather=0), "learned": learned}
    if given.run:
        maskers["own"] = Own(open_swapper(given.run, given.to))
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    leaks: dict[tuple[str, str], list[float]] = defaultdict(list)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    taken: tuple[Image, Landmarks] | None = None
    for clip in sorted(folder.glob("*.mp4")):
        if clip.stem.endswith(("_mask", "_occlusion")):
            continue
        kind = clip.stem.partition("_")[0]
        for image, truth, hidden in shown(clip):
            counts[kind][0] += 1
            faces = sorted(detector.detect([image])[0], key=lambda f: -f.area)[:1]
            marked = landmarker.mark(image, faces)
            if not marked or marked[0] is None or marked[0].landmarks is None:
                counts[kind][1] += 1
                continue
            taken = image, marked[0].landmarks
            for name, masker in maskers.items():
                mask = masker.mask([image], [marked[0].landmarks])[0] >= 0.5
                scores[kind, name].append(iou(mask, truth))
                if hidden.sum() > 100:
                    leaks[kind, name].append(float((mask & hidden).sum() / hidden.sum()))
    head = ["in front", "frames", "no face found", *(f"IoU {name}" for name in maskers), *(f"hidden in {name}" for name in maskers)]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for kind, (count, missed) in sorted(counts.items()):
        row = [f"{mean(scores[kind, name]):.3f}" if scores[kind, name] else "-" for name in maskers]
        row += [f"{100 * mean(leaks[kind, name]):.0f} %" if leaks[kind, name] else "-" for name in maskers]
        print(f"| {kind} | {count} | {missed} | {' | '.join(row)} |")
    if taken is not None:
        learned.mask([taken[0]], [taken[1]])
        began = perf_counter()
        for _ in range(50):
            learned.mask([taken[0]], [taken[1]])
        print(f"\nlearned mask: {(perf_counter() - began) * 20:.1f} ms a face, cut, network and way back into the frame")


if __name__ == "__main__":
    main()

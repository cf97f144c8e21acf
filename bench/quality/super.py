"""What is gained by finishing a face at more than twice the network's resolution, on rendered truth.

usage: python bench/quality/super.py FOLDER... [--every 10] [--frames 10] [--sides 1 2 3 4]

FOLDER holds target.mp4 and truth_face.mp4 (the same performance with another person's inner face: the truth). What is pasted is the
truth itself, cut at the network's 128 px, plain and blurred by 1.2 px (a network's picture is softer than its pixels allow), and
finished at 1, 2, 3 and 4 times that: enlarged, refined (``swap.refine``), fitted and pasted as a swap does it. Printed for each:
L1 to the truth under the mask (grey levels), sharpness (variance of the Laplacian over the truth's) and the refiner's milliseconds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import islice
from pathlib import Path
from time import process_time

import cv2
import numpy as np

from bianlian import align, plugins
from bianlian.geometry import scale_of
from bianlian.mask.hull import hull_mask
from bianlian.swap.analyse import analyse
from bianlian.swap.fine import resized
from bianlian.swap.paste import Finish, paste
from bianlian.swap.plan import make_plan
from bianlian.swap.refine import CompiledRefiner
from bianlian.swap.settings import SwapSettings
from bianlian.swap.sharpen import laplacian_spread
from bianlian.swap.stages import cut_under
from bianlian.video import frames, probe

SIZE = 128


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[1, 2, 3, 4], help="of the finished crop, in sides of the network's"
    )
    asked = parser.parse_args()
    settings, rows, scales = SwapSettings(), defaultdict[tuple[float, int, float], list[tuple[float, ...]]](list), []
    refiners = {side: CompiledRefiner(side * SIZE) for side in asked.sides}
    for folder in asked.folders:
        target = folder / "target.mp4"
        parts = [plugins.load(kind, getattr(settings, kind))() for kind in ("detector", "landmarker", "describer")]
        names = (settings.detector, settings.landmarker, settings.describer)
        plan = make_plan(analyse(target, probe(target), *parts, names=names), settings, size=SIZE, coverage=align.COVERAGE)
        films = zip(frames(target, every=asked.every), frames(folder / "truth_face.mp4", every=asked.every), strict=False)
        for old, right in islice(films, asked.frames):
            for place in plan.places.get(old.index, ())[:1]:
                scales.append(1 / scale_of(place.crop_from_frame))
                small, under = (align.cut(f.image, place.crop_from_frame, SIZE) for f in (right, old))
                mask = hull_mask(place.outline, old.image.shape[:2], erode=settings.erode, feather=settings.feather)
                inside = mask > 0.5
                truth = laplacian_spread(right.image, mask)
                for blur in (0.0, 1.2):
                    drawn = small.image if blur == 0 else np.asarray(cv2.GaussianBlur(small.image, (0, 0), blur), np.uint8)
                    for side in asked.sides:
                        at = cut_under(old.image, under, side * SIZE)
                        large = resized(drawn[None], side * SIZE, cv2.INTER_CUBIC)
                        for share in (0.0, 0.6, 1.0):
                            start = process_time()
                            face = refiners[side](large, at.image[None], share)[0]
                            spent = process_time() - start
                            out = paste(old.image, at, face, np.ones(face.shape[:2], np.float32), place.outline, Finish())
                            error = np.abs(out.astype(np.float32) - right.image)[inside].mean()
                            sharp = (laplacian_spread(out, mask) / truth) ** 2
                            rows[blur, side, share].append((float(error), sharp, 1e3 * spent))
    print(f"{len(scales)} faces, enlarged {min(scales):.1f} to {max(scales):.1f} times")
    print("| blur | side | share | L1 | sharpness | ms |\n| --- | --- | --- | --- | --- | --- |")
    for (blur, side, share), values in rows.items():
        error, sharp, spent = np.mean(values, axis=0)
        print(f"| {blur} | {side * SIZE} | {share} | {error:.2f} | {sharp:.2f} | {spent:.0f} |")


if __name__ == "__main__":
    main()

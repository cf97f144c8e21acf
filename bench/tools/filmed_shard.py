"""Pictures and clips of people whose faces nothing hides as a shard for ``bianlian pretrain --what mask``: filmed skin and light.

usage: python bench/tools/filmed_shard.py OUT.npz FILE... [--every 10]

Nobody drew the truth of these. It is the hull of the landmarks, right because nothing is in front, joined with what the mask that
ships calls face beyond it (the forehead): what is learned anew is not to tear holes. Look at the sheet written beside OUT.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from bianlian import align, plugins
from bianlian.files import replacing
from bianlian.geometry import apply, compose, invert
from bianlian.landmark.schemes import convert
from bianlian.mask.hull import hull_mask, outline
from bianlian.mask.learned import COVERAGE, SIDE, LearnedMask, seen_in, view
from bianlian.types import Landmarks
from bianlian.video import frames

SIZE, WIDE = 320, 0.42
LEAST = 48
"""Faces whose box has a shorter side, in pixels, are left out."""


def main() -> None:
    """Find the faces, mask them, and write both, aligned."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=10, help="take every so manieth frame of a clip")
    args = parser.parse_args()
    detector, landmarker = plugins.load("detector", "blazeface")(), plugins.load("landmarker", "facemesh")()
    seen = LearnedMask()
    blobs: dict[str, list[np.ndarray]] = {"jpeg": [], "mask": []}
    landmarks, sheet = [], []
    for path in args.files:
        for frame in frames(path, every=args.every):
            faces = [f for f in detector.detect([frame.image])[0] if min(f.box[2:] - f.box[:2]) >= LEAST]
            for marked in landmarker.mark(frame.image, faces):
                if marked is None or marked.landmarks is None:
                    continue
                to_crop = align.crop_from_frame(marked.landmarks, SIZE, WIDE)
                to_view = align.crop_from_frame(marked.landmarks, SIDE, COVERAGE)
                (guess,) = seen.weigh([view(frame.image, to_view)])
                there = Landmarks(apply(to_crop, marked.landmarks.points), marked.landmarks.scheme)
                hull = hull_mask(outline(there), (SIZE, SIZE), erode=1, feather=0)
                face = np.maximum(hull, seen_in(guess, compose(to_crop, invert(to_view)), (SIZE, SIZE))) > 0.5
                mask = np.where(face, 255, 0).astype(np.uint8)
                head = cv2.dilate(mask, np.ones((25, 25), np.uint8))  # hair and ears around: roughly, to keep them with the face
                mask = np.maximum(mask, np.where(head > 0, 128, 0)).astype(np.uint8)
                image = align.cut(frame.image, to_crop, SIZE).image
                bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
                blobs["jpeg"].append(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 94])[1].ravel())
                blobs["mask"].append(cv2.imencode(".png", mask)[1].ravel())
                landmarks.append(convert(there, "ibug68").points)
                sheet.append(cv2.resize(np.where(face[..., None], bgr, bgr // 4), (128, 128)))
    pictures, masks = ((np.concatenate(b), np.cumsum([len(x) for x in b])) for b in (blobs["jpeg"], blobs["mask"]))
    with replacing(args.out) as path, path.open("wb") as file:
        np.savez(
            file, jpeg=pictures[0], jpeg_end=pictures[1], mask_png=masks[0], mask_end=masks[1], landmarks68=np.float32(landmarks)
        )
    sheet += [np.zeros_like(sheet[0])] * (-len(sheet) % 16)
    rows = [np.hstack(sheet[k : k + 16]) for k in range(0, len(sheet), 16)]
    cv2.imwrite(str(args.out.with_suffix(".png")), np.vstack(rows))
    print(f"{len(landmarks)} faces in {args.out}")


if __name__ == "__main__":
    main()

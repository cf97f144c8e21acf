"""Photos of fitted people as a shard for ``bianlian pretrain --what mask``: real hair and skin, with the fitted head as truth.

usage: python bench/tools/photo_shard.py ICT PEOPLE PHOTOS OUT.npz [--without NAME ...]

ICT: folder of the head model. PEOPLE: npz of fitted people, with the camera of each photo. PHOTOS:
folder of NAME/neutral.jpg. --without: people whose hair falls over the forehead, where the fitted head knows none.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from bianlian.actors.bake import project
from bianlian.actors.bank import Bank
from bianlian.actors.crops import CropMaker, CropSettings
from bianlian.actors.head import Head
from bianlian.actors.ict import open_model
from bianlian.actors.performance import still
from bianlian.actors.renderer import Posed, Renderer
from bianlian.files import replacing
from bianlian.geometry import compose

SIDE, COVERAGE = 320, 0.42


def main() -> None:
    """Draw the head of each person over the photo it was fitted to, and write both, aligned."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ict", "people", "photos", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--width", type=int, default=1350, help="of the photos that the people were fitted to, pixels")
    args = parser.parse_args()
    renderer = Renderer(Head(open_model(str(args.ict))), samples=1)
    head, bank = renderer.head, Bank(args.people, renderer.head)
    maker = CropMaker(renderer, CropSettings(size=SIDE, align="umeyama68", coverage=COVERAGE, jitter=0))
    light, empty = still(0), np.zeros((SIDE, SIDE, 3), np.uint8)
    blobs: dict[str, list[np.ndarray]] = {"jpeg": [], "mask": []}
    landmarks = []
    for name in bank.names:
        photo = cv2.imread(str(args.photos / name / "neutral.jpg"))
        if name in args.without or photo is None:
            continue
        fitted, factor = bank.fitted(name), photo.shape[1] / args.width
        actor = bank.person(name)
        posed = Posed(actor, project(actor.vertices, fitted)[1], np.ones(len(actor.vertices), np.float32), head.landmarks)
        scale, (x, y) = factor * fitted.scale, factor * fitted.shift
        photo_from_head = np.array([[scale, 0, x], [0, -scale, -y]])
        to_crop = maker.place(posed.landmarks(photo_from_head))
        crop_from_head = compose(to_crop, photo_from_head)
        _, mask = renderer.draw(posed, crop_from_head, empty, light, 0)
        image = cv2.warpAffine(photo, to_crop, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        blobs["jpeg"].append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 94])[1].ravel())
        blobs["mask"].append(cv2.imencode(".png", mask)[1].ravel())
        landmarks.append(posed.landmarks(crop_from_head))
    pictures, masks = ((np.concatenate(b), np.cumsum([len(x) for x in b])) for b in (blobs["jpeg"], blobs["mask"]))
    with replacing(args.out) as path, path.open("wb") as file:
        np.savez(
            file, jpeg=pictures[0], jpeg_end=pictures[1], mask_png=masks[0], mask_end=masks[1], landmarks68=np.float32(landmarks)
        )


if __name__ == "__main__":
    main()

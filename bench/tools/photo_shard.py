"""Photos of fitted people as a shard for ``bianlian pretrain --what mask``: real hair and skin, with the fitted head as truth.

usage: python bench/tools/photo_shard.py RENDERER ICT IDENTITIES PHOTOS OUT.npz [--without NAME ...]

RENDERER: folder of the head renderer. ICT: folder of the head model. IDENTITIES: its npz of fitted people, with the camera of each
photo. PHOTOS: folder of NAME/neutral.jpg. --without: people whose hair falls over the forehead, where the fitted head knows none.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np

from bianlian.files import replacing

SIDE, COVERAGE = 320, 0.42
FITTED = 1350
"""Width in pixels of the photos that the people were fitted to."""


def main() -> None:
    """Draw the head of each person over the photo it was fitted to, and write both, aligned."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("renderer", "ict", "identities", "photos", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--without", nargs="*", default=[])
    args = parser.parse_args()
    sys.path.insert(0, str(args.renderer))
    heads, crops, scene = (import_module(name) for name in ("head", "crops", "scene"))
    head = heads.MorphableHead(args.ict)
    bank, fits = heads.IdentityBank(args.identities, head), np.load(args.identities)
    renderer, template = scene.Renderer(head, 1), crops.neutral_template(head, COVERAGE)
    light = crops.snapshot(0, np.random.default_rng(0))
    blobs: dict[str, list[np.ndarray]] = {"jpeg": [], "mask": []}
    landmarks = []
    for k, name in enumerate(bank.names):
        photo = cv2.imread(str(args.photos / name / "neutral.jpg"))
        if name in args.without or photo is None:
            continue
        factor = photo.shape[1] / FITTED
        vertices = head.shape(fits["coefficients"][k], fits["offsets"][k]) @ fits["camera_rotation"][k].T
        scale, (x, y) = factor * float(fits["camera_scale"][k]), factor * fits["camera_shift"][k]
        camera = np.array([[scale, 0, x], [0, -scale, -y]])
        to_crop = crops.crop_transform(renderer.landmarks(vertices, camera), SIDE, "umeyama68", template)
        crop_camera = np.concatenate([to_crop[:, :2] @ camera[:, :2], (to_crop[:, :2] @ camera[:, 2] + to_crop[:, 2])[:, None]], 1)
        empty, dark = np.zeros((SIDE, SIDE, 3), np.uint8), np.ones(len(vertices), np.float32)
        _, mask = renderer.draw(bank[name], vertices.astype(np.float32), dark, crop_camera, empty, light, 0)
        image = cv2.warpAffine(photo, to_crop, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        blobs["jpeg"].append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 94])[1].ravel())
        blobs["mask"].append(cv2.imencode(".png", mask)[1].ravel())
        landmarks.append(renderer.landmarks(vertices, crop_camera))
    pictures, masks = ((np.concatenate(b), np.cumsum([len(x) for x in b])) for b in (blobs["jpeg"], blobs["mask"]))
    with replacing(args.out) as path, path.open("wb") as file:
        np.savez(
            file, jpeg=pictures[0], jpeg_end=pictures[1], mask_png=masks[0], mask_end=masks[1], landmarks68=np.float32(landmarks)
        )


if __name__ == "__main__":
    main()

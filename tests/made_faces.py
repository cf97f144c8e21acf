"""Facesets made in code: coloured ellipses with eyes and a mouth that open and close, of known landmarks."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from bianlian import align
from bianlian.faceset.header import FACESET_COVERAGE, SCHEMA, TEMPLATE
from bianlian.faceset.store import Faceset


def make_faceset(folder: Path, person: str, *, count: int = 6, size: int = 64, hue: int = 0, seed: int = 0) -> Faceset:
    """Write a faceset of drawn faces in the format that the package reads."""
    rng = np.random.default_rng(seed)
    (folder / "crops").mkdir(parents=True)
    header = {
        "person": person, "size": size, "coverage": FACESET_COVERAGE, "format": "png", "template": TEMPLATE,
        "consent": "drawn, nobody", "origin": "test", "schema": SCHEMA,
    }  # fmt: skip
    (folder / "faceset.json").write_text(json.dumps(header))
    points = align.template("ibug68", size, FACESET_COVERAGE)
    lines = []
    for k in range(count):
        picture = np.full((size, size, 3), 60 + 10 * (k % 3), np.uint8)
        centre = (size // 2, size // 2)
        colour = tuple(int(c) for c in np.roll((200, 150, 110), hue))
        cv2.ellipse(picture, centre, (int(size * 0.23), int(size * 0.26)), 0, 0, 360, colour, -1)
        for eye in (points[36:42].mean(0), points[42:48].mean(0)):
            cv2.circle(picture, (round(eye[0]), round(eye[1])), max(1, size // 32), (20, 20, 20), -1)
        mouth = points[48:60].mean(0)
        cv2.ellipse(
            picture,
            (round(mouth[0]), round(mouth[1])),
            (size // 12, 1 + int(rng.integers(size // 16))),
            0,
            0,
            360,
            (150, 40, 50),
            -1,
        )
        cv2.imwrite(str(folder / "crops" / f"{k:06d}.png"), picture[..., ::-1])
        lines.append(
            {
                "id": k, "file": "drawn.mp4", "frame": k, "pts": k, "time_base": "1/25", "box": [0.0, 0.0, size, size],
                "score": 1.0,
                "landmarks": points.round(3).tolist(), "scheme": "ibug68", "crop_from_frame": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
                "crop": f"crops/{k:06d}.png", "sharpness": 1.0, "pose": [0.0, 0.0, 0.0], "kept": True, "reason": None,
            }
        )  # fmt: skip
    (folder / "faces.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Faceset.open(folder)

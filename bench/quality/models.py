"""Every model of the table on one pair: as many steps each, the same held-out frames, one picture.

usage: python bench/quality/models.py SOURCE TARGET [-o models.jpg] [--models deepfake,gan] [--iterations 200] [--size 128]
       [--batch 4] [--columns 6]

From the base where one fits. The picture has the target's held-out frames in its first row, then a row a model: the source's face
in those frames, laid over by its mask where it has one; the source's own held-out frames come last. Printed for each model: the
seconds it took, what is not drawn of the source and lost of the target (``train.evaluate``), and how sharp the swapped faces are,
as their mean gradient over that of the source's own frames.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from bianlian import plugins
from bianlian.faceset.store import Faceset
from bianlian.train.augment import AugmentConfig
from bianlian.train.balance import chosen
from bianlian.train.batches import BatchMaker, People, to_tensor
from bianlian.train.checkpoint import fill, load_average, newest
from bianlian.train.evaluate import evaluate
from bianlian.train.loop import Limits, train
from bianlian.train.preview import composed, to_uint8
from bianlian.train.run import open_run
from bianlian.train.settings import TrainSettings
from bianlian.train.start import Choices, begin
from bianlian.types import Image

LABEL = 96
"""Width of the column of names, in pixels."""


def frames(facesets: list[Faceset], person: int, size: int, count: int) -> Image:
    """Give held-out faces of a person -> (N, S, S, 3)."""
    maker = BatchMaker(People(facesets, TrainSettings().held_out), size, 1, AugmentConfig(), 0)
    indices = chosen(maker, person)
    picked = [indices[int(k)] for k in np.linspace(0, len(indices) - 1, count)]
    return np.stack([maker.plain(person, k) for k in picked])


def swapped(run: Path, faces: Image) -> Image:
    """Draw the first person's face in pictures (N, S, S, 3) -> the same shape."""
    model, checkpoint = open_run(run).build(), newest(run)
    fill(model.networks, load_average(checkpoint), checkpoint)
    model.networks.eval()
    seen = to_tensor(faces)
    with torch.no_grad():
        return to_uint8(composed(model.path(0)(seen), seen))


def sharpness(faces: Image) -> float:
    """Measure the mean size of the gradient of the inner half of pictures (N, S, S, 3)."""
    edge = faces.shape[1] // 4
    inner = faces[:, edge:-edge, edge:-edge].astype(np.float64)
    return float(np.hypot(np.diff(inner, axis=1)[:, :, 1:], np.diff(inner, axis=2)[:, 1:]).mean())


def row(name: str, faces: Image) -> Image:
    """Lay faces side by side behind a name."""
    label = np.full((faces.shape[1], LABEL, 3), 255, np.uint8)
    cv2.putText(label, name, (4, faces.shape[1] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([label, *faces], axis=1)


def main() -> None:
    """Train all, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facesets", nargs=2, type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("models.jpg"))
    parser.add_argument("--models", default=",".join(plugins.TABLES["model"]))
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--columns", type=int, default=6)
    given = parser.parse_args()
    facesets = [Faceset.open(path) for path in given.facesets]
    own, filmed = (frames(facesets, person, given.size, given.columns) for person in (0, 1))
    rows = [row("target", filmed)]
    with tempfile.TemporaryDirectory() as work:
        for name in given.models.split(","):
            run = Path(work) / name
            choices = Choices(model=name, size=given.size, width="light", batch=given.batch, iterations=given.iterations)
            limits = Limits(iterations=given.iterations, preview_every=10**6, save_every=10**6)
            result = train(begin(run, given.facesets, choices), run, limits)
            drawn = swapped(run, filmed)
            told = next(d for d in evaluate(run, facesets) if d.source == facesets[0].person)
            sharp = sharpness(drawn) / sharpness(own)
            print(
                f"{name:12} from {open_run(run).start:8} {result.seconds:6.0f} s  undrawn {told.undrawn:.3f}  lost {told.lost:.3f}"
                f"  likeness {told.likeness or 0:.2f}  sharpness {sharp:.2f}",
                flush=True,
            )
            rows.append(row(name, drawn))
            picture = np.concatenate([*rows, row("source", own)])
            cv2.imwrite(str(given.out), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()

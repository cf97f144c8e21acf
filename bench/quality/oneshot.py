"""The network from one photo on rendered truth of people who were not trained on: how near to the truth, and whose face it is.

usage: python bench/quality/oneshot.py WEIGHTS READY... [--count 96] [--montage FILE.png]

READY are files of ``train.ready.ready_shards``. Faces are cut as a swap cuts them, nothing is changed at random, and nothing comes
after the network. Printed, for what is drawn, for the target as it is (no swap at all), for the base's draft and for the truth: L1
and structural distance to the truth under the training's weights; cosine of the recogniser's descriptions to the source, and how
much nearer that is than the target's; share of faces nearest to the source, of source, target and 20 other sources that are
somebody else's (0.45 or more away); and the time of a face on one thread. The recogniser is the one that looks on in training, and
one frame is harder to tell than a clip, as the truth's own figures show.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bianlian.geometry import apply, compose, scaling
from bianlian.model.faceshifter.config import LOOK_SIDE
from bianlian.model.faceshifter.recogniser import Recogniser
from bianlian.model.losses import dssim, weighted_l1
from bianlian.swap.oneshot import CONFIG, Artist, open_artist
from bianlian.train.disturb import cut, shrink
from bianlian.train.focus import focus_map
from bianlian.train.lay import View, laid
from bianlian.train.pairs import PAIR_FACE, PAIR_SIZE
from bianlian.train.swaps import Swap, Swaps
from bianlian.types import Image

OTHERS, SOMEBODY_ELSE = 20, 0.45


@dataclass(frozen=True, eq=False)
class Rows:
    """Examples as tensors: pictures (N, 3, S, S) in [0, 1], weights (N, 1, S, S), descriptions (N, 128).

    photo: the source laid over the target's face.
    """

    target: Tensor
    portrait: Tensor
    source: Tensor
    truth: Tensor
    weight: Tensor
    described: Tensor
    photo: Tensor


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("ready", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--montage", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    swaps, artist = Swaps(given.ready), open_artist(given.weights)
    picked = np.linspace(0, len(swaps) - 1, min(given.count, len(swaps))).astype(int)
    rows = gathered([swaps[int(k)] for k in picked], CONFIG.size)
    start = process_time()
    drawn = draw(artist, rows)
    seconds = (process_time() - start) / len(picked)
    with torch.no_grad():
        draft = artist.base(rows.target, rows.portrait)
    for name, pictures in (("drawn", drawn), ("no swap", rows.target), ("draft", draft), ("truth", rows.truth)):
        figures = measure(pictures, rows)
        print(f"{name:8}", "  ".join(f"{key} {value:.4f}" for key, value in figures.items()))
    print(f"{1000 * seconds:.1f} ms a face")
    if given.montage:
        cv2.imwrite(str(given.montage), montage(rows, draft, drawn))


def gathered(swaps: list[Swap], size: int) -> Rows:
    """Cut the faces of some swaps."""
    to_crop = compose(np.array([[1.0, 0.0, size / 2 - 0.5], [0.0, 1.0, size / 2 - 0.5]]), scaling(size / PAIR_FACE))
    to_crop = compose(to_crop, np.array([[1.0, 0.0, -(PAIR_SIZE - 1) / 2], [0.0, 1.0, -(PAIR_SIZE - 1) / 2]]))
    columns: list[list[NDArray[np.generic]]] = [[], [], [], [], [], []]
    for row in swaps:
        put, portrait = compose(to_crop, row.target_place), cut(row.source, compose(to_crop, row.source_place), size)
        points, view = apply(put, row.points), View(row.source, row.source_points)
        weight, photo = focus_map(points, size)[..., None], laid([view, view.mirrored()], points, size)
        shown = (cut(row.target, put, size), shrink(portrait, LOOK_SIDE), portrait, cut(row.truth, put, size), photo, weight)
        for column, value in zip(columns, shown, strict=True):
            column.append(value)
    pictures = [torch.from_numpy(np.stack(c).transpose(0, 3, 1, 2)).float() / 255 for c in columns[:5]]
    weights = torch.from_numpy(np.stack(columns[5]).transpose(0, 3, 1, 2)).float()
    return Rows(*pictures[:4], weights, torch.from_numpy(np.stack([row.described for row in swaps])), pictures[4])


def draw(artist: Artist, rows: Rows) -> Tensor:
    """Swap all, eight at a time."""
    parts = []
    assert artist.network is not None
    with torch.no_grad():
        told = artist.network.tell(rows.portrait, rows.described)
        for k in range(0, len(told), 8):
            target, portrait, photo = (x[k : k + 8] for x in (rows.target, rows.portrait, rows.photo))
            parts.append(artist.network(target, told[k : k + 8], artist.base(target, portrait), photo))
    return torch.cat(parts).clamp(0, 1)


def measure(pictures: Tensor, rows: Rows) -> dict[str, float]:
    """Compare pictures with truth and source."""
    recogniser = Recogniser()
    with torch.no_grad():
        looks, targets = (torch.cat([recogniser.look(p)[0] for p in x.split(8)]) for x in (pictures, rows.target))
        near = functional.cosine_similarity(looks, rows.described)
        far = functional.cosine_similarity(looks, targets)
    others = [other_people(rows.described, k) for k in range(len(looks))]
    nearest = [
        nearest_is_first(looks[k], torch.stack([rows.described[k], targets[k], *rows.described[o]])) for k, o in enumerate(others)
    ]
    return {
        "l1": float(weighted_l1(pictures, rows.truth, rows.weight)),
        "structural": float(dssim(pictures, rows.truth, rows.weight)),
        "cosine": float(near.mean()),
        "margin": float((near - far).mean()),
        "nearest": float(np.mean(nearest)),
    }


def other_people(described: Tensor, index: int) -> list[int]:
    """Choose sources that are somebody else."""
    apart = (described - described[index]).norm(dim=1)
    return [int(k) for k in torch.nonzero(apart >= SOMEBODY_ELSE).flatten()][:OTHERS]


def nearest_is_first(look: Tensor, gallery: Tensor) -> bool:
    """Tell whether the first of a gallery (M, D) is the nearest to a look (D,)."""
    return int((gallery - look).norm(dim=1).argmin()) == 0


def montage(rows: Rows, draft: Tensor, drawn: Tensor, columns: int = 14) -> Image:
    """Lay source, target, draft, drawn and truth under each other -> BGR."""
    step = max(1, len(drawn) // columns)
    lines = [torch.cat(list(x[::step][:columns]), 2) for x in (rows.source, rows.target, draft, drawn, rows.truth)]
    sheet = (torch.cat(lines, 1).permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(sheet[..., ::-1])


if __name__ == "__main__":
    main()

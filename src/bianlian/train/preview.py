"""The picture that shows how far a run is: faces of each person, redrawn as themselves and as everybody else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from bianlian.files import refuse_link, replacing
from bianlian.model.protocol import Trainable
from bianlian.train.batches import BatchMaker, to_tensor
from bianlian.types import Image

FACES = 4
"""Faces of each person in a preview."""


def preview(model: Trainable, maker: BatchMaker) -> Image:
    """Draw a preview: a block a person; in it a row a face: the face, then the face drawn as each person of the run.

    -> (people * 4 * S, (1 + people) * S, 3) uint8 RGB.
    """
    people = len(maker.people.facesets)
    model.networks.eval()
    blocks = []
    with torch.no_grad():
        for person in range(people):
            count = maker.people.count(person)
            indices = [int(i) for i in np.linspace(0, count - 1, FACES + 2)[1:-1]]
            faces = np.stack([maker.plain(person, i) for i in indices])
            device = next(model.networks.parameters()).device
            seen = to_tensor(faces).to(device)
            drawn = [to_uint8(composed(model.path(to)(seen), seen)) for to in range(people)]
            blocks += [np.concatenate([faces[k], *(d[k] for d in drawn)], axis=1) for k in range(FACES)]
    model.networks.train()
    return np.concatenate(blocks)


def save_preview(image: Image, run: Path, iteration: int) -> Path | None:
    """Write ``previews/000300.png`` -> its path, or None when one of that number is there already (never overwritten)."""
    path = run / "previews" / f"{iteration:06d}.png"
    refuse_link(path.parent)
    if path.exists():
        return None
    with replacing(path) as temporary:
        data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
        temporary.write_bytes(data.tobytes())
    return path


def composed(drawn: torch.Tensor, under: torch.Tensor) -> torch.Tensor:
    """Lay what a path draws, (N, 3, S, S) or with a mask (N, 4, S, S), over what it saw -> (N, 3, S, S)."""
    if drawn.shape[1] == 3:
        return drawn
    return drawn[:, 3:] * drawn[:, :3] + (1 - drawn[:, 3:]) * under


def to_uint8(pictures: torch.Tensor) -> Image:
    """(N, 3, H, W) in [0, 1] -> (N, H, W, 3) uint8."""
    scaled = (pictures.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()

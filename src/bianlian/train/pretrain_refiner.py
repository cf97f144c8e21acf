"""How the refiner is trained: a face as a trained person would draw it, and the face under it -> the exact answer.

What trained people draw is the right person, but soft, a little out of shape and in other light. So the softened, bent answer is
mixed with what the base draws of the example, which has the smaller part most of the time, and lit otherwise, also from another
side. (With the base's picture alone, which is only half way to the right person, the refiner learns not to trust what is drawn and
leans on the person whom it should replace.)

Pictures have several sizes, so that faces of any size in a frame are refined at about their own. Whatever a camera or codec does to
the face under it is done to the answer too: the refiner learns to give a face the softness, noise and blocks of its frame.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bianlian.model.autoencoder import DeepfakeConfig, reconstruction_losses
from bianlian.model.base import IDENTITY_SIDE, Base
from bianlian.model.refiner import Refiner
from bianlian.train.disturb import bend, cut, degrade, light, lit, place, shrink
from bianlian.train.pairs import Pairs, Triple
from bianlian.train.pretrain import Arrays, as_picture, as_weight, stacked

SIZES = (1.0, 1.25, 1.5, 1.75)
"""Sides of the refined pictures, in sides of the base's."""
SAME_PERSON = 0.15
NEARER = 0.85
"""Share of examples in which the base's picture is mixed with the answer, which then has a weight of FROM to 1."""
FROM = 0.4
RELIT = 0.7
"""Share of examples in which the drawn face comes in another light than the answer."""
GRID = 4
"""Nodes a side of the field that lights a face from one side or another."""
LEAK = 0.3
"""Weight of what is left of the target's features."""
FLOOR = 1e-5
"""Mean square difference below which target and answer count as one person."""
LEVEL = 128
"""Stored value of the field that changes nothing."""


class RefinerRecipe:
    """Recipe of ``model.refiner.Refiner``. base: weights of ``Base``, which draws the faces that are refined."""

    betas = (0.9, 0.999)

    def __init__(self, config: DeepfakeConfig, base: dict[str, Tensor]) -> None:
        self._config = config
        self._base = Base(config)
        self._base.load_state_dict({name: value.float() for name, value in base.items()})
        self._base.requires_grad_(False)
        self._network = Refiner()

    @property
    def network(self) -> Refiner:
        """The refiner."""
        return self._network

    def batch(self, pairs: Pairs, count: int, rng: np.random.Generator) -> Arrays:
        """Make examples of one size: ``count`` of the smallest, fewer of larger ones."""
        share = float(rng.choice(SIZES))
        size = round(self._config.size * share)
        return stacked([example(pairs.pick(rng), self._config.size, size, rng) for _ in range(max(1, round(count / share)))])

    def draw(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Draw as a trained person would, and refine."""
        target, small, face_of, _, _, soft, share, table, field = batch
        base = self._base.to(target.device)
        with torch.no_grad():
            drawn = base(as_picture(small), as_picture(face_of)).float()
            mixed = share.float()[:, None, None, None] / 255
            drawn = _relit(drawn * (1 - mixed) + as_picture(soft) * mixed, table, field)
            if drawn.shape[-1] != target.shape[1]:
                drawn = functional.interpolate(drawn, size=tuple(target.shape[1:3]), mode="bicubic").clamp(0, 1)
            drawn = drawn.contiguous(memory_format=torch.channels_last)
        refined: Tensor = self._network(drawn, as_picture(target))
        return refined

    def losses(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare with the exact answer, and see to it that what is left of the error does not point to the target."""
        answer, weight = as_picture(batch[3]), as_weight(batch[4])
        losses = reconstruction_losses(self._config, drawn, answer, weight)
        losses["leak"] = LEAK * leak(drawn, as_picture(batch[0]), answer, weight)
        losses["total"] = losses["total"] + losses["leak"]
        return losses


def leak(drawn: Tensor, target: Tensor, answer: Tensor, weight: Tensor) -> Tensor:
    """Measure how far features of the target are left in what was drawn: 0 for none, 1 for the target itself; a scalar.

    All (B, 3, S, S), weight (B, 1, S, S). The error's projection on the way from the answer to the target, in the band of sizes in
    which features lie (2 to 16 pixels of 128: coarser is light, finer is texture), averaged over the pictures that differ at all;
    never below 0 for a picture.
    """
    error, way = _features(drawn) - _features(answer), _features(target) - _features(answer)
    here = functional.interpolate(weight, size=tuple(error.shape[2:]), mode="area")
    length = (here * way * way).mean((1, 2, 3))
    differs = (length > FLOOR).float()
    share = (here * error * way).mean((1, 2, 3)) / length.clamp_min(FLOOR)
    return (functional.relu(share) * differs).sum() / differs.sum().clamp_min(1)


def _features(x: Tensor) -> Tensor:
    """Keep what is between 2 and 16 pixels of 128: (B, 3, S, S) -> (B, 3, 64, 64)."""
    small = functional.interpolate(x, size=(64, 64), mode="area")
    light = functional.interpolate(functional.avg_pool2d(small, 8), scale_factor=8.0, mode="bilinear", align_corners=False)
    return small - light


def example(row: Triple, drawn: int, size: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], ...]:
    """Change one triple at random.

    drawn, size: sides of the base's and of the refined picture, drawn <= size. -> target (S, S, 3), the same small (D, D, 3),
    face_of (64, 64, 3), truth (S, S, 3), weight (S, S), softened truth (D, D, 3), its share (), a table (256, 3) and a field (4, 4)
    of light, all uint8.
    """
    target, face_of, truth, weight = row.mirrored(rng)
    if rng.random() < SAME_PERSON:
        target = truth
    put, table = place(size, rng, 0.5), light(rng)
    same = int(rng.integers(1 << 31))  # the frame's camera and codec see the target and the answer alike

    def filmed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return degrade(image, np.random.default_rng(same)) if same % 2 else image

    clean = lit(cut(truth, put, size), table)
    seen, answer = filmed(lit(cut(target, put, size), table)), filmed(clean)
    portrait = degrade(lit(cut(face_of, place(drawn, rng, 1.0), drawn), light(rng)), rng)
    soft = np.asarray(cv2.GaussianBlur(shrink(clean, drawn), (0, 0), rng.uniform(0.7, 3.0) * drawn / 128), np.uint8)
    if rng.random() < 0.5:
        soft = bend(soft, rng)
    share = np.asarray(255 * rng.uniform(FROM, 1) if rng.random() < NEARER else 0, np.uint8)
    relit = rng.random() < RELIT
    other = light(rng)[0] if relit else np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    field = np.clip(LEVEL * np.exp(rng.normal(0, 0.15 if relit else 0, (GRID, GRID))), 0, 255).astype(np.uint8)
    return seen, shrink(seen, drawn), shrink(portrait, IDENTITY_SIDE), answer, cut(weight, put, size), soft, share, other, field


def _relit(drawn: Tensor, table: Tensor, field: Tensor) -> Tensor:
    """Apply a table and a field to each picture: drawn (B, 3, S, S) in [0, 1], (B, 256, 3) and (B, 4, 4) uint8 -> (B, 3, S, S)."""
    index = (drawn.clamp(0, 1) * 255).round().long().flatten(2)
    values = table.float().permute(0, 2, 1) / 255
    gain = functional.interpolate(field[:, None].float() / LEVEL, size=tuple(drawn.shape[2:]), mode="bicubic")
    return (torch.gather(values, 2, index).view_as(drawn) * gain).clamp(0, 1)

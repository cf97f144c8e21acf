"""How the refiner is trained: a face as a trained person would draw it, and the face under it -> the exact answer.

The base stands for every model: what it draws of each example is mixed, more often than not, with the softened and bent answer in a
random share, and lit otherwise, as what a trained person draws lies somewhere between the two. Pictures have several sizes, so that
faces of any size in a frame are refined at about their own. Whatever a camera or codec does to the face under it is done to the
answer too: the refiner learns to give a face the softness, noise and blocks of its frame.
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
NEARER = 0.6
"""Share of examples in which the base's picture is mixed with the answer."""
RELIT = 0.5
"""Share of examples in which the drawn face comes in another light than the answer."""


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
        target, small, face_of, _, _, soft, share, table = batch
        base = self._base.to(target.device)
        with torch.no_grad():
            drawn = base(as_picture(small), as_picture(face_of)).float()
            mixed = share.float()[:, None, None, None] / 255
            drawn = _relit(drawn * (1 - mixed) + as_picture(soft) * mixed, table)
            if drawn.shape[-1] != target.shape[1]:
                drawn = functional.interpolate(drawn, size=tuple(target.shape[1:3]), mode="bicubic").clamp(0, 1)
            drawn = drawn.contiguous(memory_format=torch.channels_last)
        refined: Tensor = self._network(drawn, as_picture(target))
        return refined

    def losses(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare with the exact answer."""
        return reconstruction_losses(self._config, drawn, as_picture(batch[3]), as_weight(batch[4]))


def example(row: Triple, drawn: int, size: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], ...]:
    """Change one triple at random.

    drawn, size: sides of the base's and of the refined picture, drawn <= size. -> target (S, S, 3), the same small (D, D, 3),
    face_of (64, 64, 3), truth (S, S, 3), weight (S, S), softened truth (D, D, 3), its share () and a table (256, 3), all uint8.
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
    share = np.asarray(255 * rng.uniform() if rng.random() < NEARER else 0, np.uint8)
    other = light(rng)[0] if rng.random() < RELIT else np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return seen, shrink(seen, drawn), shrink(portrait, IDENTITY_SIDE), answer, cut(weight, put, size), soft, share, other


def _relit(drawn: Tensor, table: Tensor) -> Tensor:
    """Apply a table of each picture: drawn (B, 3, S, S) in [0, 1], table (B, 256, 3) uint8 -> (B, 3, S, S)."""
    index = (drawn.clamp(0, 1) * 255).round().long().flatten(2)
    values = table.float().permute(0, 2, 1) / 255
    return torch.gather(values, 2, index).view_as(drawn)

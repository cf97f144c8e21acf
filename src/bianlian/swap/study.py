"""Study a photo: seconds in which the base's decoder learns to draw the person on it, before anything is swapped.

Told who a person is in 64 numbers, the base draws somebody of their kind. A few dozen steps on the photo itself, shifted, turned,
mirrored and lit in other ways, bring features that the numbers cannot hold; the encoder, which sees the target's pose and
expression, is left alone. Measured in docs/oneshot.md: in twelve single frames of rendered people the drawn face is nearest to the
source, of source, target and 20 others, in 33 % before and in 83 % after. Steps nearly four times as large take over the photo's
own light and expression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bianlian import align
from bianlian.geometry import apply
from bianlian.landmark.schemes import convert
from bianlian.model.autoencoder import Decoder, DeepfakeConfig, reconstruction_losses
from bianlian.model.base import Base
from bianlian.swap.turn import carried, turned
from bianlian.train.cpu import keep_memory
from bianlian.train.disturb import cut, light, lit, place, side_lit
from bianlian.train.focus import focus_map
from bianlian.train.lay import View
from bianlian.train.pairs import PAIR_COVERAGE, PAIR_SIZE, WEIGHT_STEPS
from bianlian.train.pretrain import as_picture, as_weight
from bianlian.types import Image, Landmarks, Progress, silent

STEPS = 60
VIEWS, BATCH, RATE, EDGE = 24, 4, 4e-4, 2.0
"""Views of all photos together (one of each at least), views a step, Adam's step, and weight of the edge loss."""
TURN, LIMIT, PLAIN = np.array([12.0, 7.2]), np.array([28.0, 18.0]), 4
"""Spread and limit of the turns, yaw and pitch in degrees; every so many views of a photo its head is as it was."""
FALLS = 0.4
"""Share of the steps, the last ones, over which the rate falls to nothing."""
SIDE, WIDER = 512, 0.9
"""Side of a photo's picture, and its coverage over that of ``train.pairs``: a head that turns needs room."""


def view(image: Image, landmarks: Landmarks) -> View:
    """Cut the face out of a photo, with room to turn it, ``SIDE`` pixels a side."""
    return _cut(image, landmarks, SIDE, PAIR_COVERAGE * WIDER)


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a person is studied on. pictures (V, 3, S, S) in [0, 1], weights (V, 1, S, S); codes: of the pictures, by the encoder.

    config: weights of the losses.
    """

    pictures: Tensor
    weights: Tensor
    codes: Tensor
    config: DeepfakeConfig

    @classmethod
    def of(cls, base: Base, views: Sequence[View], config: DeepfakeConfig, rng: np.random.Generator) -> Lessons:
        """Change photos at random, see ``VIEWS``. config: of the base."""
        pictures, weights = _changed(views, config.size, rng)
        with torch.no_grad():
            return cls(pictures, weights, base.encoder(pictures), config)

    def losses(self, draw: Callable[[Tensor], Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """Let a decoder draw some of the pictures from their codes; a mask in its fourth channel is passed over."""
        some = torch.from_numpy(rng.permutation(len(self.pictures))[:BATCH])
        drawn = draw(self.codes[some])[:, :3]
        return reconstruction_losses(self.config, drawn, self.pictures[some], self.weights[some])


def crops_of(views: Sequence[View], size: int) -> Tensor:
    """Cut the photos' faces as the network gets faces, nothing changed -> (N, 3, S, S) in [0, 1]."""
    crops = [_cut(shown.picture, Landmarks(shown.points, "ibug68"), size, align.COVERAGE).picture for shown in views]
    return as_picture(torch.from_numpy(np.stack(crops)))


def study(
    base: Base, known: Tensor, views: Sequence[View], config: DeepfakeConfig, *, steps: int = STEPS, progress: Progress = silent
) -> Decoder:
    """Teach a decoder of their own to draw a person. known (1, 64): who they are, for the base; config: of the base.

    The same photos give the same decoder, but for rounding.
    """
    decoder = Decoder(config)
    decoder.load_state_dict(base.decoder.folded(known[0]))
    if steps:
        keep_memory()
        rng = np.random.default_rng(0)
        lessons = Lessons.of(base, views, config, rng)
        optimizer = torch.optim.Adam(decoder.parameters(), lr=RATE, fused=True)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, (steps - step) / (FALLS * steps))
            losses = lessons.losses(decoder, rng)
            optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            progress("study", step + 1, steps)
    return decoder.eval().requires_grad_(False)


def _changed(views: Sequence[View], size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Change the photos at random -> pictures (V, 3, S, S), weights (V, 1, S, S)."""
    rows: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for k in range(max(VIEWS, len(views))):
        again = k // len(views)
        turn = np.clip(rng.normal(0, TURN), -LIMIT, LIMIT) if again % PLAIN else np.zeros(2)
        shown = _turned(views[k % len(views)], *map(float, turn))
        picture, put = side_lit(shown.picture, rng), place(size, rng, 1.0)
        picture = lit(cut(picture, put, size), light(rng))
        weight = np.round(focus_map(apply(put, shown.points), size) * WEIGHT_STEPS).astype(np.uint8)
        if again % 2:
            picture, weight = np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(weight[:, ::-1])
        rows.append((picture, weight))
    pictures, weights = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
    return as_picture(pictures), as_weight(weights)


def _turned(shown: View, yaw: float, pitch: float) -> View:
    """Turn the head, and cut it anew as ``train.pairs`` would cut such a head."""
    picture, points = shown.picture, shown.points
    if yaw or pitch:
        points = turned(points, yaw, pitch)
        picture = carried(picture, shown.points, points)
    return _cut(picture, Landmarks(points, "ibug68"), PAIR_SIZE, PAIR_COVERAGE)


def _cut(image: Image, landmarks: Landmarks, size: int, coverage: float) -> View:
    to_view = align.crop_from_frame(landmarks, size, coverage)
    return View(align.cut(image, to_view, size).image, apply(to_view, convert(landmarks, "ibug68").points))

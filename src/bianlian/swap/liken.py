"""Liken a studied decoder to its person on the very faces that it will replace, as far as a recogniser asks for it.

What the study (``swap.study``) teaches on the photo, the codes of another person's frames bring out in part: they hold some of that
person, the refiner lends more, and forehead, jaw and hair around the new face stay theirs. So the new face is drawn, refined, given
the frame's colours and laid into it as a swap would do, a recogniser looks, and a few steps move the decoder until the recogniser
finds the source nearer than the target by ``MARGIN``. The steps go further than that; of the way they went, the shortest part that
does is taken (a line between the weights before and after), none where the study was enough. A recogniser that is followed too far
is fooled: faces get patches that look like nobody.

The mouth, whose shape is the target's, gets no gradient. Measured in docs/oneshot.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bianlian.mask.hull import hull_mask, outline
from bianlian.model.autoencoder import Decoder, DeepfakeConfig
from bianlian.model.base import Base
from bianlian.model.faceshifter.recogniser import Recogniser
from bianlian.model.refiner import Refiner
from bianlian.swap.meet import Met
from bianlian.swap.study import Lessons, View, crops_of
from bianlian.train.cpu import keep_memory
from bianlian.types import Landmarks, Mask, Progress, silent

MARGIN = 0.2
"""How much nearer to the source than to the target, in distances of descriptions, new faces shall be on average."""
ALIKE = 1 / 3
"""It is never more than this share of the distance between source and target: people who look alike have less to be told apart by.

The true swaps of four rendered pairs have 0.23 to 0.61 of it.
"""
STEPS, BATCH, RATE, WARM_UP, WEIGHT = 10, 4, 1e-4, 5, 0.5
"""Steps, faces a step, Adam's step, steps in which it is reached, and weight of the recogniser's term."""
BEYOND = 0.15
"""The steps aim at so much more than is wanted."""
HALVINGS = 5
"""How often the way is halved to find the shortest part that does."""
SHAKE = 0.03
"""Spread of the shifts, turns and sizes in which the recogniser sees a face, in half sides of the crop."""
MOUTH = slice(48, 60)
_INSET, _SOFT = 3.0, 4.0  # pixels of the face's mask
_WIDER = 1.5  # of the mouth's outline


@dataclass(frozen=True)
class Likeness:
    """Mean margin of the faces looked at, before and after, and the one that was aimed at, see ``MARGIN`` and ``ALIKE``.

    share: of the way that was gone, 0 where none had to be.
    """

    before: float
    after: float
    wanted: float
    share: float


class _Scene:
    """The target's faces and what looks at them: from a decoder to the recogniser's margins."""

    def __init__(self, base: Base, faces: Sequence[Met], refiner: Refiner, refine: float, recogniser: Recogniser) -> None:
        self.refiner, self.refine, self.recogniser = refiner, refine, recogniser
        self.targets = torch.from_numpy(np.stack([face.crop for face in faces]).transpose(0, 3, 1, 2).astype(np.float32) / 255)
        self.inner, self.mouths = (_planes([mask(face) for face in faces]) for mask in (_inner, _mouth))
        with torch.no_grad():
            self.codes = base.encoder(self.targets)
            self.theirs = recogniser.look(self.targets)[0].mean(0)

    def __len__(self) -> int:
        return len(self.targets)

    def drawn(self, decoder: Decoder, some: Tensor) -> Tensor:
        """Draw some faces into their frames -> (B, 3, S, S)."""
        target, inner = self.targets[some], self.inner[some]
        face = decoder(self.codes[some])
        face = (face + self.mouths[some] * (face.detach() - face)).clamp(0, 1)
        if self.refine:
            face = face + self.refine * (self.refiner(face, target) - face)
        return (target + inner * (_recoloured(face, target, inner) - target)).clamp(0, 1)

    def margins(self, pictures: Tensor, source: Tensor) -> Tensor:
        """How much nearer to the source than to the target each picture is: (B, 3, S, S) -> (B,)."""
        looks = self.recogniser.look(pictures)[0]
        margins: Tensor = (looks - self.theirs).norm(dim=1) - (looks - source).norm(dim=1)
        return margins

    def margin(self, decoder: Decoder, source: Tensor) -> float:
        """Mean margin over all faces."""
        with torch.no_grad():
            parts = torch.split(torch.arange(len(self)), BATCH)
            return float(torch.cat([self.margins(self.drawn(decoder, part), source) for part in parts]).mean())


def liken(
    decoder: Decoder,
    base: Base,
    views: Sequence[View],
    faces: Sequence[Met],
    config: DeepfakeConfig,
    refiner: Refiner,
    *,
    refine: float,
    margin: float = MARGIN,
    recogniser: Recogniser | None = None,
    progress: Progress = silent,
) -> tuple[Decoder, Likeness]:
    """Move a copy of a decoder until the recogniser is content -> the copy, and how far it came.

    views: of the photos; faces: some that will be replaced, one or more; config: of the base; refine: share of the refiner's
    correction; margin: that is wanted, see ``MARGIN``. The same input gives the same decoder, but for rounding.
    Raises WeightsError.
    """
    keep_memory()
    recogniser = (recogniser or Recogniser()).eval().requires_grad_(False)
    lessons = Lessons.of(base, views, config.size, np.random.default_rng(0))
    scene = _Scene(base, faces, refiner, refine, recogniser)
    with torch.no_grad():
        source = torch.cat([recogniser.look(part)[0] for part in torch.split(crops_of(views, config.size), BATCH)]).mean(0)
    wanted = min(margin, ALIKE * float((source - scene.theirs).norm()))
    before = scene.margin(decoder, source)
    first = {name: value.clone() for name, value in decoder.state_dict().items()}
    moved = Decoder(config)
    moved.load_state_dict(first)
    moved.requires_grad_(True)
    if before >= wanted:
        return moved.eval().requires_grad_(False), Likeness(before, before, wanted, 0.0)
    _walk(moved, scene, lessons, config, source, wanted, progress)
    moved.eval().requires_grad_(False)
    last = {name: value.clone() for name, value in moved.state_dict().items()}
    share, after = _shortest(moved, first, last, scene, source, wanted)
    return moved, Likeness(before, after, wanted, share)


def _walk(
    decoder: Decoder, scene: _Scene, lessons: Lessons, config: DeepfakeConfig, source: Tensor, margin: float, progress: Progress
) -> None:
    """Take the steps: the photo as in the study, and the recogniser's margin."""
    rng = np.random.default_rng(0)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=RATE, fused=True)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP)
        losses = lessons.losses(decoder, config, rng)
        some = torch.from_numpy(rng.permutation(len(scene))[:BATCH])
        seen = _shaken(scene.drawn(decoder, some), rng)
        missing = functional.relu(margin + BEYOND - scene.margins(seen, source)).mean()
        optimizer.zero_grad(set_to_none=True)
        (losses["total"] + WEIGHT * missing).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress("likeness", step + 1, STEPS)


def _shortest(
    decoder: Decoder, first: Mapping[str, Tensor], last: Mapping[str, Tensor], scene: _Scene, source: Tensor, margin: float
) -> tuple[float, float]:
    """Set a decoder to the first point of the way that is enough, or to its end -> the share of the way, and the margin there."""

    def at(share: float) -> float:
        decoder.load_state_dict({name: value + share * (last[name] - value) for name, value in first.items()})
        return scene.margin(decoder, source)

    low, high = 0.0, 1.0
    found = at(high)
    if found > margin:
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if at(middle) >= margin else (middle, high)
        found = at(high)
    return high, found


def _recoloured(face: Tensor, target: Tensor, inner: Tensor) -> Tensor:
    """Give faces the mean and spread of the target's colours under the mask, about as a swap does."""
    total = inner.sum((2, 3), keepdim=True).clamp_min(1)

    def mean(x: Tensor) -> Tensor:
        return (x * inner).sum((2, 3), keepdim=True) / total

    with torch.no_grad():
        mine, theirs = mean(face), mean(target)
        spread, wanted = mean((face - mine) ** 2).sqrt().clamp_min(0.01), mean((target - theirs) ** 2).sqrt()
        factor = (wanted / spread).clamp(0.5, 2)
    return (face - mine) * factor + theirs


def _shaken(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Move pictures at random, a little."""
    maps = np.tile(np.eye(2, 3, dtype=np.float32), (len(pictures), 1, 1))
    maps += rng.normal(0, SHAKE, maps.shape).astype(np.float32)
    grid = functional.affine_grid(torch.from_numpy(maps), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _inner(face: Met) -> Mask:
    size = (len(face.crop), len(face.crop))
    return hull_mask(outline(Landmarks(face.points, "ibug68")), size, erode=_INSET, feather=_SOFT)


def _mouth(face: Met) -> Mask:
    ring = face.points[MOUTH]
    ring = ring.mean(0) + _WIDER * (ring - ring.mean(0))
    mask = np.zeros(face.crop.shape[:2], np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(ring).astype(np.int32)), 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), _INSET), np.float32)


def _planes(masks: Sequence[Mask]) -> Tensor:
    return torch.from_numpy(np.stack(masks).astype(np.float32))[:, None]

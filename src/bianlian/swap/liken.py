"""Liken a decoder to its person on the very faces that it will replace, as far as a recogniser asks for it.

What study (``swap.study``) or training teach of a person, the codes of another person's frames bring out in part: they hold some
of that person, the refiner lends more, and forehead, jaw and hair around the new face stay theirs. So the new face is drawn,
refined, given the frame's colours and laid into it as a swap would do, a recogniser looks, and a few steps move the decoder until
the recogniser finds the source nearer than the target by ``MARGIN``, in all but ``FEW`` of them. The steps go further than that;
of the way they went, the shortest part that does is taken (a line between the weights before and after), none where what was
learned is enough. Where a second network finishes what the decoder draws, it first shows less of the target (``finishes``), and
only then is the decoder moved. A recogniser that is followed too far is fooled: faces get patches that look like nobody.

The mouth, whose shape is the target's, gets no gradient. Measured in docs/oneshot.md.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bianlian.errors import ConfigError
from bianlian.mask.hull import hull_mask, outline
from bianlian.model.faceshifter.recogniser import Recogniser
from bianlian.model.path import PersonPath
from bianlian.swap.meet import Met
from bianlian.swap.settings import SwapSettings
from bianlian.swap.shade import RADIUS
from bianlian.swap.study import Lessons
from bianlian.train.cpu import keep_memory
from bianlian.types import Landmarks, Mask, Progress, silent

MARGIN = 0.08
"""How much nearer to the source than to the target, in distances of descriptions, nine new faces in ten shall be."""
FEW = 0.1
"""Share of the faces that need not be."""
LEAST = -2.0
"""A margin that every face has: with it a person is left as they are."""
ALIKE = 1 / 3
"""It is never more than this share of the distance between source and target: people who look alike have less to be told apart by.

The true swaps of four rendered pairs have 0.23 to 0.61 of it.
"""
STEPS, BATCH, RATE, WARM_UP, WEIGHT = 10, 4, 1e-4, 5, 0.5
"""Steps, faces a step, Adam's step, steps in which it is reached, and weight of the recogniser's term."""
BEYOND = 0.25
"""The steps aim at so much more than is wanted."""
HALVINGS = 5
"""How often the way is halved to find the shortest part that does."""
SHAKE = 0.03
"""Spread of the shifts, turns and sizes in which the recogniser sees a face, in half sides of the crop."""
Finish = Callable[[Tensor, Tensor, Tensor], Tensor]
"""What is drawn (B, 3, S, S), its targets, and which of the faces these are -> finished, (B, 3, S, S)."""
MOUTH = slice(48, 60)
_WIDER, _SOFT = 1.5, 3.0  # of the mouth's outline, and pixels over which it fades


@dataclass(frozen=True)
class Likeness:
    """Margin that nine in ten of the faces looked at have, before and after, and the one that was aimed at, see ``MARGIN``.

    share: of the way that was gone, 0 where none had to be; finish: which of those that could be chosen was.
    """

    before: float
    after: float
    wanted: float
    share: float
    finish: int = 0


class _Scene:
    """The target's faces and what looks at them: from a decoder to the recogniser's margins."""

    def __init__(
        self,
        encoder: nn.Module,
        faces: Sequence[Met],
        refiner: nn.Module,
        settings: SwapSettings,
        recogniser: Recogniser,
    ) -> None:
        self.refiner, self.settings, self.recogniser = refiner, settings, recogniser
        self.finish: Finish | None = None
        self.targets = torch.from_numpy(np.stack([face.crop for face in faces]).transpose(0, 3, 1, 2).astype(np.float32) / 255)
        self.inner, self.mouths = _planes([_inner(face, settings) for face in faces]), _planes([_mouth(face) for face in faces])
        with torch.no_grad():
            self.codes = encoder(self.targets)
            self.theirs = recogniser.look(self.targets)[0].mean(0)

    def __len__(self) -> int:
        return len(self.targets)

    def drawn(self, path: PersonPath, some: Tensor) -> Tensor:
        """Draw some faces into their frames -> (B, 3, S, S). A mask of the network's own gets no gradient."""
        target, inner, shown = self.targets[some], self.inner[some], path.draw(self.codes[some])
        face = shown[:, :3] if self.finish is None else self.finish(shown, target, some)
        if shown.shape[1] > 3:
            inner = inner * shown[:, 3:].detach()
        face = (face + self.mouths[some] * (face.detach() - face)).clamp(0, 1)
        if self.settings.refine:
            face = face + self.settings.refine * (self.refiner(face, target) - face)
        face = _recoloured(face, target, inner)
        if self.settings.shade:
            face = face + self.settings.shade * _broad(target - face, inner)
        return (target + inner * (face - target)).clamp(0, 1)

    def finished_by(self, finishes: Sequence[Finish], path: PersonPath, source: Tensor, wanted: float) -> tuple[int, list[float]]:
        """Choose who finishes: the first that is enough, or the last -> its number, and the margins of all that were tried."""
        found = [] if finishes else [self.margin(path, source)]
        for self.finish in finishes:
            found.append(self.margin(path, source))
            if found[-1] >= wanted:
                break
        return len(found) - 1, found

    def margins(self, pictures: Tensor, source: Tensor) -> Tensor:
        """How much nearer to the source than to the target each picture is: (B, 3, S, S) -> (B,)."""
        looks = self.recogniser.look(pictures)[0]
        margins: Tensor = (looks - self.theirs).norm(dim=1) - (looks - source).norm(dim=1)
        return margins

    def margin(self, path: PersonPath, source: Tensor) -> float:
        """Margin that all faces but a few have."""
        with torch.no_grad():
            parts = torch.split(torch.arange(len(self)), BATCH)
            return float(torch.cat([self.margins(self.drawn(path, part), source) for part in parts]).quantile(FEW))


def liken(
    path: PersonPath,
    lessons: Lessons,
    pictures: Tensor,
    faces: Sequence[Met],
    refiner: nn.Module,
    settings: SwapSettings,
    *,
    margin: float = MARGIN,
    finishes: Sequence[Finish] = (),
    recogniser: Recogniser | None = None,
    progress: Progress = silent,
) -> tuple[PersonPath, Likeness]:
    """Move the decoder of a copy of a path until the recogniser is content -> the copy, and how far it came.

    lessons: of the person, whom the decoder is to draw no worse meanwhile; pictures (N, 3, S, S) of them in [0, 1], cut as the
    network gets faces; faces: some that will be replaced, one or more; settings: of the swap; margin: that is wanted, see
    ``MARGIN``; finishes: what a second network can make of what the path draws, the weakest first: the first that is enough is
    taken, or the last one. The same input gives the same decoder, but for rounding. Raises WeightsError.
    """
    keep_memory()
    recogniser = (recogniser or Recogniser()).eval().requires_grad_(False)
    moved = copy.deepcopy(path).eval().requires_grad_(False)
    scene = _Scene(moved.encoder, faces, refiner, settings, recogniser)
    with torch.no_grad():
        source = torch.cat([recogniser.look(part)[0] for part in torch.split(pictures, BATCH)]).mean(0)
    wanted = min(margin, ALIKE * float((source - scene.theirs).norm()))
    chosen, before = scene.finished_by(finishes, moved, source, wanted)
    if before[-1] >= wanted:
        return moved, Likeness(before[0], before[-1], wanted, 0.0, chosen)
    first = _weights(moved)
    moved.decoder.requires_grad_(True)
    _walk(moved, scene, lessons, source, wanted, progress)
    moved.decoder.requires_grad_(False)
    share, after = _shortest(moved, first, _weights(moved), scene, source, wanted)
    return moved, Likeness(before[0], after, wanted, share, chosen)


def check_likeness(likeness: float) -> float:
    """Give back a margin that can be asked for: from ``LEAST`` (whatever it is) to 1. Raises ConfigError."""
    if not LEAST <= likeness <= 1:
        raise ConfigError(f"likeness must lie in [{LEAST:g}, 1], got {likeness}; {MARGIN} is the default, {LEAST:g} leaves it")
    return likeness


def likeness_line(person: str, likeness: Likeness) -> str:
    """Say in a line how far a person was likened."""
    return (
        f"{person}: a recogniser finds nine new faces in ten nearer to the source than to the target by at least"
        f" {likeness.after:+.2f} ({likeness.before:+.2f} before they were fitted, {likeness.wanted:+.2f} wanted)"
    )


def _walk(path: PersonPath, scene: _Scene, lessons: Lessons, source: Tensor, margin: float, progress: Progress) -> None:
    """Take the steps: what was learned of the person, and the recogniser's margin."""
    rng = np.random.default_rng(0)
    optimizer = torch.optim.Adam(path.decoder.parameters(), lr=RATE, fused=True)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP)
        losses = lessons.losses(path.draw, rng)
        some = torch.from_numpy(rng.permutation(len(scene))[:BATCH])
        seen = _shaken(scene.drawn(path, some), rng)
        missing = functional.relu(margin + BEYOND - scene.margins(seen, source)).mean()
        optimizer.zero_grad(set_to_none=True)
        (losses["total"] + WEIGHT * missing).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress("likeness", step + 1, STEPS)


def _weights(path: PersonPath) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in path.decoder.state_dict().items()}


def _shortest(
    path: PersonPath, first: Mapping[str, Tensor], last: Mapping[str, Tensor], scene: _Scene, source: Tensor, margin: float
) -> tuple[float, float]:
    """Set a decoder to the first point of the way that is enough, or to its end -> the share of the way, and the margin there."""

    def at(share: float) -> float:
        path.decoder.load_state_dict({name: value + share * (last[name] - value) for name, value in first.items()})
        return scene.margin(path, source)

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


def _broad(difference: Tensor, inner: Tensor) -> Tensor:
    """Blur a difference under the mask alone, about as a swap does for its light."""
    side = difference.shape[-1]
    radius = math.ceil(2.5 * RADIUS * side)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / (RADIUS * side)) ** 2)

    def blurred(x: Tensor) -> Tensor:
        channels = x.shape[1]
        for kernel in (taps.view(1, 1, 1, -1), taps.view(1, 1, -1, 1)):
            shape = (radius if kernel.shape[2] > 1 else 0, radius if kernel.shape[3] > 1 else 0)
            x = functional.conv2d(x, (kernel / taps.sum()).expand(channels, -1, -1, -1), padding=shape, groups=channels)
        return x

    return blurred(difference * inner) / blurred(inner).clamp_min(1e-3)


def _shaken(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Move pictures at random, a little."""
    maps = np.tile(np.eye(2, 3, dtype=np.float32), (len(pictures), 1, 1))
    maps += rng.normal(0, SHAKE, maps.shape).astype(np.float32)
    grid = functional.affine_grid(torch.from_numpy(maps), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _inner(face: Met, settings: SwapSettings) -> Mask:
    size = (len(face.crop), len(face.crop))
    return hull_mask(outline(Landmarks(face.points, "ibug68")), size, erode=settings.erode, feather=settings.feather)


def _mouth(face: Met) -> Mask:
    ring = face.points[MOUTH]
    ring = ring.mean(0) + _WIDER * (ring - ring.mean(0))
    mask = np.zeros(face.crop.shape[:2], np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(ring).astype(np.int32)), 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), _SOFT), np.float32)


def _planes(masks: Sequence[Mask]) -> Tensor:
    return torch.from_numpy(np.stack(masks).astype(np.float32))[:, None]

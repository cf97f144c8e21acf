"""How the network from one photo is trained: target and source -> the exact answer, and a recogniser that looks at it.

Each example is changed at random, so that what was rendered serves footage: light and place, and what cameras and codecs do. Target
and answer get all of it alike, noise too, as a face that is put in should have the softness and grain of its frame; the source
is lit, placed and degraded by itself.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bianlian.geometry import apply, compose
from bianlian.landmark.schemes import INNER
from bianlian.model.autoencoder import DeepfakeConfig, reconstruction_losses
from bianlian.model.base import Base
from bianlian.model.faceshifter.aei import AeiNet, done, init_aei
from bianlian.model.faceshifter.config import LOOK_SIDE, AeiConfig
from bianlian.model.faceshifter.critics import Critics, artist_loss, critic_loss
from bianlian.model.faceshifter.recogniser import Recogniser
from bianlian.model.losses import weighted_l1
from bianlian.train.disturb import cut, degrade, light, lit, place, shrink
from bianlian.train.focus import eye_centres, focus_map
from bianlian.train.lay import View, laid
from bianlian.train.occluders import put_before
from bianlian.train.pairs import WEIGHT_STEPS
from bianlian.train.pretrain import Arrays, Judge, as_picture, as_weight, stacked
from bianlian.train.swaps import Swap, Swaps
from bianlian.types import Image, Points

HIDDEN = 0.15
"""Share of examples with something before the face, on top of what the renderer drew."""
UNSURE = 0.015
"""Spread of the noise on each number of the source's description."""
LOOKED_AT = 4
"""Examples of a step that the recogniser looks at."""
IDENTITY, FEATURES = 2.0, 0.5
"""Weights of the recogniser's two terms: 1 - cosine to the source's description, and distance of its maps from the answer's.

With 4 the network came to be more like the source than the exact answers are, and further from these; see docs/oneshot.md.
"""
MOVED = 20.0
"""Weight of ``moved_loss``: how far the fields miss the places from which brows, eyes, nose and mouth are to be fetched.

Pictures alone tell that only to fields that are nearly right already; see docs/decisions/0014.
"""
ADVERSARIAL = 0.02
"""Weight of what the critics say, where there are any."""


class CriticRival:
    """The critics as a ``train.pretrain.Rival``: the answers are real, what the network draws is not."""

    def __init__(self, critics: Critics, lr: float) -> None:
        self._critics = critics
        self._optimizer = torch.optim.Adam(critics.parameters(), lr=lr, betas=(0.0, 0.999))

    @property
    def network(self) -> Critics:
        """The critics."""
        return self._critics

    def learn(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Judge the answers and what was drawn, and learn from it."""
        loss = critic_loss(self._critics(as_picture(batch[3])), self._critics(drawn[:, :3]))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return {"critics": loss.detach()}


class OneShotRecipe:
    """Recipe of ``model.faceshifter.aei.AeiNet`` against exact answers.

    base: draws the draft, where the settings want one. recogniser: looks at some examples, None for none. critics: judge what is
    drawn, beside the answers; None for none.
    """

    betas = (0.5, 0.999)

    def __init__(
        self,
        config: AeiConfig,
        seed: int,
        recogniser: Recogniser | None = None,
        base: Base | None = None,
        critics: Critics | None = None,
    ) -> None:
        self._config, self._losses = config, DeepfakeConfig(edge=2.0)
        self._recogniser, self._base, self._critics = recogniser, base, critics
        self._network = AeiNet(config)
        init_aei(self._network, torch.Generator().manual_seed(seed))

    @property
    def network(self) -> AeiNet:
        """The network."""
        return self._network

    def batch(self, data: Swaps, count: int, rng: np.random.Generator) -> Arrays:
        """Make ``count`` examples."""
        return hidden_batch(data, count, self._config.size, HIDDEN, rng)

    def draw(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Swap -> (B, 3, S, S), and after these the network's fields, where it has some."""
        drawn, fields = self._swapped(self._network, batch)
        return drawn if fields is None else torch.cat([drawn, fields], 1)

    def losses(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare with the answer, look where the fields fetch from, and let the recogniser look."""
        drawn, fields, truth = drawn[:, :3], drawn[:, 3:], as_picture(batch[3])
        terms = reconstruction_losses(self._losses, drawn, truth, as_weight(batch[4]))
        if fields.shape[1]:
            terms["moved"] = MOVED * moved_loss(fields, batch[6])
            terms["total"] = terms["total"] + terms["moved"]
        if self._recogniser is not None:
            some = slice(0, LOOKED_AT)
            identity, features = self._recogniser.to(drawn.device).compare(drawn[some], truth[some], batch[2][some])
            terms |= {"identity": IDENTITY * identity, "features": FEATURES * features}
            terms["total"] = terms["total"] + terms["identity"] + terms["features"]
        if self._critics is not None:
            self._critics.requires_grad_(False)
            terms["adversarial"] = ADVERSARIAL * artist_loss(self._critics(drawn))
            self._critics.requires_grad_(True)
            terms["total"] = terms["total"] + terms["adversarial"]
        return terms

    def judge(self, held: Swaps, count: int = 48) -> Judge:
        """Make a judge of ``count`` fixed examples of people who are not trained on.

        Its figures: ``held_l1``, mean error under the weight; ``held_noop``, that of the target as it is; ``held_margin``: how much
        nearer, in cosine of descriptions, what is drawn is to the source than to the target.
        """
        rows = [held[int(k)] for k in np.linspace(0, len(held) - 1, min(count, len(held))).astype(int)]
        rng = np.random.default_rng(0)
        batch = tuple(torch.from_numpy(a) for a in stacked([example(row, self._config.size, rng) for row in rows]))

        def measure(network: AeiNet) -> dict[str, float]:
            device = next(network.parameters()).device
            inputs = tuple(array.to(device) for array in batch)
            target, truth, weight = as_picture(inputs[0]), as_picture(inputs[3]), as_weight(inputs[4])
            with torch.no_grad():
                drawn = torch.cat(
                    [self._swapped(network, tuple(a[k : k + 8] for a in inputs))[0].float() for k in range(0, len(rows), 8)]
                )
                figures = {"held_l1": weighted_l1(drawn, truth, weight), "held_noop": weighted_l1(target, truth, weight)}
                if self._recogniser is not None:
                    looks = [self._recogniser.to(device).look(p)[0] for p in (drawn, target)]
                    near, far = (functional.cosine_similarity(looks[0], other) for other in (inputs[2], looks[1]))
                    figures["held_margin"] = (near - far).mean()
            return {name: float(value) for name, value in figures.items()}

        return measure

    def _swapped(self, network: AeiNet, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor | None]:
        target, portrait = as_picture(batch[0]), as_picture(batch[1])
        draft = None
        if self._base is not None:
            with torch.no_grad():
                draft = self._base.to(target.device)(target, portrait).float()
        photo = as_picture(batch[5]) if self._config.photo else None
        fields = network.fields(target, network.tell(portrait, batch[2]), draft, photo)
        return (fields, None) if network.head is None else (done(fields, target, photo), fields)


def hidden_batch(data: Swaps, count: int, size: int, share: float, rng: np.random.Generator) -> Arrays:
    """Make examples, a share of them with something before the face."""
    others = [data.pick(rng) if rng.random() < share else None for _ in range(count)]
    return stacked([example(data.pick(rng), size, rng, other) for other in others])


def example(row: Swap, size: int, rng: np.random.Generator, other: Swap | None = None) -> Arrays:
    """Change one swap at random. other: of someone else, where something comes before the face; it lends a texture.

    -> target (S, S, 3), source (64, 64, 3), described (128,) float32, truth (S, S, 3), weight (S, S) as ``pairs`` keeps it, the
    source laid over the target's face (S, S, 3), and for ``moved_loss`` (51, 6) float32; the pictures uint8.
    """
    put, table, same = place(size, rng, 0.5), light(rng), int(rng.integers(1 << 31))
    put, portrait_put = compose(put, row.target_place), compose(place(size, rng, 1.0), row.source_place)
    points = apply(put, row.points)
    weight = np.round(focus_map(points, size) * WEIGHT_STEPS).astype(np.uint8)

    def filmed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        seen = lit(image, table)
        return degrade(seen, np.random.default_rng(same)) if same % 2 else seen

    target, truth = cut(row.target, put, size), cut(row.truth, put, size)
    if other is not None:
        eyes = eye_centres(points)
        target, truth = hidden(
            target, truth, eyes, cut(other.source, compose(place(size, rng, 2.0), other.source_place), size), rng
        )
    target, truth = filmed(target), filmed(truth)
    photo_light = light(rng)
    portrait = shrink(degrade(lit(cut(row.source, portrait_put, size), photo_light), rng), LOOK_SIDE)
    there = amiss(points, rng)
    photo = degrade(lit(laid_over(row, there, size, rng), photo_light), rng)
    moves = moved(apply(put, row.truth_points), points, there, size)
    described = (row.described + rng.normal(0, UNSURE, len(row.described))).astype(np.float32)
    if rng.random() < 0.5:
        target, truth, weight, photo = (np.ascontiguousarray(a[:, ::-1]) for a in (target, truth, weight, photo))
        moves[:, ::2] *= -1
    if rng.random() < 0.5:
        portrait = np.ascontiguousarray(portrait[:, ::-1])
    return target, portrait, described, truth, weight, photo, moves


def moved(truth: Points, target: Points, photo: Points, size: int) -> NDArray[np.float32]:
    """Say from where brows, eyes, nose and mouth of the answer are to be fetched -> (51, 6) float32.

    truth, target, photo (68, 2): iBUG points in the answer, the target and the photo laid over it; size: side of these, pixels.
    Columns: place in the answer, x and y in [-1, 1]; then what the fields of target and photo hold there, in halves of the side.
    """
    at, own, lent = (points[INNER] for points in (truth, target, photo))
    return np.concatenate([(2 * at + 1) / size - 1, (own - at) * 2 / size, (lent - at) * 2 / size], 1).astype(np.float32)


def moved_loss(fields: Tensor, moves: Tensor) -> Tensor:
    """Measure how far the fields fetch from the wrong places: mean error over points and axes, halves of the side.

    fields (B, 6 or 9, S, S): see ``AeiNet.fields``; moves (B, 51, 6): see ``moved``. Points outside the picture do not count.
    """
    channels = [4, 5] if fields.shape[1] == 6 else [4, 5, 7, 8]
    found = functional.grid_sample(fields[:, channels], moves[:, :, None, :2], padding_mode="border", align_corners=False)
    inside = (moves[..., :2].abs() <= 1).all(2)[:, None].float()
    error = (found[..., 0] - moves[..., 2 : 2 + len(channels)].transpose(1, 2)).abs() * inside
    return error.sum() / (inside.sum() * len(channels)).clamp_min(1)


def laid_over(row: Swap, points: Points, size: int, rng: np.random.Generator) -> Image:
    """Lay the source over the target's face as a swap does, its points a little amiss. points (68, 2): where they are to come."""
    shown = View(row.source, amiss(row.source_points, rng))
    return laid([shown, shown.mirrored()], points, size)


def amiss(points: Points, rng: np.random.Generator) -> Points:
    """Move points as a landmarker may err: all of them by some 1 % of their spread, and each by as much."""
    spread = 0.01 * float(points.std())
    return points + rng.normal(0, spread, 2) + rng.normal(0, spread, points.shape)


def hidden(target: Image, truth: Image, eyes: Points, texture: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Put the same thing before the target's face and the answer's. Pictures (S, S, 3); eyes (2, 2) pixels, image left first."""
    seen, cover = put_before(target, eyes, texture, rng)
    mixed = truth + (seen.astype(np.float32) - truth) * cover[..., None]
    return seen, np.asarray(mixed + 0.5, np.uint8)

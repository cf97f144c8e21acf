"""The GAN model: encoder, a decoder with a learned mask and a judge a person, trained against each other.

Self-attention (SAGAN), masked composition, mixup or relativistic least squares, reconstruction, eyes, edges, a perceptual network,
cycle. Source: faceswap-GAN v2.2; settings and schedule are in ``gan_config``. The judges take their step first, the artists
(encoder and decoders) theirs on other faces. One Adam holds all weights, in groups of their own: who has no gradient stands still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bianlian.model.autoencoder import DeepfakeConfig, reconstruction_losses
from bianlian.model.base import fold_base
from bianlian.model.card import ModelCard
from bianlian.model.drawn import Drawn, masked, seen_alone
from bianlian.model.gan_config import SCHEDULES, GanConfig, Phase, phase_at
from bianlian.model.gan_light import LightDecoder, LightEncoder, load_folded, start_neutral
from bianlian.model.gan_losses import edges, feature_distance, l1, mask_loss, reconstruction, relativistic, toward
from bianlian.model.gan_nets import GanDecoder, GanEncoder, Judge, init_gan
from bianlian.model.masked import MaskedPath, front_loss
from bianlian.model.path import PersonPath
from bianlian.model.perceptual import Perceptual, open_perceptual
from bianlian.model.plain import mean_over_faces, reported
from bianlian.model.protocol import Batch, Engine
from bianlian.model.visible import Visible

ARTISTS, JUDGES, ALONE = "artists", "judges", "alone"
FACE, FACE_WEIGHT = DeepfakeConfig(), 2.0
"""Parts of the loss on the face, as in ``deepfake``; its weight in runs from the base."""
RATES: Mapping[str, float] = MappingProxyType({"full": 1e-4, "light": 2e-4})
"""Learning rate of the artists by width: the reference's, and what the narrow network takes."""


class GanNetworks(nn.Module):
    """All networks of the model. One call does all that one side's step needs, so that it can be spread over processes."""

    def __init__(self, config: GanConfig, people: int) -> None:
        super().__init__()
        light = config.width == "light"
        self.encoder: nn.Module = LightEncoder(config) if light else GanEncoder(config)
        self.decoders = nn.ModuleList(LightDecoder(config) if light else GanDecoder(config) for _ in range(people))
        self.judges = nn.ModuleList(Judge(config) for _ in range(people if config.judges == "each" else 1))
        self.visible = Visible() if config.visible else None
        self.relative = config.adversarial == "relativistic"
        self.cycle = config.weights.cycle > 0

    def forward(self, warped: Sequence[Tensor], truth: Sequence[Tensor], mix: Tensor, side: str) -> list[dict[str, Any]]:
        """Draw, and score what was drawn.

        warped, truth: one (B, 3, S, S) in [0, 1] a person; mix (people,) in [0, 1]: share of the real one in the mixes.
        side: ``judges``, who score mixes (or drawn and real ones) and send no gradient to the artists; ``artists``; or ``alone``,
        artists without judges. -> for each person: ``scores`` of masked and raw drawings, one behind the other, (2B, 1, 8, 8), and
        ``real``: scores of the real ones, where they are needed; for the artists ``drawn``: rgb, mask, smaller, and ``cycle``: rgb
        and two masks.
        """
        if side == JUDGES:
            with torch.no_grad():
                drawn = self.draw(warped)
        else:
            drawn = self.draw(warped)
        said = []
        for k, (d, w, t) in enumerate(zip(drawn, warped, truth, strict=True)):
            row: dict[str, Any] = {} if side == ALONE else self._judged(k, d, w * 2 - 1, t * 2 - 1, mix[k], side)
            if side != JUDGES:
                row["drawn"] = [d.rgb, d.mask, *d.smaller]
                if self.cycle:
                    row["cycle"] = self._there_and_back(k, t)
            said.append(row)
        return said

    def draw(self, crops: Sequence[Tensor]) -> list[Drawn]:
        """Draw each person by their own decoder: one (B, 3, S, S) in [0, 1] a person."""
        together, counts = torch.cat(list(crops)), [len(c) for c in crops]
        drawn = [decoder(code) for decoder, code in zip(self.decoders, self.encoder(together).split(counts), strict=True)]
        if self.visible is None:
            return drawn
        return [seen_alone(d, v) for d, v in zip(drawn, self.visible(together).split(counts), strict=True)]

    def _judged(self, k: int, drawn: Drawn, under: Tensor, real: Tensor, mix: Tensor, side: str) -> dict[str, Tensor]:
        judge = self.judges[k % len(self.judges)]
        pictures, twice = torch.cat([masked(drawn, under), drawn.rgb]), torch.cat([under, under])
        if self.relative:
            scores = judge(torch.cat([torch.cat([pictures, real]), torch.cat([twice, under])], 1))
            return {"scores": scores[: 2 * len(real)], "real": scores[2 * len(real) :]}
        if side == JUDGES:
            pictures = mix * torch.cat([real, real]) + (1 - mix) * pictures
        return {"scores": judge(torch.cat([pictures, twice], 1))}

    def _there_and_back(self, k: int, truth: Tensor) -> list[Tensor]:
        """Draw the next person in person k's place, and person k in theirs again -> rgb, mask there, mask back."""
        seen = None if self.visible is None else self.visible(truth)
        there = seen_alone(self.decoders[(k + 1) % len(self.decoders)](self.encoder(truth)), seen)
        between = (masked(there, truth * 2 - 1) + 1) / 2
        back = seen_alone(self.decoders[k](self.encoder(between)), seen)
        return [back.rgb, there.mask, back.mask]


class Gan:
    """The ``gan`` model for a tuple of named people (see ``model.Trainable``)."""

    Config = GanConfig
    shares = 2
    card = ModelCard(
        "sharp faces and a mask that learns what to keep of the target; wants a GPU at full width",
        "faceswap-GAN v2.2 (S. Lu, 2018); SAGAN, arXiv 1805.08318",
    )

    def __init__(self, config: GanConfig, people: Sequence[str], generator: torch.Generator) -> None:
        self.config, self.people = config, tuple(people)
        self.networks = self.networks_for(config, len(self.people))
        init_gan(self.networks, generator)
        start_neutral(self.networks)
        if self.networks.visible is not None:
            self.networks.visible.load()
        self._seed = generator.initial_seed()
        self._perceptual: Perceptual | None = None

    @staticmethod
    def networks_for(config: GanConfig, people: int) -> GanNetworks:
        """Make the networks, their weights as they come."""
        return GanNetworks(config, people)

    @staticmethod
    def defaults(width: str, *, based: bool, iterations: int | None) -> dict[str, Any]:
        """Give the settings that a new run writes down: rate, schedule and losses for what it starts from, the schedule's length.

        The pretrained mask is inside ``light`` alone: ``full`` is the reference's.
        """
        length = {} if iterations is None else {"iterations": iterations}
        schedule = "short" if based else "reference"
        face = FACE_WEIGHT if based else 0.0
        return {"lr": RATES.get(width, RATES["full"]), "schedule": schedule, "visible": width == "light", "face": face, **length}

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return self.config.size

    def path(self, person: int) -> PersonPath:
        """Give encoder and decoder that draw person number ``person``: (B, 3, S, S) -> (B, 4, S, S), the mask last."""
        return MaskedPath(self.networks.encoder, self.networks.decoders[person], self.networks.visible, signed=True)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Weights with the optimiser settings they want, for Adam; weight decay is for kernels alone."""
        groups: list[dict[str, Any]] = []
        artists = [*self.networks.encoder.parameters(), *self.networks.decoders.parameters()]
        for weights, rate in ((artists, 1.0), (list(self.networks.judges.parameters()), self.config.judge_rate)):
            for kernels in (True, False):
                some = [w for w in weights if (w.ndim > 1) == kernels]
                decay = self.config.weight_decay if kernels else 0.0
                groups.append({"params": some, "lr": rate * self.config.lr, "betas": self.config.betas, "weight_decay": decay})
        return [group for group in groups if group["params"]]

    def step(self, batch: Sequence[Batch], engine: Engine) -> dict[str, Tensor]:
        """Train judges on the first half of each person's faces and artists on the second -> mean losses, each person's total.

        In a phase without judges the artists train on either half, one after the other.
        """
        clock = engine.clock if self.config.schedule == "short" else 0.0  # the reference's phases are of iterations
        phase, first = phase_at(SCHEDULES[self.config.schedule], engine.iteration, self.config.iterations, clock)
        if engine.part == 0:
            self._enter(phase, first, engine)
        rng = np.random.default_rng([self._seed, engine.iteration])
        mix = torch.from_numpy(rng.beta(self.config.mixing, self.config.mixing, len(batch)).astype(np.float32))
        mix = mix.to(batch[0].truth.device)
        halves = [(b.part(0, len(b.truth) // 2), b.part(len(b.truth) // 2, len(b.truth))) for b in batch]
        ahead = [half[0] for half in halves]
        if phase.adversarial:
            judged = self._train_judges(ahead, mix, engine)
        else:
            self._train_artists(ahead, mix, engine, phase)
            judged = mix.new_zeros(())
        each = self._train_artists([half[1] for half in halves], mix, engine, phase)
        return reported(each, self.people) | {"judge": judged}

    def start_from(self, base: Mapping[str, Tensor], portraits: Sequence[Tensor]) -> None:
        """Start from the pretrained base, see ``Deepfake.start_from``; at width ``light`` alone."""
        encoder = self.networks.encoder
        assert isinstance(encoder, LightEncoder)
        load_folded(encoder, self.networks.decoders, fold_base(encoder.config, base, portraits))

    def _enter(self, phase: Phase, first: bool, engine: Engine) -> None:
        if first and phase.rotate:
            self._rotate()
        for group in engine.optimizer.param_groups:
            group["lr"] *= phase.rate

    def _train_judges(self, batch: Sequence[Batch], mix: Tensor, engine: Engine) -> Tensor:
        said = engine.networks([b.warped for b in batch], [b.shown for b in batch], mix, JUDGES)
        losses = []
        for k, row in enumerate(said):
            halves = row["scores"].chunk(2)  # masked and raw
            if self.config.adversarial == "relativistic":
                losses.append(sum_of(relativistic(row["real"], half) for half in halves))
            else:
                losses.append(sum_of(toward(half, mix[k]) for half in halves))
        loss = mean_over_faces(losses, [len(b.truth) for b in batch])
        engine.optimizer.zero_grad(set_to_none=True)
        engine.backward(loss)
        engine.optimizer.step()
        return loss.detach()

    def _train_artists(self, batch: Sequence[Batch], mix: Tensor, engine: Engine, phase: Phase) -> list[dict[str, Tensor]]:
        engine.optimizer.zero_grad(set_to_none=True)
        self.networks.judges.requires_grad_(False)
        try:
            side = ARTISTS if phase.adversarial else ALONE
            said = engine.networks([b.warped for b in batch], [b.shown for b in batch], mix, side)
            losses = [self._losses(row, b, phase) for row, b in zip(said, batch, strict=True)]
            engine.backward(mean_over_faces([terms["total"] for terms in losses], [len(b.truth) for b in batch]))
            engine.optimizer.step()
        finally:
            self.networks.judges.requires_grad_(True)
        return losses

    def _losses(self, row: Mapping[str, Any], batch: Batch, phase: Phase) -> dict[str, Tensor]:
        weights, truth = self.config.weights, batch.truth * 2 - 1
        rgb, mask, *smaller = row["drawn"]
        drawn = Drawn(rgb, mask, tuple(smaller))
        terms = {
            "reconstruction": weights.reconstruction * reconstruction(drawn, truth, batch.eyes, weights.eyes),
            "edge": weights.edge * edges(rgb, truth, batch.eyes, weights.eyes),
            "mask": mask_loss(mask, weights, phase),
        }
        if self.config.face > 0:
            terms["face"] = self.config.face * reconstruction_losses(FACE, (rgb + 1) / 2, batch.truth, batch.weight)["total"]
        if batch.hidden is not None and batch.bare is not None:
            terms["front"] = front_loss(mask, batch.hidden, batch.bare, hidden=weights.hidden, bare=weights.bare)
        if phase.adversarial:
            terms["adversarial"] = weights.adversarial * sum_of(self._fooling(half, row) for half in row["scores"].chunk(2))
        network = self._perceptual_network(rgb.device)
        if network is not None and phase.perceptual:
            seen, wanted = network((masked(drawn, batch.warped * 2 - 1) + 1) / 2), network(batch.shown)
            terms["perceptual"] = feature_distance(seen, wanted, weights.perceptual)
        if weights.cycle > 0:
            again, there, back = row["cycle"]
            terms["cycle"] = weights.cycle * (l1(again, batch.shown * 2 - 1) + weights.cycle_mask * l1(there, back))
        terms["total"] = torch.stack(list(terms.values())).sum()
        return terms

    def _fooling(self, scores: Tensor, row: Mapping[str, Any]) -> Tensor:
        return relativistic(scores, row["real"]) if self.config.adversarial == "relativistic" else toward(scores, 1.0)

    def _perceptual_network(self, device: torch.device) -> Perceptual | None:
        if self.config.perceptual != "none" and self._perceptual is None:
            self._perceptual = open_perceptual(self.config.perceptual, self.config.perceptual_file).to(device)
        return self._perceptual

    def _rotate(self) -> None:
        states = [{name: w.clone() for name, w in decoder.state_dict().items()} for decoder in self.networks.decoders]
        for decoder, state in zip(self.networks.decoders, [*states[1:], states[0]], strict=True):
            decoder.load_state_dict(state)


def sum_of(values: Any) -> Tensor:
    """Add scalars."""
    return torch.stack(list(values)).sum()

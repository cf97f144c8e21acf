"""How HEAR-Net is trained: things are put before targets, AEI-Net loses some of them, and HEAR-Net puts them back.

Source: "FaceShifter", arXiv 1912.13457, section 3.2: identity, change and reconstruction losses. What differs: the exact answer is
known, with the same thing before it, so the reconstruction counts for every example and not only where source and target are one;
and half of all examples get something in front, where the paper adds the tenth of its faces with the largest heuristic errors.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bianlian.model.base import Base
from bianlian.model.faceshifter.aei import AeiNet, init_aei
from bianlian.model.faceshifter.hear import HearNet
from bianlian.model.faceshifter.losses import change_loss, identity_loss, same_reconstruction
from bianlian.model.faceshifter.recogniser import Recogniser
from bianlian.train.pretrain import Arrays, as_picture
from bianlian.train.pretrain_oneshot import hidden_batch
from bianlian.train.swaps import Swaps

HIDDEN = 0.5
"""Share of examples with something before the face."""
ANSWER = 10.0
"""Weight of the reconstruction; the others weigh 1."""


class HearRecipe:
    """Recipe of ``model.faceshifter.hear.HearNet``.

    aei, and base where it takes a draft: they swap, and are not trained. recogniser: says who is seen. network: to train, the
    published one when None.
    """

    betas = (0.0, 0.999)

    def __init__(self, aei: AeiNet, base: Base | None, recogniser: Recogniser, seed: int, network: HearNet | None = None) -> None:
        self._aei, self._base, self._recogniser = aei.eval().requires_grad_(False), base, recogniser
        self._network = network or HearNet()
        init_aei(self._network, torch.Generator().manual_seed(seed))

    @property
    def network(self) -> HearNet:
        """The network."""
        return self._network

    def batch(self, data: Swaps, count: int, rng: np.random.Generator) -> Arrays:
        """Make ``count`` examples."""
        return hidden_batch(data, count, self._aei.config.size, HIDDEN, rng)

    def draw(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Swap, see what redrawing the target itself loses, and correct -> (B, 6, S, S): corrected, then swapped."""
        target, portrait, photo = (as_picture(batch[k]) for k in (0, 1, 5))
        with torch.no_grad():
            swapped = self._swap(target, portrait, batch[2], photo)
            known = self._recogniser.to(target.device).look(target)[0]
            small = torch.nn.functional.interpolate(target, size=portrait.shape[2:], mode="area")
            error = target - self._swap(target, small, known, target)
        return torch.cat([self._network(swapped, error), swapped], 1)

    def losses(self, drawn: Tensor, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compare with the source, with what was swapped, and with the answer."""
        corrected, swapped = drawn[:, :3], drawn[:, 3:]
        truth = as_picture(batch[3])
        everyone = torch.ones(len(truth), device=truth.device)
        terms = {
            "identity": identity_loss(self._recogniser.look(corrected)[0], batch[2]),
            "change": change_loss(corrected, swapped),
            "reconstruction": ANSWER * same_reconstruction(corrected, truth, everyone),
        }
        return terms | {"total": torch.stack(list(terms.values())).sum()}

    def _swap(self, target: Tensor, portrait: Tensor, described: Tensor, photo: Tensor) -> Tensor:
        self._aei.to(target.device)
        draft = None if self._base is None else self._base.to(target.device)(target, portrait)
        told = self._aei.tell(portrait, described)
        drawn: Tensor = self._aei(target, told, draft, photo if self._aei.config.photo else None)
        return drawn.clamp(0, 1)

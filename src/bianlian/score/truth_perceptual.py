"""Perceptual distance to the truth: how different two faces are to a network's features.

After R. Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018 (LPIPS): features of
several layers, each position's channels scaled to length 1, squared differences summed over channels and averaged over
positions, then over layers. What differs: the features are those of dlib's face network after its first three stages
(``identity._dlib_resnet``), whose weights are at hand; layers and channels count alike (nothing was fitted to people's
judgements); the picture is the face, cut where the target's is. Figures of other LPIPS networks do not compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from bianlian import align
from bianlian.identity.dlib import COVERAGE, SIDE
from bianlian.runtime import compile_module
from bianlian.score.metric import Card, Metric
from bianlian.score.pair import Pair
from bianlian.score.truth import exact
from bianlian.types import Image, Landmarks
from bianlian.weights import CARDS, locate

if TYPE_CHECKING:
    from torch import Tensor, nn

STAGES = (3, 7, 10)
"""Blocks after which features are taken: 32, 64 and 128 channels."""

CARD = Card(
    name="truth_perceptual",
    title="Perceptual distance to the truth",
    unit="",
    better="down",
    ideal=None,
    says="distance of a face network's features from those of the truth",
    source="as LPIPS (Zhang et al. 2018), features of dlib's network",
    digits=4,
    part="truth",
)


@final
class Features:
    """Gives a face's features. For one thread at a time."""

    def __init__(self) -> None:
        """Load the network. Raises WeightsError."""
        self._network = compile_module(_trunk(), (3, 3, SIDE, SIDE))

    def distances(self, images: Sequence[Image], landmarks: Landmarks) -> tuple[float, float]:
        """Measure how far the first two of three pictures are from the third, each cut at ``landmarks``."""
        crop_from_frame = align.crop_from_frame(landmarks, SIDE, COVERAGE)
        chips = np.stack([align.cut(image, crop_from_frame, SIDE).image for image in images]).transpose(0, 3, 1, 2)
        layers = self._network(np.ascontiguousarray(chips, np.float32) / np.float32(255))
        parts = [_apart(layer) for layer in layers]
        return float(np.mean([p[0] for p in parts])), float(np.mean([p[1] for p in parts]))


def perceptual_metric(features: Features) -> Metric:
    """Make the metric; it looks at the frames that are described."""

    def look(now: Pair, before: Pair | None) -> tuple[float, float]:
        del before
        if now.truth is None or now.truth.looks is None or now.target.landmarks is None:
            return (np.nan, np.nan)
        return features.distances([now.out.image, now.target.image, now.truth.image], now.target.landmarks)

    return Metric(CARD, look, exact(0.0, 1e-6), width=2)


def _apart(layer: NDArray[np.float32]) -> tuple[float, float]:
    unit = layer / np.sqrt((layer**2).sum(1, keepdims=True) + 1e-10)
    squared = ((unit[:2] - unit[2]) ** 2).sum(1).mean((1, 2))
    return float(squared[0]), float(squared[1])


def _trunk() -> nn.Module:
    import torch
    from torch import nn
    from torch.nn import functional

    from bianlian.identity._dlib_resnet import load_dlib_resnet

    class Trunk(nn.Module):
        """The first stages. (B, 3, 150, 150) RGB in [0, 1] -> features of each of STAGES."""

        def __init__(self) -> None:
            super().__init__()
            self.whole = load_dlib_resnet(locate(CARDS["dlib_descriptor"]))

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            """Give the features of the stages."""
            net = self.whole
            x = functional.relu(net.inp_affine(net.inp(x * (255 / 256) - net.mean)))
            x = functional.max_pool2d(x, 3, 2)
            out = []
            for k, block in enumerate(list(net.blocks)[: STAGES[-1]], start=1):
                x = block(x)
                if k in STAGES:
                    out.append(x)
            return tuple(out)

    with torch.no_grad():
        return Trunk().eval()

"""The Face Alignment Network's 68 points. Its network comes with the package ``face-alignment``; never the default.

Source: A. Bulat and G. Tzimiropoulos, "How far are we from solving the 2D & 3D face alignment problem?", ICCV 2017, arXiv
1703.07332; the 2-D network of four hourglasses, by OpenVINO. Its weights are fetched from their author's address; they were trained
on 300-W-LP, whose terms exclude commercial use: a ``TermsWarning`` says so each time it is loaded. What differs: the picture is
cut upright by the face's points, not from the detector's box; a peak's place between the cells of the heat map is found by a
parabola through the logarithms of its neighbours (exact for the Gaussians it was trained on) in place of a quarter of a cell; a
second pass starts from the first one's points. As in the package, the mirrored picture counts as much as the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bianlian.detect.pyramid import Pyramid
from bianlian.errors import ConfigError, PluginError, WeightsError
from bianlian.geometry import apply, box_of, compose, invert
from bianlian.landmark._terms import show_terms
from bianlian.landmark._upright import settle, square_from_head
from bianlian.landmark.schemes import MIRRORED68
from bianlian.runtime import compile_module
from bianlian.types import Face, Image, Landmarks, Matrix, check_image
from bianlian.weights import EXTRA_CARDS, locate

SIDE, CELLS = 256, 64
"""Sides of the network's input, in pixels, and of its heat maps, in cells."""
INSTALL = "pip install 'bianlian[fan68]' && pip install --no-deps 'face-alignment>=1.5'"
"""How to get the package without the second build of OpenCV that it asks for."""
_SQUARE = square_from_head((0.0, 0.19), 2.0, SIDE)
"""What the network was trained to see, by the paper's code: a square of 200/195 of the sum of the sides of the box around the 68
points, its middle 12 % of the box's height above the box's."""


class Fan68:
    """Marks 68 points (scheme ``ibug68``); keeps the contract ``Landmarker``. For one thread at a time.

    presence: a face is None when the mean peak of its heat maps, about 1 for a clear face, is below this. passes: 1 or more.
    """

    def __init__(self, *, presence: float = 0.2, passes: int = 2) -> None:
        """Load the network and warn of its terms.

        Raises ConfigError for a setting out of range, PluginError when face-alignment is not installed, and WeightsError.
        """
        if not 0 <= presence <= 1:
            raise ConfigError(f"presence must lie in [0, 1], got {presence}; 0.2 is the default")
        if passes < 1:
            raise ConfigError(f"passes must be 1 or more, got {passes}; 2 is the default")
        self._presence, self._passes = presence, passes
        make = _network_class()
        card = EXTRA_CARDS["fan_68"]
        net = load_weights(make(4), locate(card))
        self._network = compile_module(_Last(net), (2, 3, SIDE, SIDE))
        show_terms(card)

    def mark(self, image: Image, faces: Sequence[Face]) -> list[Face | None]:
        """Mark each face: ``landmarks`` set to the 68 points, ``box`` refitted to them; score kept.

        image (H, W, 3) uint8; faces with boxes in its pixels -> as many faces, None where there is no face. The landmarks of a
        face, when it has some, say how the head is turned; without them it is taken to be upright.
        """
        check_image(image)
        pyramid = Pyramid(image)
        return [self._mark(pyramid, face) for face in faces]

    def _mark(self, pyramid: Pyramid, face: Face) -> Face | None:
        settled = settle(face, lambda head: self._run(pyramid, compose(_SQUARE, head)), self._passes)
        if settled is None or not settled[1] >= self._presence:
            return None
        return Face(box_of(settled[0].points), face.score, settled[0])

    def _run(self, pyramid: Pyramid, view_from_frame: Matrix) -> tuple[Landmarks, float]:
        view = pyramid.view(view_from_frame, SIDE, replicate=True).transpose(2, 0, 1) / np.float32(255)
        both = np.stack([view, view[:, :, ::-1]]).astype(np.float32)
        straight, mirrored = self._network(both)[0]
        cells, heights = peaks((straight + mirrored[list(MIRRORED68)][:, :, ::-1]) / 2)
        step = SIDE / CELLS
        points = step * cells + (step - 1) / 2
        return Landmarks(apply(invert(view_from_frame), points), "ibug68"), float(heights.mean())


class _Last(torch.nn.Module):
    """The heat maps of the last hourglass only: (N, 3, S, S) -> (N, 68, S/4, S/4)."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.net(pictures)[-1]
        return maps


def load_weights(net: torch.nn.Module, path: Path) -> torch.nn.Module:
    """Fill a network from a file of torch's own format; only tensors are read, never code. Raises WeightsError."""
    try:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises whatever a damaged file leads it to
        raise WeightsError(f"{path} does not hold this network's weights: {str(error).strip().splitlines()[0]}") from error
    return net.eval()


def peaks(maps: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the highest place of each heat map (N, C, C) -> (x, y) in cells (N, 2), its height (N,)."""
    count, cells = len(maps), maps.shape[-1]
    flat = maps.reshape(count, -1).astype(np.float64)
    best = flat.argmax(1)
    rows = np.arange(count)
    heights = flat[rows, best]
    places = np.stack([best % cells, best // cells], axis=1).astype(np.float64)
    logs = np.log(np.maximum(flat, 1e-6 * np.maximum(heights, 1e-6)[:, None]))
    for axis, stride in ((0, 1), (1, cells)):
        inside = (places[:, axis] > 0) & (places[:, axis] < cells - 1)
        left, middle, right = (logs[rows, np.where(inside, best + k * stride, best)] for k in (-1, 0, 1))
        bend = 2 * middle - left - right
        places[:, axis] += np.where(bend > 1e-9, np.clip((right - left) / np.maximum(2 * bend, 1e-9), -0.5, 0.5), 0.0)
    return places, heights


def _network_class() -> Any:
    """Take the network's class from face-alignment 1.5 or later. Raises PluginError that says how to install it."""
    try:
        return import_module("face_alignment.models").FAN
    except (ImportError, AttributeError) as error:
        raise PluginError(f"fan68 wants the package face-alignment, which does not load ({error}); {INSTALL}") from error

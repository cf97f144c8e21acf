"""A person as a ``Swapper`` from photos alone: the network from one photo, told who they are, compiled for the CPU."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bianlian.errors import WeightsError
from bianlian.identity.people import centre
from bianlian.model.faceshifter.aei import AeiNet
from bianlian.model.faceshifter.config import CONFIGS
from bianlian.runtime import compile_module
from bianlian.swap.photos import Eyes, Sitter, sit
from bianlian.swap.pipeline import Role
from bianlian.swap.settings import SwapSettings
from bianlian.swap.swapper import CompiledSwapper
from bianlian.types import Note, silent
from bianlian.weights import CARDS, locate

CARD, ONE_PHOTO = "oneshot-128", "one photo"
"""Card of the weights that ship, and what reports call a network from one photo."""
CONFIG = CONFIGS["compact"]


def photo_roles(
    people: Sequence[tuple[str | None, Sequence[Path]]],
    settings: SwapSettings,
    *,
    weights: Path | None = None,
    note: Note = silent,
) -> list[Role]:
    """Make the roles of a swap from photos. people: who is replaced (None: as ``settings`` say), and the photos of who goes in.

    settings: name what looks at photos. weights: of the network, those that ship when None. Raises InputError, NoFaceError,
    FacesetError, PluginError, WeightsError.
    """
    network, eyes = open_network(weights), Eyes.open(settings)
    sitters = [(who, sit(photos, eyes, note=note)) for who, photos in people]
    return [Role(tell_network(network, sitter), who, sitter.consent) for who, sitter in sitters]


def open_network(weights: Path | None = None) -> AeiNet:
    """Load the network. weights: its file, the one that ships when None. Raises WeightsError."""
    path, network = weights or locate(CARDS[CARD]), AeiNet(CONFIG)
    try:
        network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsError(f"{path} is no network from one photo: {str(error).splitlines()[0]}") from error
    return network.eval().requires_grad_(False)


def tell_network(network: AeiNet, sitter: Sitter, *, threads: int | None = None) -> CompiledSwapper:
    """Tell the network who goes in, and compile what is left: target -> swapped. threads: all cores when None."""
    module, size = _Told(network, told_of(network, sitter)), network.config.size
    compiled = compile_module(module, (1, 3, size, size), threads=threads or os.cpu_count() or 1, dynamic_batch=True)
    return CompiledSwapper(compiled, size, sitter.name)


def told_of(network: AeiNet, sitter: Sitter) -> Tensor:
    """Say who a person is -> (1, told): the mean over their photos, those unlike the others left out of the description."""
    pictures = torch.from_numpy(sitter.portraits.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    known = torch.from_numpy(centre(sitter.descriptions).astype(np.float32)).expand(len(pictures), -1)
    with torch.no_grad():
        return network.tell(pictures, known).mean(0, keepdim=True)


class _Told(nn.Module):
    """The network for one person: (B, 3, S, S) -> (B, 3, S, S)."""

    told: Tensor

    def __init__(self, network: AeiNet, told: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("told", told)

    def forward(self, target: Tensor) -> Tensor:
        """Swap."""
        drawn: Tensor = self.network(target, self.told)
        return drawn

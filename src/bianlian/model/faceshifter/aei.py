"""AEI-Net: the identity of one picture in the attributes of another, without training for either of them.

Source: "FaceShifter", arXiv 1912.13457, section 3.1: an attribute encoder (``attributes.py``), and a generator of AAD blocks
(``aad.py``) that starts from the identity and is doubled between blocks.

What differs in the ``change`` form, for CPUs. The answer lies near the target's own picture, so the network does not draw it from
nothing: it bends the picture by a smooth field (a nose gets wider), draws another and says where that one counts. Blocks keep
their channels and a 1x1 convolution narrows them before they are doubled, which is a third of the work; the finest blocks work at
half the picture's side. Because a recogniser's description is blind to much of what people see (it is trained to forget tone,
make-up and beards), a look network adds numbers of its own from the source's picture. And where there is a network that draws
anybody in any pose already, soft and in a light of its own (``model.base``), what it draws is seen beside the target, and what is
drawn over the target starts from it. That draft is soft; a photo of the source laid over the target's face (``train.lay``) is not.
So the tone is the target's, what is finer the draft's, and what is finer still the photo's, bent once more by a field of its own;
place by place the network says how much of it counts, and where the tone is the target's in its broad light alone: a beard that has
to go leaves no shadow. What it draws itself is then light and shade, coarser than four pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from bianlian.errors import InputError
from bianlian.model.blocks import SLOPE, init_weights
from bianlian.model.faceshifter.aad import Aad, AadBlock
from bianlian.model.faceshifter.attributes import AttributeEncoder
from bianlian.model.faceshifter.config import DETAIL, LOOK_SIDE, TONE, AeiConfig

REACH = 0.12
"""Farthest that a point is bent, in halves of the picture's side."""
LOUDER = 8.0
"""Factor that brings a description's numbers, of about 0.1, to the size that layers expect."""
DRAWN, SHADED, TAKEN = 16, 5, 7
"""Channels of the head, at half the picture's side: a picture and its share; with a photo light and shade and their share; share
and field of what is taken from the photo, and the share of the draft's own tone.

What is drawn has no colour and nothing fine where draft, photo and target bring these: a network that was let draw them learned to
please the recogniser with green brows, red noses and a lattice over the forehead. The same weights, 96 held-out faces: L1 0.0345
with colour, 0.0340 without, structural 0.0740 and 0.0744; after some more training 0.0337 with what is fine, 0.0332 without,
structural 0.0734 and 0.0722.
"""
SHY, SURE = -2.0, 2.0
"""Where the drawn picture counts at first: its share is the sigmoid of this; ``SURE`` with a photo, which makes it good at once."""


class LookNet(nn.Module):
    """What a person looks like beyond a recogniser's description."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        channels = (3, 32, 64, 128, 192)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels))
        self.head = nn.Linear(channels[-1] * (LOOK_SIDE // 16) ** 2, numbers)

    def forward(self, x: Tensor) -> Tensor:
        """Look. x (B, 3, 64, 64) in [0, 1] -> (B, numbers)."""
        x = x * 2 - 1
        for conv in self.down:
            x = functional.leaky_relu(conv(x), SLOPE)
        numbers: Tensor = self.head(x.flatten(1))
        return numbers


class AeiNet(nn.Module):
    """The network, see the module's text."""

    def __init__(self, config: AeiConfig) -> None:
        super().__init__()
        self.config, change = config, config.output == "change"
        seen = 3 * (1 + config.draft + 2 * config.photo)
        self.attributes = AttributeEncoder(config.down, normalised=not change, full=not change, inputs=seen)
        self.look = LookNet(config.look) if config.look else None
        self.identity = _mixer(config.told, config.identity) if change else nn.Identity()
        self.start = nn.ConvTranspose2d(config.identity, config.up[0], config.size // 2 ** len(config.down))
        self.blocks, self.narrow = nn.ModuleList(), nn.ModuleList()
        for k, (inputs, outputs) in enumerate(pairwise(config.up)):
            attributes = self.attributes.widths[min(k, config.maps - 1)]
            if change:
                self.narrow.append(nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity())
                inputs = outputs
            self.blocks.append(AadBlock(inputs, outputs, attributes, config.identity, config.masked))
        given = 2 + (SHADED + TAKEN if config.photo else DRAWN)
        self.head = nn.Conv2d(config.up[-1] + 4 * seen, given, 3, padding=1) if change else None

    def tell(self, pictures: Tensor, descriptions: Tensor) -> Tensor:
        """Say who people are; the mean over several pictures of a person is theirs.

        pictures (B, 3, 64, 64) in [0, 1], descriptions (B, 128) -> (B, ``config.told``).
        """
        numbers = descriptions * LOUDER
        return numbers if self.look is None else torch.cat([numbers, self.look(pictures)], 1)

    def attributes_of(self, target: Tensor, draft: Tensor | None = None, photo: Tensor | None = None) -> list[Tensor]:
        """Give the attribute maps of a target, coarsest first. Arguments as of ``forward``."""
        maps: list[Tensor] = self.attributes(torch.cat([target, *_grounds(target, draft, photo)], 1))
        return maps

    def forward(
        self, target: Tensor, told: Tensor, draft: Tensor | None = None, photo: Tensor | None = None, strength: float = 0.0
    ) -> Tensor:
        """Swap. target (B, 3, S, S) in [0, 1], told (B, ``config.told``) -> (B, 3, S, S), [0, 1] or about that (``change``).

        draft, photo: the answer as another network draws it, and the source's photo laid over the target's face, (B, 3, S, S) both,
        where the settings say so. strength: added to the logit of the share of what is drawn over the target (``change``); above 0
        less of the target shows. Raises InputError where a picture lacks, or is too much.
        """
        fields = self.fields(target, told, draft, photo, strength)
        return fields if self.head is None else done(fields, target, photo)

    def fields(
        self, target: Tensor, told: Tensor, draft: Tensor | None = None, photo: Tensor | None = None, strength: float = 0.0
    ) -> Tensor:
        """Say what ``change`` does with the pictures, which may be had finer: see ``done``. Arguments and errors as of ``forward``.

        -> (B, 6, S, S), with a photo (B, 9, S, S): the share of the target that stays, RGB that is added, the field by which the
        target is bent; then the share of the photo that is added and its field. Of the form ``picture``: the picture.
        """
        for name, given, wanted in (("draft", draft, self.config.draft), ("photo", photo, self.config.photo)):
            if (given is not None) != wanted:
                raise InputError(f"this network takes {'a' if wanted else 'no'} {name} beside the target")
        grounds = _grounds(target, draft, photo)
        seen = torch.cat([target, *grounds], 1)
        maps, z_id = self.attributes(seen), self.identity(told)
        h = self.start(z_id[..., None, None])
        for k, block in enumerate(self.blocks):
            if len(self.narrow):
                h = self.narrow[k](h)
            if k:
                h = _double(h)
            z_att = maps[min(k, self.config.maps - 1)]
            for _ in range(k + 1 - self.config.maps):
                z_att = _double(z_att)
            h = block(h, z_att, z_id)
        if self.head is None:
            return (torch.tanh(h) + 1) / 2
        out = self.head(torch.cat([functional.leaky_relu(h, SLOPE), functional.pixel_unshuffle(seen * 2 - 1, 2)], 1))
        return _changes(out, grounds, photo, strength)


def done(fields: Tensor, target: Tensor, photo: Tensor | None) -> Tensor:
    """Do with pictures (B, 3, S, S) what a network's fields say (``AeiNet.fields``) -> (B, 3, S, S)."""
    changed = fields[:, :1] * bend(target, fields[:, 4:6]) + fields[:, 1:4]
    return changed if photo is None else changed + fields[:, 6:7] * bend(photo, fields[:, 7:9])


def _changes(out: Tensor, grounds: Sequence[Tensor], photo: Tensor | None, strength: float) -> Tensor:
    """Turn what the head gives, (B, ..., S/2, S/2), into fields. grounds: see ``_grounds``."""
    if photo is None:
        drawn, push = functional.pixel_shuffle(out[:, :DRAWN], 2), REACH * torch.tanh(_double(out[:, DRAWN:]))
        share = torch.sigmoid(drawn[:, 3:] + SHY + strength)
        return torch.cat([1 - share, share * ((grounds[0] if grounds else 0.5) + drawn[:, :3]), push], 1)
    shaded, more = _double(_smooth(out[:, :1])), out[:, SHADED + 2 :]
    push = REACH * torch.tanh(_double(out[:, SHADED : SHADED + 2]))
    share = torch.sigmoid(functional.pixel_shuffle(out[:, 1:SHADED], 2) + SURE + strength)
    near, lent, broad = grounds
    taken, own = torch.sigmoid(functional.pixel_shuffle(more[:, :4], 2)), torch.sigmoid(_double(more[:, 6:]) + SHY)
    pull = REACH * torch.tanh(_double(more[:, 4:6]))
    ground = near + own * (broad - near) + taken * (bend(lent - photo, pull) - near)
    return torch.cat([1 - share, share * (ground + shaded), push, share * taken, pull], 1)


def init_aei(network: nn.Module, generator: torch.Generator) -> None:
    """Fill the weights of a network of this folder: He's rule, transposed convolutions too; AAD layers begin near the identity."""
    init_weights(network, generator)
    for layer in network.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            taps = max(1, layer.kernel_size[0] // layer.stride[0]) ** 2 if layer.stride[0] > 1 else 1
            nn.init.normal_(layer.weight, 0, math.sqrt(2 / (1 + SLOPE**2) / (taps * layer.in_channels)), generator=generator)
        elif isinstance(layer, Aad):
            for part in (layer.attribute, layer.identity):
                part.weight.data.mul_(0.5)
        if isinstance(layer, nn.ConvTranspose2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
        if isinstance(layer, AeiNet) and layer.head is not None:
            layer.head.weight.data.mul_(0.1)


def _grounds(target: Tensor, draft: Tensor | None, photo: Tensor | None) -> list[Tensor]:
    """Give what is seen beside the target: draft and photo in its tone, and with a photo the draft in its broad light alone."""
    if draft is None:
        return []
    near = toned(draft, target, TONE)
    return [near] if photo is None else [near, toned(photo, near, DETAIL), toned(draft, target, target.shape[-1] // 2)]


def toned(picture: Tensor, like: Tensor, side: int) -> Tensor:
    """Give a picture the tone of another one: what is coarser than squares of ``side`` pixels. Both (B, 3, S, S) -> the same."""
    difference = functional.avg_pool2d(like - picture, side)
    return picture + functional.interpolate(difference, scale_factor=float(side), mode="bilinear", align_corners=False)


def _smooth(x: Tensor) -> Tensor:
    """Blur by 1, 2, 1 both ways, of which nothing as fine as two pixels is left."""
    wide = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    return functional.avg_pool2d(functional.avg_pool2d(wide, 2, 1), 2, 1)


def bend(picture: Tensor, push: Tensor) -> Tensor:
    """Fetch every pixel from elsewhere -> (B, C, H, W). picture: so; push (B, 2, H, W): x then y, in halves of the sides."""
    height, width = picture.shape[2:]
    x = (torch.arange(width, device=picture.device, dtype=picture.dtype) * 2 + 1) / width - 1
    y = (torch.arange(height, device=picture.device, dtype=picture.dtype) * 2 + 1) / height - 1
    grid = torch.stack([x + push[:, 0], y[:, None] + push[:, 1]], 3)
    return functional.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _mixer(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE), nn.Linear(outputs, outputs), nn.LeakyReLU(SLOPE))


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

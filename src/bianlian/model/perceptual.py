"""Networks whose features say how alike two pictures of faces look: the plug-in kind ``perceptual``.

Each gives four maps, of 1/2, 1/4, 1/8 and 1/32 of the side of its own input, which is what the reference takes from a face
recogniser (ResNet-50, maps of 112, 55, 28 and 7 of 224 pixels). ``base`` ships with the package: the encoder of the pretrained
base. ``dlib`` is the face descriptor that is fetched from a wheel. On 28 frames of five rendered pairs another person's face was
further from the truth than a harmless change (a shift of one pixel, 8 % more light, JPEG) in 100 % of frames for ``dlib``, in 93 %
for ``base`` and in 54 % for plain L1 (``bench/quality/perceptual.py``). ``base`` is the default all the same: it costs half, needs
no download, and leaves the descriptor, by which results are judged, out of the training. ``vgg16`` and ``vggface`` read
a file of the user's: a safetensors file with the names ``features.0.weight``, ``features.0.bias``, ... of the
common PyTorch layout of VGG-16 (Simonyan & Zisserman, arXiv 1409.1556; faces: Parkhi, Vedaldi & Zisserman, BMVC 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import _disable_current_modes

from bianlian import plugins
from bianlian.align import COVERAGE
from bianlian.errors import ConfigError, WeightsError
from bianlian.identity import dlib
from bianlian.model.autoencoder import DeepfakeConfig, Encoder
from bianlian.weights import CARDS, locate

BASE_SIDE = 128
VGG_SIDE = 224
_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class Perceptual(Protocol):
    """A frozen network, an ``nn.Module``."""

    def __call__(self, pictures: Tensor) -> list[Tensor]:
        """Look. pictures (B, 3, S, S) in [0, 1], the model's crops -> four maps (B, C, H, W), fine to coarse."""
        ...

    def to(self, device: torch.device) -> Perceptual:
        """Move to a device."""
        ...


def open_perceptual(name: str, file: str) -> Perceptual:
    """Open a network of the table. file: its weights, empty where they ship or have an address.

    Raises PluginError, ConfigError for a file that is missing or not wanted, WeightsError.
    """
    make: Callable[[str], Perceptual] = plugins.load("perceptual", name)
    with _disable_current_modes():  # a file holds numbers, also where a step is played on tensors without (``train.memory``)
        return make(file)


class BaseFeatures(nn.Module):
    """Maps of the shipped base's encoder, 128 px."""

    def __init__(self, file: str = "") -> None:
        """Load. Raises WeightsError, ConfigError when a file is named."""
        super().__init__()
        _no_file(file, "base")
        state = load_file(locate(CARDS["base-light-128"]))
        encoder = Encoder(DeepfakeConfig(size=BASE_SIDE, width="light"))
        mine = {name.removeprefix("encoder."): value.float() for name, value in state.items() if name.startswith("encoder.")}
        encoder.load_state_dict(mine)
        self.down = encoder.down
        _freeze(self)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Look, see ``Perceptual``."""
        x, maps = _sized(pictures, BASE_SIDE), []
        for layer in self.down:
            x = layer(x)
            maps.append(x)
        return [maps[k] for k in (0, 1, 2, 4)]


class DlibFeatures(nn.Module):
    """Maps of dlib's face descriptor, 150 px."""

    def __init__(self, file: str = "") -> None:
        """Load. Raises WeightsError, ConfigError when a file is named."""
        from bianlian.identity._dlib_resnet import load_dlib_resnet

        super().__init__()
        _no_file(file, "dlib")
        self.network = load_dlib_resnet(locate(CARDS["dlib_descriptor"]))
        _freeze(self)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Look, see ``Perceptual``. The face is cut as the descriptor wants it."""
        return self.network.maps(dlib_view(pictures))


class _Vgg16(nn.Module):
    """Maps of VGG-16, 224 px, from a file. mean, std: taken off RGB in [0, 1], and what it is divided by."""

    def __init__(self, file: str, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if not Path(file).is_file():
            raise ConfigError(f"this perceptual network wants its weights as a safetensors file (perceptual_file), got {file!r}")
        self.stages = nn.ModuleList()
        channels, index, state = 3, 0, _read(Path(file))
        for stage in _VGG16:
            convs = []
            for filters in stage:
                convs.append(_loaded(nn.Conv2d(channels, filters, 3, padding=1), state, f"features.{index}", file))
                channels, index = filters, index + 2
            index += 1
            self.stages.append(nn.ModuleList(convs))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])
        _freeze(self)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Look, see ``Perceptual``."""
        x, maps = (_sized(pictures, VGG_SIDE) - self.mean) / self.std, []
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            for conv in stage:
                x = functional.relu(conv(x))
            maps.append(x)
            x = functional.max_pool2d(x, 2)
        return [*maps[1:4], x]


def vgg16(file: str) -> nn.Module:
    """Open VGG-16 trained on ImageNet."""
    return _Vgg16(file, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def vggface(file: str) -> nn.Module:
    """Open VGG-16 trained on faces, which takes RGB 0..255 less its mean."""
    return _Vgg16(file, (129.1863 / 255, 104.7624 / 255, 93.5940 / 255), (1 / 255, 1 / 255, 1 / 255))


def dlib_view(pictures: Tensor) -> Tensor:
    """Cut the descriptor's picture out of the model's crops: (B, 3, S, S) -> (B, 3, 150, 150).

    Both framings are centred on the same point but for a shift.
    """
    share = COVERAGE / dlib.COVERAGE  # side of the descriptor's picture in crops
    down = 2 * dlib.DOWN / dlib.SIDE * share  # in the grid's units, where a crop is 2 high
    theta = torch.tensor([[[share, 0.0, 0.0], [0.0, share, -down]]], device=pictures.device).expand(len(pictures), 2, 3)
    grid = functional.affine_grid(theta, [len(pictures), 3, dlib.SIDE, dlib.SIDE], align_corners=False)
    return functional.grid_sample(pictures.float(), grid, padding_mode="border", align_corners=False)


def _sized(pictures: Tensor, side: int) -> Tensor:
    if pictures.shape[-1] == side:
        return pictures
    smaller = pictures.shape[-1] > side
    return functional.interpolate(pictures, size=(side, side), mode="area" if smaller else "bilinear")


def _no_file(file: str, name: str) -> None:
    if file:
        raise ConfigError(f"the perceptual network {name} brings its own weights; leave perceptual_file empty, got {file!r}")


def _freeze(module: nn.Module) -> None:
    module.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no safetensors file: {error}") from error


def _loaded(conv: nn.Conv2d, state: dict[str, Tensor], name: str, file: str) -> nn.Conv2d:
    weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
    if weight is None or bias is None or weight.shape != conv.weight.shape:
        raise WeightsError(f"{file} is no VGG-16: {name}.weight of shape {tuple(conv.weight.shape)} and its bias were wanted")
    conv.load_state_dict({"weight": weight.float(), "bias": bias.float()})
    return conv

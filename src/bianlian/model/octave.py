"""Octave convolution: a share of the channels lives at half the resolution.

Y_high = HH(X_high) + up2(LH(X_low)); Y_low = LL(X_low) + HL(pool2(X_high)), with nearest doubling and mean pooling; a stride of 2
is a mean pool first. The first layer of a stack takes no low channels, the last one gives none. Each output has one bias,
on the path that stays in its own resolution (on the only path, where there is but one).
Source: Chen et al., "Drop an octave", arXiv 1904.05049.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from bianlian.errors import ConfigError
from bianlian.model.small_map import SmallMapConv2d

Maps = Tensor | tuple[Tensor, Tensor]
"""Features: (B, C, H, W), or high (B, C1, H, W) and low (B, C2, H / 2, W / 2)."""
SHARES = (0.125, 0.25, 0.5, 0.75)
"""Shares of low channels that the paper measured."""


def check_octave(alpha: float) -> None:
    """Raise ConfigError unless ``alpha`` is a share of channels in [0, 1)."""
    if not 0 <= alpha < 1:
        raise ConfigError(f"octave is the share of channels at half resolution, in [0, 1), got {alpha}")


def flops_share(alpha: float) -> float:
    """Share of a plain convolution's work that is left when alpha of both its inputs and outputs are low."""
    return 1 - 0.75 * alpha * (2 - alpha)


def memory_share(alpha: float) -> float:
    """Share of the memory of plain features that is left when alpha of the channels are low."""
    return 1 - 0.75 * alpha


def low_channels(channels: int, alpha: float, unit: int = 1) -> int:
    """Number of low channels of a map, a multiple of ``unit``; with alpha above 0 both parts hold at least one unit."""
    if alpha == 0:
        return 0
    units = channels // unit
    return unit * min(max(1, round(alpha * units)), units - 1)


def each(work: Callable[[Tensor], Tensor], maps: Maps) -> Maps:
    """Apply a function to each resolution."""
    return (work(maps[0]), work(maps[1])) if isinstance(maps, tuple) else work(maps)


def same_conv(channels: int, filters: int, kernel: int, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    """Make a convolution that keeps the size (or halves it); an even kernel wants ``padded`` input."""
    return SmallMapConv2d(channels, filters, kernel, stride=stride, padding=(kernel - 1) // 2, bias=bias)


def padded(x: Tensor, kernel: int) -> Tensor:
    """Add the row and column that an even kernel of stride 1 lacks, right and below."""
    return functional.pad(x, (0, 1, 0, 1)) if kernel % 2 == 0 else x


def convolution(
    channels: int,
    filters: int,
    kernel: int,
    *,
    stride: int = 1,
    bias: bool = True,
    alphas: tuple[float, float] = (0.0, 0.0),
    unit: int = 1,
) -> nn.Module:
    """Make a convolution: a plain one, or an octave one where a share of low channels comes in or goes out.

    alphas: shares of the input and of the output. unit: see ``low_channels``.
    """
    if alphas == (0.0, 0.0):
        return same_conv(channels, filters, kernel, stride=stride, bias=bias)
    return OctConv(channels, filters, kernel, stride=stride, bias=bias, alphas=alphas, unit=unit)


class OctConv(nn.Module):
    """An octave convolution: ``Maps`` of ``channels`` in all -> ``Maps`` of ``filters`` in all."""

    def __init__(
        self, channels: int, filters: int, kernel: int, *, stride: int, bias: bool, alphas: tuple[float, float], unit: int = 1
    ) -> None:
        super().__init__()
        # what comes in was split by the same rule, whatever its unit: pixel shuffle divides both parts by four
        low_in, low_out = low_channels(channels, alphas[0]), low_channels(filters, alphas[1], unit)
        high_in, high_out = channels - low_in, filters - low_out
        self.stride, self.kernel = stride, kernel
        self.high = same_conv(high_in, high_out, kernel, bias=bias)
        self.high_to_low = same_conv(high_in, low_out, kernel, bias=bias and not low_in) if low_out else None
        self.low_to_high = same_conv(low_in, high_out, kernel, bias=False) if low_in else None
        self.low = same_conv(low_in, low_out, kernel, bias=bias) if low_in and low_out else None

    def paths(self) -> list[nn.Conv2d]:
        """The two to four convolutions it is made of."""
        return [path for path in (self.high, self.high_to_low, self.low_to_high, self.low) if path is not None]

    def forward(self, x: Maps) -> Maps:
        """Convolve. Sides of the high map must be a multiple of 4 with stride 2, of 2 otherwise."""
        high, low = x if isinstance(x, tuple) else (x, None)
        if self.stride == 2:
            high, low = functional.avg_pool2d(high, 2), None if low is None else functional.avg_pool2d(low, 2)
        out_high: Tensor = self.high(padded(high, self.kernel))
        if self.low_to_high is not None and low is not None:
            out_high = out_high + functional.interpolate(self.low_to_high(padded(low, self.kernel)), scale_factor=2.0)
        if self.high_to_low is None:
            return out_high
        out_low: Tensor = self.high_to_low(padded(functional.avg_pool2d(high, 2), self.kernel))
        if self.low is not None and low is not None:
            out_low = out_low + self.low(padded(low, self.kernel))
        return out_high, out_low

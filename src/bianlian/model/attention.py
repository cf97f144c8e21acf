"""Self-attention over the positions of a feature map, as in SAGAN.

1x1 convolutions f and g to an eighth of the channels and h to all of them; softmax over f(x)^T g(x); the result is scaled by a
learned gamma that starts at 0 and is added to the input, so that a new layer changes nothing at first.
Source: Zhang, Goodfellow, Metaxas & Odena, arXiv 1805.08318. What differs: each resolution of an octave map is
attended to by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bianlian.model.octave import Maps, low_channels


class SelfAttention(nn.Module):
    """Attend to all positions: (B, C, H, W) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Attend. (B, C, H, W) -> (B, C, H, W)."""
        query, key, value = (conv(x).flatten(2).transpose(1, 2)[:, None] for conv in (self.query, self.key, self.value))
        attended = torch.unflatten(attend(query, key, value)[:, 0].transpose(1, 2), 2, x.shape[2:])
        return x + self.gamma * attended


class OctAttention(nn.Module):
    """Attend to an octave map: high and low positions each among themselves."""

    def __init__(self, channels: int, alpha: float) -> None:
        super().__init__()
        low = low_channels(channels, alpha)
        self.high, self.low = SelfAttention(channels - low), SelfAttention(low)

    def forward(self, x: Maps) -> Maps:
        """Attend. ``Maps`` -> the same shapes."""
        high, low = x
        return self.high(high), self.low(low)


def attention(channels: int, alpha: float = 0.0) -> nn.Module:
    """Make self-attention for a map of which a share alpha is low."""
    return OctAttention(channels, alpha) if alpha else SelfAttention(channels)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Mean of the values under softmax(query key^T), unscaled. (B, 1, N, D), (B, 1, N, D), (B, 1, N, C) -> (B, 1, N, C).

    Queries and keys are filled up with zeros to the length of the values: then the N x N weights are never held in memory, and a
    step over 4096 positions takes 0.4 of the time on a CPU. There bf16 is slower than float32, hence no autocast.
    """
    lacking = value.shape[-1] - query.shape[-1]
    query, key = (functional.pad(t, (0, lacking)) for t in (query, key))
    if value.device.type == "cpu":
        with torch.autocast("cpu", enabled=False):
            return functional.scaled_dot_product_attention(query.float(), key.float(), value.float(), scale=1.0)
    return functional.scaled_dot_product_attention(query, key, value, scale=1.0)

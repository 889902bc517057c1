"""Blocks that compute little: the identity, pooling, nothing at all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nascli.search_space.blocks.basic import conv_norm
from nascli.search_space.blocks.options import kept, odd, wholes


def shrink(stride: int) -> nn.Module:
    """(N, C, H, W) → (N, C, ceil(H / stride), ceil(W / stride)), each pixel the mean of those it stands for."""
    return nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()


def skip(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The identity; a 1×1 convolution with BatchNorm where the channels change, mean pooling where only the map."""
    return shrink(stride) if in_channels == out_channels else conv_norm(in_channels, out_channels, 1, stride)


def avg_pool(in_channels: int, out_channels: int, stride: int, *, kernel: int = 3) -> nn.Module:
    """Mean pooling that leaves the padding out; a 1×1 convolution with BatchNorm after it where the channels change."""
    pool = nn.AvgPool2d(odd(kernel), stride, kernel // 2, count_include_pad=False)
    return _projected(pool, in_channels, out_channels)


def max_pool(in_channels: int, out_channels: int, stride: int, *, kernel: int = 3) -> nn.Module:
    """Maximum pooling; a 1×1 convolution with BatchNorm after it where the channels change."""
    return _projected(nn.MaxPool2d(odd(kernel), stride, kernel // 2), in_channels, out_channels)


def _projected(pool: nn.Module, in_channels: int, out_channels: int) -> nn.Module:
    return pool if in_channels == out_channels else nn.Sequential(pool, conv_norm(in_channels, out_channels))


def global_average(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """(N, C, H, W) → (N, C, 1, 1)."""
    kept("pooling", in_channels, out_channels)
    return nn.AdaptiveAvgPool2d(1)


def global_depthwise(in_channels: int, out_channels: int, stride: int, *, kernel: Sequence[int]) -> nn.Module:
    """A weight for each pixel of each channel, BatchNorm: (N, C, *kernel) → (N, C, 1, 1) (arXiv:1804.07573).

    Args:
        kernel: height and width of the map that reaches it.
    """
    channels = kept("a depthwise convolution", in_channels, out_channels)
    sizes = wholes("kernel", kernel)
    if len(sizes) != 2:
        raise ValueError(f"kernel must be the height and the width of the map, found {kernel!r}")
    weigh = nn.Conv2d(channels, channels, (sizes[0], sizes[1]), groups=channels, bias=False)
    return nn.Sequential(weigh, nn.BatchNorm2d(channels))


class Zero(nn.Module):
    """Zeros, whatever comes in; the gradient of the input is zero too, not missing."""

    def __init__(self, out_channels: int, stride: int) -> None:
        super().__init__()
        self.out_channels, self.stride = out_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        # filled, not multiplied: 0 · inf is no zero
        plane = x[:, :1, :: self.stride, :: self.stride]
        everywhere = plane.new_ones((), dtype=torch.bool)
        return plane.masked_fill(everywhere, 0.0).repeat(1, self.out_channels, 1, 1)

    def extra_repr(self) -> str:
        """What stands between the brackets when it is printed."""
        return f"{self.out_channels}, stride={self.stride}"


def zero(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Zeros, with no parameters: the layer is not there."""
    return Zero(out_channels, stride)

"""Units of two branches whose channels are shuffled together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nascli.search_space.blocks.basic import conv_norm
from nascli.search_space.blocks.options import halved

Branch = Callable[[int, int], nn.Module]


class ShuffleUnit(nn.Module):
    """Two branches, side by side, then shuffled (ShuffleNetV2, arXiv:1807.11164).

    Args:
        main: the branch that is always there.
        side: the other; None: the input is split, and its first half stays as it is.
    """

    def __init__(self, main: nn.Module, side: nn.Module | None) -> None:
        super().__init__()
        self.main, self.side = main, side
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        left, right = x.chunk(2, 1) if self.side is None else (self.side(x), x)
        y: Tensor = self.shuffle(torch.cat((left, self.main(right)), 1))
        return y


def shuffle(
    in_channels: int, out_channels: int, stride: int, *, kernel: int, activation: str | None = "relu"
) -> nn.Module:
    """The unit of ShuffleNetV2. It splits its input where the shape is kept; else both branches see all of it."""

    def main(channels: int, half: int) -> nn.Module:
        return nn.Sequential(
            conv_norm(channels, half, activation=activation),
            conv_norm(half, half, kernel, stride, groups=half),
            conv_norm(half, half, activation=activation),
        )

    return _unit(in_channels, out_channels, stride, main, _side(kernel, stride, activation))


def shuffle_x(in_channels: int, out_channels: int, stride: int, *, activation: str | None = "relu") -> nn.Module:
    """The unit that SPOS (arXiv:1904.00420) takes from Xception: its main branch has three depthwise convolutions."""

    def main(channels: int, half: int) -> nn.Module:
        return nn.Sequential(
            conv_norm(channels, channels, 3, stride, groups=channels),
            conv_norm(channels, half, activation=activation),
            conv_norm(half, half, 3, groups=half),
            conv_norm(half, half, activation=activation),
            conv_norm(half, half, 3, groups=half),
            conv_norm(half, half, activation=activation),
        )

    return _unit(in_channels, out_channels, stride, main, _side(3, stride, activation))


def _unit(in_channels: int, out_channels: int, stride: int, main: Branch, side: Branch) -> nn.Module:
    half = halved(out_channels)
    if stride == 1 and in_channels == out_channels:
        return ShuffleUnit(main(half, half), None)
    return ShuffleUnit(main(in_channels, half), side(in_channels, half))


def _side(kernel: int, stride: int, activation: str | None) -> Branch:
    def side(channels: int, half: int) -> nn.Module:
        return nn.Sequential(
            conv_norm(channels, channels, kernel, stride, groups=channels),
            conv_norm(channels, half, activation=activation),
        )

    return side

"""A candidate block of one's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation


class Ghost(nn.Module):
    """Half of the channels by a 1×1 convolution, the other half by a depthwise one from them (arXiv:1911.11907)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, kernel: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.first = Conv2dNormActivation(in_channels, half, 1, stride)
        self.cheap = Conv2dNormActivation(half, out_channels - half, kernel, groups=half)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        first = self.first(x)
        return torch.cat([first, self.cheap(first)], dim=1)


def ghost(in_channels: int, out_channels: int, stride: int, *, kernel: int) -> nn.Module:
    """The builder that a `Block` names."""
    return Ghost(in_channels, out_channels, stride, kernel)

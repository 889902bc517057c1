"""Atrous spatial pyramid pooling."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from nascli.search_space.blocks.options import wholes
from nascli.search_space.blocks.pooling import shrink


def aspp(in_channels: int, out_channels: int, stride: int, *, rates: Sequence[int] = (12, 24, 36)) -> nn.Module:
    """Dilated 3×3 convolutions of several rates and the mean of the map, side by side (DeepLabV3, arXiv:1706.05587).

    Args:
        rates: in pixels of the input; with a stride, the result is shrunk afterwards.
    """
    pyramid: nn.Module = ASPP(in_channels, wholes("rates", rates), out_channels)
    return pyramid if stride == 1 else nn.Sequential(pyramid, shrink(stride))

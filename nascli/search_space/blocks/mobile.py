"""Inverted residuals: with one depthwise kernel, and with several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from nascli.search_space.blocks.activations import activation_of
from nascli.search_space.blocks.basic import conv_norm
from nascli.search_space.blocks.options import odd, shared_out, whole, wholes


class InvertedResidual(nn.Module):
    """Expand, depthwise, project, with a residual where the shape is kept (MobileNetV2, arXiv:1801.04381)."""

    def __init__(self, body: Sequence[nn.Module], *, residual: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.body(x)
        return x + y if self.residual else y


class MixedDepthwise(nn.Module):
    """A depthwise convolution whose channels have kernels of several sizes.

    Args:
        splits: the number of channels of each kernel.
    """

    def __init__(self, kernels: Sequence[int], splits: Sequence[int], stride: int) -> None:
        super().__init__()
        self.splits = list(splits)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
            for kernel, channels in zip(map(odd, kernels), splits, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, ceil(H / stride), ceil(W / stride))."""
        parts = x.split(self.splits, 1)
        return torch.cat([conv(part) for conv, part in zip(self.convs, parts, strict=True)], 1)


def mobile(  # noqa: PLR0913 (a builder's options are its keywords)
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    kernel: int,
    expansion: int,
    activation: str | None = "relu6",
    se: bool = False,
    groups: int = 1,
    expand: bool | None = None,
) -> nn.Module:
    """The inverted residual of MobileNetV2, with what FBNet (arXiv:1812.03443) and MobileNetV3 add.

    Args:
        kernel: of the depthwise convolution, odd.
        expansion: how many times wider it is than the input.
        se: squeeze-and-excitation behind it, a quarter of the input wide.
        groups: of both 1×1 convolutions; behind the first one the channels are shuffled.
        expand: whether the first 1×1 convolution is there; None: unless it neither widens nor has groups.
    """
    width = in_channels * whole("expansion", expansion)
    if expand is False and expansion != 1:
        raise ValueError(f"expand: false keeps the channels, it needs expansion 1, found {expansion}")
    body: list[nn.Module] = []
    if expand or (expand is None and (expansion, groups) != (1, 1)):
        body.append(conv_norm(in_channels, width, groups=groups, activation=activation))
        body += [nn.ChannelShuffle(groups)] if groups > 1 else []
    body.append(conv_norm(width, width, kernel, stride, groups=width, activation=activation))
    body += _excited(width, in_channels, se)
    body.append(conv_norm(width, out_channels, groups=groups))
    return InvertedResidual(body, residual=stride == 1 and in_channels == out_channels)


def mixconv(
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    kernels: Sequence[int],
    expansion: int,
    splits: Sequence[int] | None = None,
    activation: str | None = "relu6",
    se: bool = False,
) -> nn.Module:
    """An inverted residual whose depthwise channels have several kernels (MixNet, arXiv:1907.09595).

    Args:
        kernels: odd.
        splits: how many of the in_channels · expansion channels each kernel has; None: equal shares, the rest to
            the first.
    """
    width = in_channels * whole("expansion", expansion)
    sizes = wholes("kernels", kernels)
    body: list[nn.Module] = [] if expansion == 1 else [conv_norm(in_channels, width, activation=activation)]
    body.append(MixedDepthwise(sizes, shared_out(width, splits, sizes), stride))
    body.append(nn.BatchNorm2d(width))
    make = activation_of(activation, width)
    body += [make()] if make else []
    body += _excited(width, in_channels, se)
    body.append(conv_norm(width, out_channels))
    return InvertedResidual(body, residual=stride == 1 and in_channels == out_channels)


def _excited(width: int, in_channels: int, se: bool) -> list[nn.Module]:
    return [SqueezeExcitation(width, max(1, in_channels // 4))] if se else []

"""Convolutions one after another, and the classifier."""

from __future__ import annotations

from torch import nn
from torchvision.ops import Conv2dNormActivation

from nascli.search_space.blocks.activations import activation_of
from nascli.search_space.blocks.options import divided, kept, odd


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: str | None = None,
) -> nn.Module:
    """Convolution without bias, BatchNorm, activation: (N, C, H, W) → (N, out_channels, H / stride, …), rounded up."""
    made: nn.Module = Conv2dNormActivation(
        in_channels,
        out_channels,
        odd(kernel),
        stride,
        groups=divided(groups, in_channels, out_channels),
        activation_layer=activation_of(activation, out_channels),
        inplace=None,
    )
    return made


def conv(
    in_channels: int, out_channels: int, stride: int, *, kernel: int, activation: str | None = "relu6"
) -> nn.Module:
    """Convolution, BatchNorm, activation."""
    return conv_norm(in_channels, out_channels, kernel, stride, activation=activation)


def depthwise(
    in_channels: int, out_channels: int, stride: int, *, kernel: int, activation: str | None = "relu6"
) -> nn.Module:
    """Depthwise convolution, BatchNorm, activation; it cannot change the number of channels."""
    channels = kept("a depthwise convolution", in_channels, out_channels)
    return conv_norm(channels, channels, kernel, stride, groups=channels, activation=activation)


def separable(
    in_channels: int, out_channels: int, stride: int, *, kernel: int, activation: str | None = "relu6"
) -> nn.Module:
    """Depthwise, then pointwise, each with BatchNorm and activation (MobileNet, arXiv:1704.04861)."""
    return nn.Sequential(
        depthwise(in_channels, in_channels, stride, kernel=kernel, activation=activation),
        conv_norm(in_channels, out_channels, activation=activation),
    )


def classifier(in_channels: int, out_channels: int, stride: int, *, dropout: float = 0.0) -> nn.Module:
    """(N, C, 1, 1) → (N, classes)."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(in_channels, out_channels))

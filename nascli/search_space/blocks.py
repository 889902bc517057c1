"""Candidate blocks, from torchvision.ops where it has them.

A builder takes (in_channels, out_channels, stride, **options) and returns a module (N, C, H, W) →
(N, out_channels, ceil(H / stride), ceil(W / stride)).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, SqueezeExcitation

from nascli.config import closest
from nascli.errors import UsageError
from nascli.search_space.chain import Placed

ACTIVATIONS: Mapping[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hswish": nn.Hardswish,
    "silu": nn.SiLU,
}


def _activation(name: str) -> Callable[..., nn.Module]:
    if name not in ACTIVATIONS:
        raise ValueError(f"there is no activation '{name}'" + closest(name, ACTIVATIONS))
    return ACTIVATIONS[name]


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError(f"kernel {kernel} is even; only odd ones keep the size of the map")
    return kernel


def conv(in_channels: int, out_channels: int, stride: int, *, kernel: int, activation: str = "relu6") -> nn.Module:
    """Convolution, BatchNorm, activation."""
    block: nn.Module = Conv2dNormActivation(
        in_channels, out_channels, _odd(kernel), stride, activation_layer=_activation(activation)
    )
    return block


class InvertedResidual(nn.Module):
    """Expand, depthwise, project, with a residual where the shape is kept (MobileNetV2, arXiv:1801.04381)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        *,
        kernel: int,
        expansion: int,
        activation: str,
        se: bool,
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        act = _activation(activation)
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(Conv2dNormActivation(in_channels, width, 1, activation_layer=act))
        layers.append(Conv2dNormActivation(width, width, _odd(kernel), stride, groups=width, activation_layer=act))
        if se:
            layers.append(SqueezeExcitation(width, max(1, in_channels // 4)))
        layers.append(Conv2dNormActivation(width, out_channels, 1, activation_layer=None))
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.body(x)
        return x + y if self.residual else y


def mobile(
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    kernel: int,
    expansion: int,
    activation: str = "relu6",
    se: bool = False,
) -> nn.Module:
    """The inverted residual of MobileNetV2, with squeeze-and-excitation as an option."""
    return InvertedResidual(
        in_channels, out_channels, stride, kernel=kernel, expansion=expansion, activation=activation, se=se
    )


def skip(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The identity; a 1×1 convolution with BatchNorm where the shape changes."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    projection: nn.Module = Conv2dNormActivation(in_channels, out_channels, 1, stride, activation_layer=None)
    return projection


def global_average(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """(N, C, H, W) → (N, C, 1, 1)."""
    if in_channels != out_channels:
        raise ValueError(f"pooling keeps the channels, it cannot make {out_channels} of {in_channels}")
    return nn.AdaptiveAvgPool2d(1)


def classifier(in_channels: int, out_channels: int, stride: int, *, dropout: float = 0.0) -> nn.Module:
    """(N, C, 1, 1) → (N, classes)."""
    return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(in_channels, out_channels))


BUILDERS: Mapping[str, Callable[..., nn.Module]] = {
    "conv": conv,
    "mobile": mobile,
    "skip": skip,
    "global_average": global_average,
    "classifier": classifier,
}


def build(placed: Placed) -> nn.Module:
    """The module of a block in its place.

    Raises:
        UsageError: no such operation, or options that it does not take.
    """
    block, where = placed.block, f"{placed.where}, block '{placed.block.name}'"
    if block.op not in BUILDERS:
        raise UsageError(f"{where}: there is no operation '{block.op}'" + closest(block.op, BUILDERS))
    try:
        return BUILDERS[block.op](placed.in_channels, placed.out_channels, placed.stride, **block.options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where} ({block.op}): {error}") from None


def sequence(placed: Sequence[Placed]) -> nn.Sequential:
    """Blocks one after another."""
    return nn.Sequential(*map(build, placed))


def chain(parts: Mapping[str, Sequence[Placed]]) -> nn.Sequential:
    """Named parts one after another."""
    return nn.Sequential(OrderedDict((name, sequence(placed)) for name, placed in parts.items()))

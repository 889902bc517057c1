"""Blocks in their places, and what a test asks of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.search_space.blocks.build import build
from nascli.search_space.chain import Block, Placed


def placed(
    op: str, options: dict[str, Any] | None = None, *, into: int = 4, out: int = 4, stride: int = 1, size: int = 8
) -> Placed:
    """Block "b" in layer_03, on a square map."""
    return Placed(Block("b", op, options or {}), into, out, stride, (into, size, size), "layer_03")


def made(op: str, options: dict[str, Any] | None = None, **place: int) -> nn.Module:
    """Its module, with the same weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(placed(op, options, **place))


def refused(op: str, options: dict[str, Any] | None = None, **place: int) -> str:
    """What is said of a block that cannot be built, behind its place and its name."""
    with pytest.raises(UsageError, match=r"^layer_03, block 'b'") as caught:
        build(placed(op, options, **place))
    return str(caught.value)


def convs(block: nn.Module) -> list[tuple[int, int, int, int]]:
    """Input channels, output channels, kernel and groups of each convolution, in order."""
    return [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.groups) for m in block.modules() if isinstance(m, nn.Conv2d)
    ]


def random(channels: int, height: int = 8, width: int = 8) -> Tensor:
    """Two random images in float64."""
    return torch.rand(2, channels, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(7))


def same_weights(block: nn.Module, other: nn.Module) -> None:
    """Random parameters and statistics in float64, the same in both networks, which have them in the same order."""
    generator = torch.Generator().manual_seed(5)
    other.double().load_state_dict(
        {name: _like(value, generator) for name, value in other.state_dict().items()}, strict=True
    )
    mine, theirs = block.double().state_dict(), other.state_dict()
    block.load_state_dict(dict(zip(mine, theirs.values(), strict=True)))
    block.eval()
    other.eval()


def _like(value: Tensor, generator: torch.Generator) -> Tensor:
    if not value.is_floating_point():
        return value
    return torch.rand(value.shape, dtype=torch.float64, generator=generator) + 0.1

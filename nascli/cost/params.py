"""`params`: the number of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nascli.cost.meter import Meter

if TYPE_CHECKING:
    from torch import nn


class Params(Meter):
    """Numbers in the parameters of a block: weights, biases and BatchNorm's scales, not its running statistics."""

    metric = "params"
    unit = "1"
    exact = True
    shapes_only = True
    counts_modules = True

    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> int:
        """The number of parameters, a shared one counted once; `shape` does not matter."""
        return sum(parameter.numel() for parameter in module.parameters())

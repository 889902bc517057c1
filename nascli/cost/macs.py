"""`macs`: multiply-accumulates of convolutions and linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nascli.cost.meter import Meter

if TYPE_CHECKING:
    from torch import nn


class Macs(Meter):
    """Multiply-accumulates of convolutions and linear layers, nothing else, batch 1.

    What a forward executes counts, whether or not its output needs it.
    """

    metric = "macs"
    unit = "MAC"
    exact = True
    shapes_only = True

    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> int:
        """The multiply-accumulates of one input of `shape` (C, H, W)."""
        from nascli.cost.executed import count_macs

        return count_macs(module, shape)

"""The supernet of a chain: a fixed first part, choices in a row, a fixed last part."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class Chain(nn.Module):
    """Modules one after another."""

    def __init__(self, first: nn.Module, layers: Mapping[str, nn.Module], last: nn.Module) -> None:
        super().__init__()
        self.first, self.layers, self.last = first, nn.ModuleDict(layers), last

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, classes)."""
        x = self.first(x)
        for layer in self.layers.values():
            x = layer(x)
        output: Tensor = self.last(x)
        return output

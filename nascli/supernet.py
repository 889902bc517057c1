"""The module that shares weights between architectures: supernet(x, forward)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from nascli.space import Forward, Selection


def reduce(outputs: list[Tensor], weights: Tensor | None) -> Tensor:
    """Σ weights[i] · outputs[i]; the plain sum where there are no weights. All outputs have one shape."""
    total = outputs[0] if weights is None else weights[0] * outputs[0]
    for i, output in enumerate(outputs[1:], start=1):
        total = total + (output if weights is None else weights[i] * output)
    return total


class Superlayer(nn.Module):
    """All candidates of one decision; only the selected ones run."""

    def __init__(self, candidates: Iterable[nn.Module]) -> None:
        super().__init__()
        self.candidates = nn.ModuleList(candidates)

    def forward(self, x: Tensor, selection: Selection) -> Tensor:
        """(N, C, H, W) → the selected candidates' outputs, reduced."""
        return reduce([self.candidates[i](x) for i in selection.active], selection.weights)


class Supernet(nn.Module):
    """A network in which each decision is still open; what runs is an argument of the call."""

    @abstractmethod
    def forward(self, x: Tensor, forward: Forward) -> Tensor:
        """Run `x` (N, C, H, W) through what `forward` selects for each label."""


class ChainSupernet(Supernet):
    """A fixed first part, superlayers in a row, a fixed last part."""

    def __init__(self, first: nn.Module, layers: Mapping[str, nn.Module], last: nn.Module) -> None:
        super().__init__()
        self.first, self.layers, self.last = first, nn.ModuleDict(layers), last

    def forward(self, x: Tensor, forward: Forward) -> Tensor:
        """(N, C, H, W) → (N, classes)."""
        x = self.first(x)
        for label, layer in self.layers.items():
            x = layer(x, forward[label])
        output: Tensor = self.last(x)
        return output

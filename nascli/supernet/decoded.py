"""Decoding: an ordinary module without the branches that an architecture does not take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from nascli.supernet.mutables import Mutable
from nascli.supernet.selected import reduce

if TYPE_CHECKING:
    from nascli.supernet.mutables import Reduction


class Chosen(nn.Module):
    """Some of several tensors, reduced.

    Args:
        chosen: positions of the tensors.
        reduction: as in `reduce`.
    """

    def __init__(self, chosen: tuple[int, ...], reduction: Reduction) -> None:
        super().__init__()
        self.chosen, self.reduction = chosen, reduction

    def forward(self, tensors: Sequence[Tensor]) -> Any:
        """The chosen ones alone; the others may be None."""
        return reduce([tensors[i] for i in self.chosen], None, self.reduction)

    def extra_repr(self) -> str:
        """For people."""
        return f"{self.chosen}, {self.reduction}"


class Listed(nn.Module):
    """A layer whose output is put into a list, as a choice without reduction gives it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *args: Any, **kwargs: Any) -> list[Any]:
        """The output alone in a list."""
        return [self.layer(*args, **kwargs)]


class Absent(nn.Module):
    """Stands for a choice whose output nobody takes."""

    def forward(self, *args: Any, **kwargs: Any) -> None:
        """None, whatever the arguments."""


def decode(network: nn.Module, chosen: Mapping[str, int | None]) -> nn.Module:
    """The network with every choice replaced by what it does for one index; changes `network` in place.

    Args:
        network: with choices; their labels are known (see `choices_of`).
        chosen: label → index, None where the decision does not exist.
    """
    done: dict[nn.Module, nn.Module] = {}

    def replaced(module: nn.Module) -> nn.Module:
        if module in done:
            return done[module]
        found = module
        if isinstance(module, Mutable):
            index = chosen[module.label or ""]
            found = Absent() if index is None else replaced(module.decoded(index))
        done[module] = found
        if found is module:
            for name, child in list(module._modules.items()):  # all names: a module may stand under several
                module._modules[name] = child if child is None else replaced(child)
        return found

    return replaced(network)

"""A network that is searched by any space: its output tells what ran."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nascli.space import Decision, Space
from nascli.supernet.base import Supernet
from nascli.supernet.mutables import InputChoice, LayerChoice


class Scale(nn.Module):
    """factor · x."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        return self.factor * x


class Picked(nn.Module):
    """An input choice among multiples of one tensor."""

    def __init__(self, decision: Decision) -> None:
        super().__init__()
        self.choice = InputChoice(None, decision.candidates, decision.n_chosen, label=decision.label)

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        output: Tensor = self.choice([(2.0 + i) * x for i in range(self.choice.n_candidates)])
        return output


def network(space: Space) -> Supernet:
    """A supernet with the decisions of `space`, of scalar factors alone."""
    return Supernet(nn.Sequential(*map(_choice, space.decisions)))


def _choice(decision: Decision) -> nn.Module:
    if decision.n_chosen != 1:
        return Picked(decision)
    return LayerChoice([Scale(2.0 + i) for i in range(decision.size)], label=decision.label)


def left_over(module: nn.Module) -> float:
    """What the bound mutator lets a network make of 1."""
    with torch.no_grad():
        output: Tensor = module(torch.ones((), dtype=torch.float64))
    return output.item()

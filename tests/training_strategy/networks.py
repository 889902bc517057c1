"""Small networks with choices, whose output tells what ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat
from nascli.training_strategy.mutator import Mutator

ONE = torch.ones(2, 1, dtype=torch.float64)


class Scale(nn.Module):
    """factor · x, with a trainable factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Net(nn.Module):
    """Two layer choices of one key, an input choice and a repeat: 1 becomes (1 and/or a · a) · 7^depth."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.first = LayerChoice([Scale(2.0), Scale(3.0), Scale(5.0)], key="a", **options)
        self.second = LayerChoice([Scale(2.0), Scale(3.0), Scale(5.0)], key="a", **options)
        self.inputs = InputChoice(n_candidates=2, key="b", **options)
        self.depth = Repeat(lambda i: Scale(7.0), (1, 3), key="c")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.depth(self.inputs([x, self.second(self.first(x))]))
        return output


def mask(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.bool)


SAMPLE: dict[str, Tensor] = {"a": mask(0, 0, 1), "b": mask(1, 1), "c": mask(0, 1, 0)}
"""1 + 5 · 5 = 26, twice times 7."""


class Told(Mutator):
    """Samples what it is told."""

    def __init__(self, model: nn.Module, sample: Mapping[str, Tensor] = SAMPLE) -> None:
        super().__init__(model)
        self.told = dict(sample)

    def sample_search(self) -> dict[str, Tensor]:
        return self.told

    def sample_final(self) -> dict[str, Tensor]:
        return self.told

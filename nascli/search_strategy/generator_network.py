"""The network that turns a target cost and a prior architecture into architecture parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

WAVES = 8


class GeneratorNetwork(nn.Module):
    """A residual multilayer perceptron over (target, prior), whose output is added to the prior.

    Args:
        sizes: number of indices of each decision.
        width: of the hidden layers.
        layers: residual layers.
    """

    def __init__(self, sizes: Sequence[int], width: int, layers: int) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        total = sum(self.sizes)
        self.first = nn.Linear(total + 1 + WAVES, width)
        self.hidden = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width)) for _ in range(layers)
        )
        self.last = nn.Linear(width, total)

        self.trust = nn.Parameter(torch.ones(()))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, targets: Tensor, priors: Tensor) -> list[Tensor]:
        """Logits over the indices of each decision, (b, size) a decision.

        Args:
            targets: (b,), from 0 for the cheapest architecture to 1 for the costliest.
            priors: int64 (b, decisions).
        """
        prior = torch.cat([one_hot(priors[:, i], size) for i, size in enumerate(self.sizes)], dim=1).float()
        x = self.first(torch.cat([self._embedded(targets), prior], dim=1))
        for layer in self.hidden:
            x = x + layer(x)
        return list((self.last(x) + self.trust * prior).split(self.sizes, dim=1))

    def _embedded(self, targets: Tensor) -> Tensor:
        waves = math.pi * torch.arange(1, WAVES + 1, dtype=targets.dtype)
        return torch.cat([2 * targets[:, None] - 1, (waves * targets[:, None]).cos()], dim=1)

"""Moving averages of weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class MovingAverage:
    """An exponential moving average in which each weight counts its own updates.

    torch's `AveragedModel` counts steps: in a supernet, where a step touches few of the blocks, it would average
    the others with copies of themselves. Here a weight without gradient keeps its average and its count. The decay
    grows over a weight's first updates; else a short training would end near its first weights.

    Args:
        module: what is trained; it is copied.
        decay: share of the old average in the new one, 0 to 1.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.module = decay, copy.deepcopy(module).requires_grad_(False)
        self.counts = [0] * len(list(module.parameters()))
        self.steps = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the weights of `module` after an optimiser step, while their gradients are still there."""
        for i, (average, weight) in enumerate(zip(self.module.parameters(), module.parameters(), strict=True)):
            if weight.grad is not None:
                self.counts[i] += 1
                average.lerp_(weight, 1 - self._grown(self.counts[i]))
        self.steps += 1
        for kept, buffer in zip(self.module.buffers(), module.buffers(), strict=True):
            if buffer.is_floating_point():
                kept.lerp_(buffer, 1 - self._grown(self.steps))
            else:
                kept.copy_(buffer)

    def _grown(self, count: int) -> float:
        return 0.0 if count == 1 else min(self.decay, count / (9 + count))

    def state_dict(self) -> dict[str, Any]:
        """Averages and counts."""
        return {"module": self.module.state_dict(), "counts": list(self.counts), "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self.module.load_state_dict(state["module"])
        self.counts, self.steps = list(state["counts"]), state["steps"]

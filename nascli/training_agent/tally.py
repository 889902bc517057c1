"""The losses since the last report, kept on the device until somebody looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nascli.training_strategy.base import Losses


class Tally:
    """Collects losses and accuracies of passes; part of a checkpoint, so that resumed runs report the same means."""

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._values: list[Tensor] = []

    def add(self, step: int, losses: Losses) -> None:
        """Take in the passes of one update."""
        for loss, accuracy in zip(losses.losses, losses.accuracies, strict=True):
            self._steps.append(step)
            self._values.append(torch.stack([loss.float(), accuracy.float()]))

    def broken(self) -> int | None:
        """The first step whose loss is not finite."""
        finite = self._table()[:, 0].isfinite().tolist()
        return next((step for step, good in zip(self._steps, finite, strict=True) if not good), None)

    def means(self) -> dict[str, float]:
        """Mean loss and accuracy; empties the tally. Nothing where no pass was run."""
        table = self._table().double()
        self._steps, self._values = [], []
        return {"loss": table[:, 0].mean().item(), "accuracy": table[:, 1].mean().item()} if len(table) else {}

    def state_dict(self) -> dict[str, Any]:
        """Steps and values so far."""
        return {"steps": list(self._steps), "values": self._table()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self._steps, self._values = list(state["steps"]), list(state["values"])

    def _table(self) -> Tensor:
        return torch.stack([value.cpu() for value in self._values]) if self._values else torch.zeros(0, 2)

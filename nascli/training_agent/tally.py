"""The losses since the last report, kept on the device until somebody looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nascli.training_strategy.base import Losses


class Seen(NamedTuple):
    """A pass that was run: at which step, at which learning rate of the weights, and what ran."""

    step: int
    rate: float
    path: str


class Tally:
    """Collects losses and accuracies of passes; part of a checkpoint, so that resumed runs report the same means."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._values: list[Tensor] = []
        self.last: Seen | None = None

    def add(self, step: int, rate: float, paths: Sequence[str], losses: Losses) -> None:
        """Take in the passes of one update.

        Args:
            paths: what each pass ran, for people.
        """
        for path, loss, accuracy in zip(paths, losses.losses, losses.accuracies, strict=True):
            self.last = Seen(step, rate, path)
            self._seen.append(self.last)
            self._values.append(torch.stack([loss.float(), accuracy.float()]))

    def broken(self) -> Seen | None:
        """The first pass whose loss is not finite."""
        finite = self._table()[:, 0].isfinite().tolist()
        return next((seen for seen, good in zip(self._seen, finite, strict=True) if not good), None)

    def means(self) -> dict[str, float]:
        """Mean loss and accuracy; empties the tally. Nothing where no pass was run."""
        table = self._table().double()
        self._seen, self._values = [], []
        return {"loss": table[:, 0].mean().item(), "accuracy": table[:, 1].mean().item()} if len(table) else {}

    def state_dict(self) -> dict[str, Any]:
        """Passes and values so far."""
        return {"seen": [list(seen) for seen in self._seen], "values": self._table()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self._seen, self._values = [Seen(*seen) for seen in state["seen"]], list(state["values"])

    def _table(self) -> Tensor:
        return torch.stack([value.cpu() for value in self._values]) if self._values else torch.zeros(0, 2)

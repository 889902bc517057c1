"""Judging a network on a whole pass over images, batch by batch."""

from __future__ import annotations

from math import isfinite, nan
from typing import TYPE_CHECKING, Protocol

from nascli.search_strategy.base import Score
from nascli.training_agent.racing import Seen

if TYPE_CHECKING:
    from torch import Tensor

NOT_FINITE = "the loss is not finite"


class Judge(Protocol):
    """What judges one image at a time."""

    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(score, loss) of each image, float (n,) each."""
        ...


class Account(Protocol):
    """What is known of a network's outputs so far."""

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """One more batch, on the device; called without gradients."""
        ...

    def score(self) -> Score:
        """Of all batches; a loss that is not finite is an error."""
        ...


class Judged:
    """What an agent says of each image, and the means.

    A task whose score is no mean over images (verification, intersection over union) has an `Account` of its own.
    """

    def __init__(self, agent: Judge) -> None:
        self._agent = agent
        self.scores: list[Tensor] = []
        self.losses: list[Tensor] = []

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """One more batch."""
        scores, losses = self._agent.judge(outputs, labels)
        self.scores.append(scores.cpu().double())
        self.losses.append(losses.cpu().double())

    def score(self) -> Score:
        """The means over all images."""
        images = sum(map(len, self.scores))
        good, loss = (sum(part.sum().item() for part in parts) for parts in (self.scores, self.losses))
        if not isfinite(loss):
            return Score(nan, nan, images, NOT_FINITE)
        return Score(good / images, loss / images, images)

    def seen(self) -> Seen:
        """Image by image."""
        import numpy as np

        return Seen(np.concatenate(self.scores), np.concatenate(self.losses))

"""Judging a network on a whole pass over images, batch by batch."""

from __future__ import annotations

from math import isfinite, nan
from typing import TYPE_CHECKING, Protocol

from nascli.search_strategy.base import Score

if TYPE_CHECKING:
    from torch import Tensor


class Judge(Protocol):
    """What judges one image at a time."""

    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(score, loss) of each image, float (n,) each."""
        ...


class Judged:
    """The means of what an agent says of each image.

    A task whose score is no mean over images (verification, intersection over union) has an own one with these two
    methods.
    """

    def __init__(self, agent: Judge) -> None:
        self._agent = agent
        self._good, self._loss, self._images = 0.0, 0.0, 0

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """One more batch, on the device; called without gradients."""
        scores, losses = self._agent.judge(outputs, labels)
        self._good += scores.double().sum().item()
        self._loss += losses.double().sum().item()
        self._images += len(labels)

    def score(self) -> Score:
        """Of all batches; a loss that is not finite is an error."""
        if not isfinite(self._loss):
            return Score(nan, nan, self._images, "the loss is not finite")
        return Score(self._good / self._images, self._loss / self._images, self._images)

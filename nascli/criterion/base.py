"""The contract of a criterion."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from nascli.component import Component

if TYPE_CHECKING:
    from torch import nn


class Criterion(Component):
    """A loss. `build` is called once a run; the module it returns may have trainable weights of its own."""

    @abstractmethod
    def build(self) -> nn.Module:
        """A module (outputs, targets) → scalar loss, the mean over the batch.

        Outputs are the network's, float (n, …); targets are the labels of the data set (`Source.labels`), in the case
        of classification int64 (n,), or class probabilities (n, classes) when images were mixed.
        """

    def sized(self, outputs: int, classes: int) -> nn.Module:
        """`build`, for a network with so many outputs and data with so many classes.

        Called once a run, by the training loop, with torch's generator seeded. A criterion with weights of each class
        overrides it.
        """
        return self.build()

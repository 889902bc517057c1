"""Losses on embeddings, from pytorch-metric-learning, the extra `face`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.extras import need


class OnEmbeddings(nn.Module):
    """A loss of embeddings (n, d) and identities int64 (n,), computed in single precision.

    Args:
        loss: (embeddings, labels) or, with a miner, (embeddings, labels, tuples) → scalar.
        miner: finds the tuples that count.
    """

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None) -> None:
        super().__init__()
        self.loss, self.miner = loss, miner

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch.

        Raises:
            UsageError: labels that are no identities, such as those of mixed images.
        """
        if labels.dim() != 1:
            raise UsageError("this criterion compares identities, and the labels are none", hint="no mixup, no cutmix")
        embeddings = embeddings.float()
        found = () if self.miner is None else (self.miner(embeddings, labels),)
        value: Tensor = self.loss(embeddings, labels, *found)
        return value


def library(criterion: str) -> Any:
    """The package pytorch_metric_learning.

    Raises:
        UsageError: it is not installed.
    """
    need(f"the criterion '{criterion}'", "pytorch_metric_learning")
    import pytorch_metric_learning.losses
    import pytorch_metric_learning.miners

    return pytorch_metric_learning

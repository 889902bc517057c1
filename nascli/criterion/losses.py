"""Losses that torch does not have in the form that criteria need."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, one_hot


def as_probabilities(outputs: Tensor, targets: Tensor) -> Tensor:
    """Targets in the shape of the outputs (n, classes); classes (n,) become one-hot."""
    if targets.shape == outputs.shape:
        return targets.to(outputs.dtype)
    return one_hot(targets, outputs.shape[1]).to(outputs.dtype)


class FocalLoss(nn.Module):
    """See `criterion.focal.Focal`."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (n, classes), targets (n,) or (n, classes) → the mean over the batch."""
        log_p = outputs.log_softmax(1)
        left = (-log_p.expm1()).clamp_min(torch.finfo(log_p.dtype).tiny)  # 0 has no slope where gamma < 1
        weighted = left**self.gamma * log_p
        return -(as_probabilities(outputs, targets) * weighted).sum(1).mean()


class SquaredError(nn.Module):
    """See `criterion.mse.Mse`."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (n, …), targets of the same shape or classes (n,) → the mean over everything."""
        return mse_loss(outputs, as_probabilities(outputs, targets))

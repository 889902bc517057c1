"""The mean squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nascli.criterion.base import Criterion

if TYPE_CHECKING:
    from torch import nn


class Mse(Criterion):
    """Mean squared error between outputs and targets; classes become one-hot targets (Hui and Belkin, 2021)."""

    def build(self) -> nn.Module:
        """The loss over all outputs."""
        from nascli.criterion.losses import SquaredError

        return SquaredError()

"""Cross-entropy, with label smoothing as an option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from nascli.criterion.base import Criterion

if TYPE_CHECKING:
    from torch import nn


class CrossEntropy(Criterion):
    """−Σ q log softmax(outputs), q the target with `label_smoothing` of its mass spread over all classes.

    Label smoothing: Szegedy et al., 2016, arXiv:1512.00567.
    """

    class Config(Criterion.Config):
        """Options of the cross-entropy."""

        label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")

    config: Config

    def build(self) -> nn.Module:
        """torch's own cross-entropy."""
        from torch import nn

        return nn.CrossEntropyLoss(label_smoothing=self.config.label_smoothing)

"""The focal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from nascli.criterion.base import Criterion

if TYPE_CHECKING:
    from torch import nn


class Focal(Criterion):
    """−Σ q (1 − p)^gamma log p, p = softmax(outputs): easy images count less (Lin et al., 2017, arXiv:1708.02002)."""

    class Config(Criterion.Config):
        """Options of the focal loss."""

        gamma: float = Field(2.0, ge=0, description="how much less easy images count; 0 is the cross-entropy")

    config: Config

    def build(self) -> nn.Module:
        """The loss over classes."""
        from nascli.criterion.losses import FocalLoss

        return FocalLoss(self.config.gamma)

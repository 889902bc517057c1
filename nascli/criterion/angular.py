"""Identity classifiers with learned class weights on the sphere: ArcFace, CosFace, and none of their margins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from nascli.criterion.base import Criterion
from nascli.errors import UsageError

if TYPE_CHECKING:
    from torch import nn


class _Angular(Criterion):
    """Softmax cross-entropy of scale · cos θ, θ between an embedding and the learned weight of each identity."""

    class Config(Criterion.Config):
        """Options of angular criteria."""

        scale: float = Field(32.0, gt=0, description="factor of the cosines; papers take 64 for many identities")

    config: Any

    def build(self) -> nn.Module:
        """Refused: the class weights need their number.

        Raises:
            UsageError: always; training calls `sized`.
        """
        raise UsageError(f"{type(self).__name__} has class weights: it is built for a number of identities")

    def sized(self, outputs: int, classes: int) -> nn.Module:
        """The loss with weights (outputs, classes)."""
        from nascli.criterion.metric_learning import OnEmbeddings, library

        return OnEmbeddings(self._loss(library(type(self).__name__).losses, classes, outputs))

    def _loss(self, losses: Any, classes: int, outputs: int) -> Any:
        raise NotImplementedError


class ArcFace(_Angular):
    """cos(θ + margin) for the right identity (Deng et al., 2019, arXiv:1801.07698)."""

    class Config(_Angular.Config):
        """Options of ArcFace."""

        margin: float = Field(0.3, ge=0, lt=1.5707963, description="added to the right angle; radians; paper: 0.5")

    config: Config

    def _loss(self, losses: Any, classes: int, outputs: int) -> Any:
        degrees = self.config.margin * 180 / 3.141592653589793
        return losses.ArcFaceLoss(classes, outputs, margin=degrees, scale=self.config.scale)


class CosFace(_Angular):
    """cos θ - margin for the right identity (Wang et al., 2018, arXiv:1801.09414)."""

    class Config(_Angular.Config):
        """Options of CosFace."""

        margin: float = Field(0.2, ge=0, lt=1, description="taken from the right cosine; 0.35 in the paper")

    config: Config

    def _loss(self, losses: Any, classes: int, outputs: int) -> Any:
        return losses.CosFaceLoss(classes, outputs, margin=self.config.margin, scale=self.config.scale)


class AngularSoftmax(_Angular):
    """cos θ as it is: normalised softmax (Wang et al., 2017, arXiv:1704.06369)."""

    config: _Angular.Config

    def _loss(self, losses: Any, classes: int, outputs: int) -> Any:
        return losses.NormalizedSoftmaxLoss(classes, outputs, temperature=1 / self.config.scale)

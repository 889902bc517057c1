"""Triplets found in the batch: an image lies nearer to one of its identity than to one of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nascli.criterion.base import Criterion

if TYPE_CHECKING:
    from torch import nn


class Triplet(Criterion):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) between unit embeddings.

    The mean over the triplets that are not yet so far apart.

    `hard`: for each anchor the farthest positive and the nearest negative (Hermans et al., 2017, arXiv:1703.07737).
    `semihard`: negatives farther than the positive, within the margin (FaceNet, Schroff et al., 2015,
    arXiv:1503.03832). Both need several images of an identity in a batch: the dataflow's `per_identity`.
    """

    class Config(Criterion.Config):
        """Options of the triplet loss."""

        margin: float = Field(0.2, gt=0, description="by which the negative has to be farther; distances are 0 to 2")
        mining: Literal["hard", "semihard"] = Field("semihard", description="which triplets of a batch count")

    config: Config

    def build(self) -> nn.Module:
        """Miner and loss of pytorch-metric-learning.

        Raises:
            UsageError: the extra is not installed.
        """
        from nascli.criterion.metric_learning import OnEmbeddings, library

        package, margin = library("triplet"), self.config.margin
        miners = package.miners
        hard = self.config.mining == "hard"
        miner = miners.BatchHardMiner() if hard else miners.TripletMarginMiner(margin, type_of_triplets="semihard")
        return OnEmbeddings(package.losses.TripletMarginLoss(margin=margin), miner)

"""The sandwich rule: the largest network teaches the smallest and random ones."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import UsageError
from nascli.space import Archs, Space
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates


class Sandwich(TrainingStrategy):
    """The largest network learns the labels; the smallest and random ones imitate its output in the same step.

    For spaces whose candidates contain each other (Yu and Huang, 2019, arXiv:1903.05134; BigNAS, Yu et al., 2020,
    arXiv:2003.11142). The random ones are uniform over what is feasible; the largest and the smallest are those of
    the whole space, since they bound all others.
    """

    class Config(TrainingStrategy.Config):
        """Options of the sandwich rule."""

        random: int = Field(2, ge=0, description="random networks a step, besides the largest and the smallest")
        allow_unshared: bool = Field(
            False, description="also where candidates do not contain each other; the costliest is then the largest"
        )
        metric: str = Field("macs", description="the cost that tells the largest where candidates are unshared")

    config: Config

    def setup(self, space: Space, costs: CostModel, feasible: FeasibleSet) -> None:
        """Find the largest and the smallest network.

        Raises:
            UsageError: candidates are not nested and that is not allowed, or no costs tell which is larger.
        """
        super().setup(space, costs, feasible)
        apart = [decision.label for decision in space.decisions if not decision.nested]
        if not apart:
            self._bounds = [np.array(space.sizes) - 1, np.zeros(len(space.sizes), dtype=np.int64)]
        elif self.config.allow_unshared:
            self._bounds = [feasible.costliest(self.config.metric), feasible.cheapest(self.config.metric)]
        else:
            raise UsageError(
                f"the sandwich rule needs candidates that contain each other, those of '{apart[0]}' do not",
                why="a large network that shares no weights with small ones has nothing to hand down",
                hint="take another: uniform; or do it all the same: allow_unshared: true",
            )

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        """One update: the largest on the labels, the others on what it gave."""
        largest, smallest = self._bounds
        others: list[Archs] = [smallest, *self.feasible.sample(self.config.random, rng)]
        imitating = [Pass(self.space.forward(arch), target=0) for arch in others]
        yield Update([Pass(self.space.forward(largest)), *imitating])

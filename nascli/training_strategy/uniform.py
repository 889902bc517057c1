"""Uniform single-path training (SPOS)."""

from __future__ import annotations

import numpy as np

from nascli.cost.feasible import FeasibleSet
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates


class Uniform(TrainingStrategy):
    """Each step trains one architecture, drawn uniformly (SPOS, Guo et al., 2020, arXiv:1904.00420).

    All of them, whatever the constraint: the supernet then serves every search.
    """

    @property
    def pool(self) -> FeasibleSet:
        """What is drawn from."""
        return self.everything

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        """One update with one pass."""
        yield Update([Pass(self.space.forward(self.pool.sample(1, rng)[0]))])

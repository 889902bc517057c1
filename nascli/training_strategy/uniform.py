"""Uniform single-path training (SPOS)."""

from __future__ import annotations

import numpy as np

from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates


class Uniform(TrainingStrategy):
    """Each step trains one architecture, drawn uniformly (SPOS, Guo et al., 2020, arXiv:1904.00420)."""

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        """One update with one pass."""
        yield Update([Pass(self.space.forward(self.feasible.sample(1, rng)[0]))])

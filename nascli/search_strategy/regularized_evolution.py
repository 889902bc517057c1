"""Regularized evolution: the oldest dies, whatever its score."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nascli.search_strategy.base import Score, SearchProblem
from nascli.search_strategy.screened import Screened
from nascli.space import Archs


class RegularizedEvolution(Screened):
    """The best of a random sample of the population has a child, and the oldest member makes room for it.

    Ageing keeps a lucky score from staying for ever (Real et al., 2019, arXiv:1802.01548). Offspring are mutations
    alone, within the constraint.
    """

    class Config(Screened.Config):
        """Options of regularized evolution."""

        population: int = Field(
            32, ge=2, description="members; fewer where max_evaluations would not last for five times as many"
        )
        sample: int = Field(8, ge=1, description="members drawn for each child, of which the best is its parent")
        mutation: float = Field(
            0.0, ge=0, le=1, description="probability of each decision to change in a child; one always does"
        )
        batch: int = Field(4, ge=1, description="children a round; many are scored faster, and learn less")

    config: Config

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start without members."""
        super().begin(problem, rng)
        self._size = self.affordable(self.config.population)
        self._members: deque[tuple[Archs, Score]] = deque(maxlen=self._size)

    def ask(self) -> Archs:
        """Random architectures until the population is full, children afterwards."""
        missing = self._size - len(self._members)
        return self.drawn(missing) if missing else self.fresh(self.config.batch, self._child)

    def _child(self) -> Archs:
        rng, n = self._rng, min(self.config.sample, self._size)
        drawn = [self._members[i] for i in rng.choice(self._size, n, replace=False)]
        best = self._problem.order(np.array([arch for arch, _ in drawn]), [score for _, score in drawn])[0]
        return self._problem.feasible.mutate(drawn[best][0], self.config.mutation, rng)

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """What has a score joins; the oldest leave."""
        super().tell(archs, scores)
        self._members.extend((arch, score) for arch, score in zip(archs, scores, strict=True) if score.error is None)

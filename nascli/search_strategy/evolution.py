"""Evolutionary search over a supernet (SPOS)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nascli.search_strategy.base import Score, SearchProblem
from nascli.search_strategy.screened import Screened
from nascli.space import Archs


class Evolution(Screened):
    """Keep the best, mutate and cross them, all within the constraint (SPOS, Guo et al., 2020, arXiv:1904.00420)."""

    class Config(Screened.Config):
        """Options of the evolution."""

        population: int = Field(
            32, ge=2, description="architectures a generation; fewer where max_evaluations would not last for five"
        )
        parents: int = Field(10, ge=2, description="the best so far, which offspring come from")
        crossover: float = Field(0.5, ge=0, le=1, description="share of the offspring that two parents make")
        mutation: float = Field(0.1, ge=0, le=1, description="probability of each decision to change in a mutation")

    config: Config

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start without parents."""
        super().begin(problem, rng)
        self._size = self.affordable(self.config.population)
        self._parents: list[tuple[Archs, Score]] = []

    def ask(self) -> Archs:
        """The next generation; the first is drawn uniformly from the feasible set."""
        return self.fresh(self._size, self._child) if len(self._parents) >= 2 else self.drawn(self._size)

    def _child(self) -> Archs:
        feasible, rng = self._problem.feasible, self._rng
        first, second = (self._parents[i][0] for i in rng.choice(len(self._parents), 2, replace=False))
        if rng.random() < self.config.crossover:
            return feasible.crossover(first, second, rng)
        return feasible.mutate(first, self.config.mutation, rng)

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Keep the best of the parents and the generation."""
        super().tell(archs, scores)
        pool = [*self._parents, *zip(archs, scores, strict=True)]
        unique = {arch.tobytes(): (arch, score) for arch, score in pool if score.error is None}
        pool = list(unique.values())
        if pool:
            best = self._problem.order(np.array([arch for arch, _ in pool]), [score for _, score in pool])
            self._parents = [pool[i] for i in best[: self.config.parents]]

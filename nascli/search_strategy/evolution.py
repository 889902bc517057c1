"""Evolutionary search over a supernet (SPOS)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nascli.search_strategy.base import AskTell, Score, SearchProblem
from nascli.space import Archs


class Evolution(AskTell):
    """Keep the best, mutate and cross them, all within the constraint (SPOS, Guo et al., 2020, arXiv:1904.00420)."""

    class Config(AskTell.Config):
        """Options of the evolution."""

        population: int = Field(32, ge=2, description="architectures a generation")
        parents: int = Field(10, ge=2, description="the best so far, which offspring come from")
        crossover: float = Field(0.5, ge=0, le=1, description="share of the offspring that two parents make")
        mutation: float = Field(0.1, ge=0, le=1, description="probability of each decision to change in a mutation")

    config: Config

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start from a population drawn uniformly from the feasible set."""
        self._problem, self._rng = problem, rng
        self._parents: list[tuple[Archs, Score]] = []
        self._seen: set[bytes] = set()

    def ask(self) -> Archs:
        """The next generation, without what was tried before as far as that can be avoided."""
        new: dict[bytes, Archs] = {}
        for _ in range(10 * self.config.population):
            arch = self._propose()
            if arch.tobytes() not in self._seen:
                new.setdefault(arch.tobytes(), arch)
            if len(new) == self.config.population:
                break
        generation = list(new.values()) or [self._propose()]
        self._seen.update(arch.tobytes() for arch in generation)
        return np.array(generation[: max(1, self._problem.remaining)])

    def _propose(self) -> Archs:
        feasible, rng = self._problem.feasible, self._rng
        if len(self._parents) < 2:
            drawn: Archs = feasible.sample(1, rng)[0]
            return drawn
        first, second = (self._parents[i][0] for i in rng.choice(len(self._parents), 2, replace=False))
        if rng.random() < self.config.crossover:
            return feasible.crossover(first, second, rng)
        return feasible.mutate(first, self.config.mutation, rng)

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Keep the best of the parents and the generation."""
        pool = [*self._parents, *zip(archs, scores, strict=True)]
        unique = {arch.tobytes(): (arch, score) for arch, score in pool if score.error is None}
        pool = list(unique.values())
        if pool:
            best = self._problem.order(np.array([arch for arch, _ in pool]), [score for _, score in pool])
            self._parents = [pool[i] for i in best[: self.config.parents]]

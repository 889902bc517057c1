"""Local search: climb to a better neighbour until there is none, then start elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from nascli.search_strategy.base import Score, SearchProblem
from nascli.search_strategy.screened import Screened
from nascli.space import Archs


class LocalSearch(Screened):
    """Hill climbing over feasible neighbours, with restarts (White et al., 2020, arXiv:2005.02960).

    Neighbours differ in one decision. Where none of them is better, some that differ in two are looked at: under a
    bound, one decision often has to save what another one spends.
    """

    class Config(Screened.Config):
        """Options of local search."""

        starts: int = Field(10, ge=1, description="random architectures, the best of which a climb starts from")
        batch: int = Field(8, ge=1, description="neighbours a round; the best of them is the next step if it is better")
        pairs: int = Field(32, ge=0, description="neighbours at two changes that are scored before a climb ends")

    config: Config

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start nowhere."""
        super().begin(problem, rng)
        self._here: tuple[Archs, Score] | None = None
        self._left = np.empty((0, len(problem.space.decisions)), dtype=np.int64)
        self._far = False

    def ask(self) -> Archs:
        """The next neighbours of where the climb stands; new starts where they are used up."""
        if self._here is not None and not len(self._left) and not self._far:
            self._far = True
            self._left = self._neighbours(2)[: self.config.pairs]
        if self._here is None or not len(self._left):
            self._here = None
            return self.drawn(self.config.starts)
        n = min(self.config.batch, max(1, self._problem.remaining))
        batch, self._left = self._left[:n], self._left[n:]
        return self.noted(batch)

    def _neighbours(self, changes: Literal[1, 2]) -> Archs:
        """New neighbours of where the climb stands, in random order or the predicted best first."""
        assert self._here is not None
        found = self.unseen(self._problem.feasible.neighbours(self._here[0], changes, self._rng))
        return self.sorted(found)

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Step to the best, if it is better than where the climb stands."""
        super().tell(archs, scores)
        known = [self._here] if self._here is not None else []
        known += [(arch, score) for arch, score in zip(archs, scores, strict=True) if score.error is None]
        if not known:
            return
        best = known[self._problem.order(np.array([arch for arch, _ in known]), [score for _, score in known])[0]]
        if best is not self._here:
            self._here, self._far = best, False
            self._left = self._neighbours(1)

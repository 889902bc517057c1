"""Random search: the baseline that every other strategy must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nascli.search_strategy.base import AskTell, Score, SearchProblem
from nascli.space import Archs


class Random(AskTell):
    """Distinct architectures, uniform over the feasible set.

    Random search is a strong baseline in NAS (Li and Talwalkar, 2019, arXiv:1902.07638).
    """

    class Config(AskTell.Config):
        """Options of random search."""

        batch: int = Field(16, ge=1, description="architectures a round")

    config: Config

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start with nothing seen."""
        self._problem, self._rng = problem, rng
        self._seen: set[bytes] = set()

    def ask(self) -> Archs:
        """New architectures where they can be found; repeats when the feasible set is nearly used up."""
        batch = min(self.config.batch, max(1, self._problem.remaining))
        drawn = self._problem.feasible.sample(4 * batch, self._rng)
        new: dict[bytes, Archs] = {}
        for arch in drawn:
            if arch.tobytes() not in self._seen:
                new.setdefault(arch.tobytes(), arch)
        picked = list(new.values())[:batch] or list(drawn[:1])
        self._seen.update(arch.tobytes() for arch in picked)
        return np.array(picked)

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Random search learns nothing."""

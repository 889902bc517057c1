"""What strategies share that vary what they know: nothing is asked for twice, and a predictor may look first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from nascli.search_strategy.base import AskTell, Score, SearchProblem
from nascli.search_strategy.predictor import Screen, Values
from nascli.space import Archs

TRIES = 10  # proposals for each architecture that is wanted
GENERATIONS = 5  # a budget allows at least


class Screened(AskTell):
    """An ask/tell strategy whose proposals are new as far as that can be avoided, and may be screened.

    Subclasses call `begin` and `tell` of this class first.
    """

    class Config(AskTell.Config):
        """Options of screening."""

        predictor: Literal["ridge", "mlp"] | None = Field(
            None, description="predicts accuracy from the scores so far and sorts out proposals; null: all are scored"
        )
        oversample: int = Field(8, ge=1, description="with a predictor: proposals for each one that is scored")

    config: Config

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start with nothing seen."""
        self._problem, self._rng = problem, rng
        self._seen: set[bytes] = set()
        self._screen = Screen(problem.space, self.config.predictor, rng) if self.config.predictor else None

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """The predictor learns from what has a score."""
        if self._screen is not None:
            self._screen.learn(archs, scores)

    def facts(self) -> Mapping[str, Any]:
        """How well the predictor ranks, where there is one."""
        return {"predictor": self._screen.facts()} if self._screen is not None else {}

    def affordable(self, most: int) -> int:
        """A population of `most`, or fewer where the budget would not last for `GENERATIONS`; asked for in `begin`."""
        return min(most, max(2, self._problem.remaining // GENERATIONS))

    def fresh(self, n: int, propose: Callable[[], Archs]) -> Archs:
        """Up to `n` new architectures (m, d), 1 ≤ m: proposed ones, else drawn ones; a repeat where nothing is new."""
        n = min(n, max(1, self._problem.remaining))
        found = self._new(n * self.config.oversample if self._screening else n, propose)
        return self.noted(self.sorted(found)[:n]) if len(found) else self.drawn(n)

    def drawn(self, n: int) -> Archs:
        """Up to `n` new architectures, uniform over the feasible set; a repeat where none is found."""
        n = min(n, max(1, self._problem.remaining))
        pool = self._problem.feasible.sample(4 * n, self._rng)
        return self.noted(self.unseen(pool)[:n] if len(self.unseen(pool)) else pool[:1])

    def unseen(self, archs: Archs) -> Archs:
        """Those of canonical architectures (n, d) that were not asked for before, each once, in order."""
        new = {arch.tobytes(): row for row, arch in reversed(list(enumerate(archs)))}
        return archs[sorted(row for key, row in new.items() if key not in self._seen)]

    def sorted(self, archs: Archs) -> Archs:
        """Architectures (n, d), the most promising first where there are predictions."""
        if self._screen is None or not self._screening or not len(archs):
            return archs
        return archs[self.preferred(archs, self._screen.predict(archs))]

    @property
    def _screening(self) -> bool:
        return self._screen is not None and self._screen.ready

    def preferred(self, archs: Archs, predicted: Values) -> list[int]:
        """Positions of architectures (n, d) from the most promising down, given their predicted scores (n,)."""
        return [int(i) for i in np.argsort(-predicted, kind="stable")]

    def _new(self, wanted: int, propose: Callable[[], Archs]) -> Archs:
        new: dict[bytes, Archs] = {}
        for _ in range(TRIES * wanted):
            arch = propose()
            if arch.tobytes() not in self._seen:
                new.setdefault(arch.tobytes(), arch)
            if len(new) == wanted:
                break
        return np.array(list(new.values()), dtype=np.int64).reshape(len(new), len(self._problem.space.decisions))

    def noted(self, archs: Archs) -> Archs:
        """The architectures (n, d), from now on seen."""
        self._seen.update(arch.tobytes() for arch in archs)
        return archs

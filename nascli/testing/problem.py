"""A search problem whose scores are a formula: exact, at once, and it remembers what it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nascli.cost.feasible import FeasibleSet
from nascli.errors import BudgetSpent, UsageError
from nascli.search_strategy.base import Score
from nascli.space import Archs, Forward

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = 20_000  # looks at the problem after which a search counts as endless


class FormulaProblem:
    """Implements `SearchProblem`: the accuracy of an architecture grows with its indices and with its MACs.

    Args:
        feasible: the space and its constraints.
        budget: evaluations that may be spent.
        broken: every second architecture has no score, as if it had run out of memory.
    """

    def __init__(self, feasible: FeasibleSet, budget: int = 12, *, broken: bool = False) -> None:
        self.feasible, self.costs, self.space = feasible, feasible.model, feasible.space
        self.arch_parameters: Mapping[str, Tensor] = {}
        self.asked: list[tuple[int, ...]] = []
        self._budget, self._broken, self._looks = budget, broken, 0
        self._scores: dict[bytes, Score] = {}

    @property
    def remaining(self) -> int:
        """Evaluations left."""
        self._look()
        return self._budget - len(self._scores)

    def score(self, archs: Archs) -> list[Score]:
        """Scores of architectures (n, d); raises BudgetSpent where one is new and nothing is left."""
        self._look()
        checked = self.space.check(archs)
        self.asked += [tuple(arch) for arch in checked.tolist()]
        assert self.feasible.contains(checked).all(), "it proposes architectures that break the constraint"
        return [self._score(arch) for arch in self.space.canonical(checked)]

    def _look(self) -> None:
        self._looks += 1
        assert self._looks < PATIENCE, f"it does not end: it looked {PATIENCE:,} times at a small problem"

    def _score(self, arch: Archs) -> Score:
        key = arch.tobytes()
        if key not in self._scores:
            if len(self._scores) >= self._budget:
                raise BudgetSpent
            self._scores[key] = self._evaluate(arch)
        return self._scores[key]

    def _evaluate(self, arch: Archs) -> Score:
        if self._broken and int(arch.sum()) % 2:
            return Score(float("nan"), float("nan"), 0, "out of memory")
        most = sum(self.space.sizes) + self.feasible.bounds("macs")[1]
        share = float((arch.sum() + self.costs.total("macs", arch)[0]) / most)
        return Score(share, 1 - share, 10)

    def order(self, archs: Archs, scores: Sequence[Score]) -> npt.NDArray[np.int64]:
        """Positions from best to worst, failed ones last."""
        loss, accuracy = np.array([s.loss for s in scores]), np.array([s.accuracy for s in scores])
        cost = self.costs.total("macs", np.asarray(archs))
        return np.lexsort((*np.asarray(archs).T[::-1], cost, loss, -accuracy)).astype(np.int64)

    def relaxed_loss(self, forward: Forward) -> Tensor:
        """Refused: a formula has no gradient."""
        raise UsageError("this problem gives no gradient")

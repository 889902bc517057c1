"""A search problem whose scores are a formula: exact, at once, and it remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nascli.cost.feasible import FeasibleSet
from nascli.errors import BudgetSpent
from nascli.search_strategy.base import Need, Score
from nascli.space import Archs, Forward, Selection

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = 20_000  # looks at the problem after which a search counts as endless


class FormulaProblem:
    """Implements `SearchProblem`: the accuracy of an architecture grows with its indices and with its MACs.

    The relaxed loss falls with the indices, and architecture parameters prefer the greatest.

    Args:
        feasible: the space and its constraints.
        budget: evaluations that may be spent.
        broken: every second architecture has no score, as if it had run out of memory.
    """

    def __init__(self, feasible: FeasibleSet, budget: int = 12, *, broken: bool = False) -> None:
        self.feasible, self.costs, self.space = feasible, feasible.model, feasible.space
        self.offers: frozenset[Need] = frozenset({"score", "gradient", "arch_parameters"})
        self.kept: tuple[int, Mapping[str, Any]] | None = None
        self.relaxed = 0
        """How many relaxed losses were asked for."""
        self.asked: list[tuple[int, ...]] = []
        self._budget, self._broken, self._looks = budget, broken, 0
        self._scores: dict[bytes, Score] = {}

    @property
    def arch_parameters(self) -> Mapping[str, Tensor]:
        """Rising over the indices of each decision."""
        import torch

        return {d.label: torch.linspace(0, 1, d.size) for d in self.space.decisions}

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
        """The mean over the decisions of what their candidates miss, weighted; each call has a factor of its own."""
        import torch

        self._look()
        self.relaxed += 1
        assert forward.keys() == {d.label for d in self.space.decisions}, "a forward has a selection for each decision"
        losses = [_missing(forward[d.label], len(d.candidates)) for d in self.space.decisions]
        return torch.stack(losses).mean() * (1 + self.relaxed % 3 / 10)

    def keep(self, step: int, steps: int, state: Callable[[], Mapping[str, Any]], metric: str = "") -> bool:
        """Look at the state as a checkpoint would."""
        from nascli.artifacts.torch_format import plain

        self._look()
        assert 1 <= step <= steps, f"step {step} of {steps}"
        plain(state())
        return True


def _missing(selection: Selection, n: int) -> Tensor:
    """What the active ones of `n` candidates miss to the last one, in shares of it."""
    import torch

    missing = torch.tensor([1 - candidate / n for candidate in selection.active])
    return missing.sum() if selection.weights is None else (missing.to(selection.weights) * selection.weights).sum()

"""The contract of a search strategy: it sees a problem, never a loader, a device or a logger."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nascli.component import Component
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import BudgetSpent
from nascli.space import Archs, Forward, Space

if TYPE_CHECKING:
    from torch import Tensor

Need = Literal["score", "gradient", "arch_parameters"]


@dataclass(frozen=True)
class Score:
    """How one architecture does on the validation split.

    `accuracy` 0 to 1, higher is better; `loss` per image, lower is better; `images` looked at; `error` says why
    there is no score, then accuracy and loss are NaN.
    """

    accuracy: float
    loss: float
    images: int
    error: str | None = None


class SearchProblem(Protocol):
    """What a strategy may see and do."""

    space: Space
    costs: CostModel
    feasible: FeasibleSet

    @property
    def arch_parameters(self) -> Mapping[str, Tensor]:
        """Architecture parameters of the supernet, label → (size,); empty when it has none."""
        ...

    @property
    def remaining(self) -> int:
        """Evaluations left; cached scores cost none."""
        ...

    def score(self, archs: Archs) -> list[Score]:
        """Scores of architectures int64 (n, d), cached by canonical architecture.

        Raises:
            BudgetSpent: an architecture that is not cached, and no evaluation is left.
        """
        ...

    def order(self, archs: Archs, scores: Sequence[Score]) -> npt.NDArray[np.int64]:
        """Positions from best to worst: accuracy, then loss, then cost, then lexicographic; failed ones last."""
        ...

    def relaxed_loss(self, forward: Forward) -> Tensor:
        """Loss of a relaxed forward on a batch of the `arch` split, weights frozen; differentiable."""
        ...


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a search found: architectures int64 (n, d), the winner (or the front) first."""

    archs: Archs


class SearchStrategy(Component):
    """Decides which architecture to try next.

    `requires` names what the problem must offer; the stage refuses a strategy before anything is loaded when
    it does not. `search` is called once a run; a resumed search calls it again with the old scores cached, so
    it must depend on `problem` and `rng` alone.
    """

    requires: ClassVar[frozenset[Need]] = frozenset({"score"})

    @abstractmethod
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        """Search until the budget is spent or nothing is left to try."""


class AskTell(SearchStrategy):
    """A search strategy that is asked for architectures and told their scores."""

    patience: ClassVar[int] = 20

    @abstractmethod
    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start a search; called once, before the first `ask`."""

    @abstractmethod
    def ask(self) -> Archs:
        """Architectures to score next, int64 (n, d), n ≥ 1; called once a round."""

    @abstractmethod
    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """The scores of what was asked for, in the same order."""

    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        """Rounds of `ask`, score, `tell`, until the budget is spent, all is tried, or `patience` rounds add nothing."""
        self.begin(problem, rng)
        tried: dict[bytes, tuple[Archs, Score]] = {}
        stale, everything = 0, problem.feasible.count.upper
        while problem.remaining > 0 and len(tried) < everything and stale < self.patience:
            archs = self.ask()
            before = len(tried)
            try:
                scores = problem.score(archs)
            except BudgetSpent:
                break
            keys = [row.tobytes() for row in problem.space.canonical(archs)]
            tried |= {key: (row, score) for key, row, score in zip(keys, archs, scores, strict=True)}
            stale = 0 if len(tried) > before else stale + 1
            self.tell(archs, scores)
        return _winner(problem, list(tried.values()))


def _winner(problem: SearchProblem, tried: Sequence[tuple[Archs, Score]]) -> Outcome:
    archs = np.array([arch for arch, _ in tried], dtype=np.int64).reshape(len(tried), len(problem.space.decisions))
    return Outcome(archs[problem.order(archs, [score for _, score in tried])])

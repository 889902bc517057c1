"""The contract of a search strategy: it sees a problem, never a loader, a device or a logger."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nascli.component import Component
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import BudgetSpent, UsageError
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
    offers: frozenset[Need]
    """What it can be asked for; at least what the strategy `requires`, unless that begins with what it learned."""

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
        """The loss of a forward on the next batch of the `arch` split, a scalar on the CPU.

        It is differentiable with respect to `Selection.weights`; the supernet's weights are frozen, BatchNorm runs on
        batch statistics, and no buffer is written. Which batch comes depends on the number of earlier calls alone.
        """
        ...

    @property
    def kept(self) -> tuple[int, Mapping[str, Any]] | None:
        """The step and the state that an interrupted search kept last, to go on from; None in a new one."""
        ...

    def keep(self, step: int, steps: int, state: Callable[[], Mapping[str, Any]], metric: str = "") -> bool:
        """`step` of `steps` steps of training are done; call it after each, so that a search can be interrupted there.

        Args:
            state: gives what the next steps depend on (see `nascli.artifacts.torch_format.plain`); called now and then.
            metric: what a person who watches may want to see.

        Returns:
            Whether there is time for another step; training ends where there is none.
        """
        ...


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a search found: architectures int64 (n, d), the winner (or the front) first.

    `facts`: plain JSON values for the header of the result. `front`: how many of the first ones are a front, of
    which the winner is the one to take; 0 where there is no front.
    """

    archs: Archs
    facts: Mapping[str, Any] = field(default_factory=dict)
    front: int = 0


@dataclass(frozen=True, eq=False)
class Learned:
    """What a later search can begin with: a state as `plain` takes it, and facts about it as plain JSON values."""

    state: Mapping[str, Any]
    facts: Mapping[str, Any]


class SearchStrategy(Component):
    """Decides which architecture to try next.

    `requires` names what the problem must offer; the stage refuses a strategy before anything is loaded when
    it does not. `search` is called once a run; a resumed search calls it again with the old scores cached, so
    it must depend on `problem` and `rng` alone.

    `learns`: whether `begin_with` takes what an earlier search gave as `learned`; then nothing of `requires` is
    needed, and `problem.offers` may be empty.
    """

    requires: ClassVar[frozenset[Need]] = frozenset({"score"})
    learns: ClassVar[bool] = False

    def check(self, feasible: FeasibleSet) -> None:
        """Refuse what makes no sense for these costs and constraints, before anything is loaded.

        Raises:
            UsageError: an option does not fit, or a package is missing.
        """

    @abstractmethod
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        """Search until the budget is spent or nothing is left to try."""

    def learned(self) -> Learned | None:
        """What a later search can begin with; asked for once, after `search`. None: nothing, or nothing new."""
        return None

    def begin_with(self, state: Mapping[str, Any]) -> None:
        """Take the state of an earlier `learned`; called at most once, before `search`.

        Raises:
            UsageError: the strategy learns nothing.
            ArtifactError: the state makes no sense.
        """
        raise UsageError(f"the search strategy {type(self).__name__} begins with nothing learned")


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
            rows, scores = scored(problem, archs)
            keys = [row.tobytes() for row in problem.space.canonical(archs[rows])]
            tried |= {key: (row, score) for key, row, score in zip(keys, archs[rows], scores, strict=True)}
            if len(rows) < len(archs):
                break
            stale = 0 if len(tried) > before else stale + 1
            self.tell(archs, scores)
        return self.outcome(problem, list(tried.values()))

    def outcome(self, problem: SearchProblem, tried: Sequence[tuple[Archs, Score]]) -> Outcome:
        """What the search found among all that was tried, by default best first; called once, at its end."""
        archs = np.array([arch for arch, _ in tried], dtype=np.int64).reshape(len(tried), len(problem.space.decisions))
        return Outcome(archs[problem.order(archs, [score for _, score in tried])], self.facts())

    def facts(self) -> Mapping[str, Any]:
        """Plain JSON values about the search, for the header of the result; asked for at its end."""
        return {}


def scored(problem: SearchProblem, archs: Archs) -> tuple[list[int], list[Score]]:
    """Positions of architectures (n, d) and their scores; where the budget ends, of those that have one by then."""
    try:
        return list(range(len(archs))), problem.score(archs)
    except BudgetSpent:
        rows, scores = [], []
        for row in range(len(archs)):
            with suppress(BudgetSpent):
                scores += problem.score(archs[row : row + 1])
                rows.append(row)
        return rows, scores

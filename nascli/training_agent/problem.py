"""The search problem of a run: what a strategy asks for is scored once, within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from nascli.artifacts.header import DataRecord, SpaceRecord
from nascli.artifacts.history import History
from nascli.console import Bar, out
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import ArtifactError, BudgetSpent, Interrupted, RunFailed
from nascli.run import Run
from nascli.search_strategy.base import Need, Score
from nascli.space import Archs, Forward, Space, compact
from nascli.training_agent.base import Evaluator
from nascli.training_agent.keeping import Keeping, table
from nascli.training_agent.workers import Processes, Scored, Workers, shared_out

if TYPE_CHECKING:
    from torch import Tensor


class Budget(Protocol):
    """What a search may spend."""

    @property
    def max_evaluations(self) -> int:
        """Architectures that are scored."""

    @property
    def time_budget(self) -> float | None:
        """Minutes after which no training step begins and nothing new is scored; None: as many as it takes."""

    @property
    def checkpoint_minutes(self) -> float:
        """Minutes between checkpoints of the history."""


class Problem:
    """Implements `SearchProblem` on an evaluator, by default in this process.

    Scores are kept in the order in which they were asked for, in whatever order they come. A resumed run starts again
    from its beginning; what the interrupted one had scored is taken from its history, and a strategy that trains
    something goes on from what it kept.
    """

    def __init__(
        self,
        record: SpaceRecord,
        costs: CostModel,
        feasible: FeasibleSet,
        evaluator: Evaluator,
        run: Run,
        budget: Budget,
        workers: Workers | None = None,
        data: DataRecord | None = None,
    ) -> None:
        self.space: Space = costs.space
        self.costs, self.feasible = costs, feasible
        self.arch_parameters: Mapping[str, Tensor] = evaluator.arch_parameters()
        self.offers: frozenset[Need] = evaluator.offers
        self.bar: Bar | None = None
        self.data = data
        self._evaluator, self._run, self._budget = evaluator, run, budget
        self._workers = workers or Processes(evaluator)
        self._scores: dict[bytes, Score] = {}  # of those that were asked for, in that order
        self._calls, self._started = 0, time.monotonic()
        self._keeping = Keeping(record, costs, feasible, run, budget.checkpoint_minutes, data)
        self._restored = len(self._keeping.scores)

    @property
    def remaining(self) -> int:
        """Evaluations left; cached scores cost none. None is left when the time is up."""
        return 0 if self._is_late else self._budget.max_evaluations - len(self._scores)

    @property
    def _is_late(self) -> bool:
        """Whether nothing new is scored; something is whatever the time, and what an interrupted run knew is free."""
        known = len(self._scores)
        return self._time_is_up and known > 0 and known >= self._restored

    @property
    def _time_is_up(self) -> bool:
        minutes = self._budget.time_budget
        return minutes is not None and time.monotonic() - self._started >= 60 * minutes

    @property
    def evaluated(self) -> int:
        """Distinct architectures scored so far."""
        return len(self._scores)

    @property
    def images(self) -> int:
        """Images looked at for all scores, on the validation split."""
        return sum(score.images for score in self._scores.values())

    def score(self, archs: Archs) -> list[Score]:
        """Scores of architectures (n, d), cached by canonical architecture.

        Raises:
            RunFailed: the strategy proposed something outside the space or the constraint.
            BudgetSpent: not all of them could be scored.
        """
        canonical = self.checked(archs)
        keys = [arch.tobytes() for arch in canonical]
        new = {key: arch for key, arch in zip(keys, canonical, strict=True) if key not in self._scores}
        affordable = np.array(list(new.values())[: max(0, self.remaining)])
        groups = self._groups(affordable) if len(affordable) else []
        try:
            with closing(self._workers.scores([group for group in groups if not self._keeping.has(group)])) as coming:
                for group in groups:
                    if self._keeping.has(group) or not self._is_late:
                        self._take(group, coming)
        except Interrupted:
            self._scores |= self._keeping.scores
            self._keeping.checkpoint()
            raise
        if any(key not in self._scores for key in keys):
            raise BudgetSpent
        return [self._scores[key] for key in keys]

    def _groups(self, archs: Archs) -> list[Archs]:
        """Canonical architectures (n, d) in groups that are scored in one call each."""
        groups = self._evaluator.groups(archs)
        if self._workers.at_once > 1 and not self._evaluator.compares:
            groups = shared_out(groups, self._workers.at_once)
        return [archs[rows] for rows in groups]

    def known(self, arch: Archs) -> Score | None:
        """The score of a canonical architecture (d,), if it was scored and did not fail."""
        score = self._scores.get(arch.tobytes())
        return score if score is not None and score.error is None else None

    def checked(self, archs: Archs) -> Archs:
        """The architectures (n, d), canonical.

        Raises:
            RunFailed: one of them is outside the space or the constraint.
        """
        try:
            checked = self.space.check(archs)
        except ArtifactError as error:
            raise RunFailed("the search strategy proposed what is not in the search space", why=error.what) from None
        inside = self.feasible.contains(checked)
        if not inside.all():
            wrong = compact(checked[int(np.argmin(inside))])
            raise RunFailed(f"the search strategy proposed {wrong}, which breaks the constraint")
        return self.space.canonical(checked)

    def _take(self, archs: Archs, coming: Scored) -> None:
        """Keep the scores of a group, having waited for them."""
        while not self._keeping.has(archs):
            self._keeping.add(*next(coming))
        self._scores |= {key: self._keeping.scores[key] for key in map(np.ndarray.tobytes, archs)}
        if self.bar is not None:
            best = max((s.accuracy for s in self._scores.values() if s.error is None), default=float("nan"))
            self.bar.advance(f"best {best:.4f}", by=len(archs))
        self._run.stop_if_asked()

    def order(self, archs: Archs, scores: Sequence[Score]) -> npt.NDArray[np.int64]:
        """Positions from best to worst: accuracy, then loss, then cost, then lexicographic; failed ones last.

        The cost is of the leading metric, see `FeasibleSet.leading`.
        """
        archs = np.asarray(archs)
        tie = self.feasible.leading
        cost = self.costs.total(tie, archs) if tie else np.zeros(len(archs))
        loss = np.array([s.loss for s in scores])
        accuracy = np.array([s.accuracy for s in scores])
        return np.lexsort((*archs.T[::-1], cost, loss, -accuracy)).astype(np.int64)

    def best(self) -> tuple[Archs, Score]:
        """The best architecture scored so far.

        Raises:
            RunFailed: none has a score.
        """
        archs, scores = table(self._scores, self.space)
        if all(score.error is not None for score in scores):
            reason = scores[0].error if scores else "nothing was scored"
            raise RunFailed("no architecture could be scored", why=str(reason))
        first = int(self.order(archs, scores)[0])
        return archs[first], scores[first]

    def history(self, front: Archs | None = None) -> History:
        """Everything scored so far, in order; the rows of a front (n, d), if there is one, are in its summary."""
        return self._keeping.history(self._scores, front)

    def relaxed_loss(self, forward: Forward) -> Tensor:
        """See `SearchProblem.relaxed_loss`.

        Raises:
            UsageError: the evaluator gives no gradient.
        """
        loss = self._evaluator.relaxed_loss(forward, self._calls)
        self._calls += 1
        return loss

    @cached_property
    def kept(self) -> tuple[int, Mapping[str, Any]] | None:
        """The step and the state that the interrupted run kept last; batches go on from there too."""
        progress = self._keeping.training()
        if progress is None:
            return None
        self._calls = progress.state["calls"]
        return progress.step, progress.state["strategy"]

    def keep(self, step: int, steps: int, state: Callable[[], Mapping[str, Any]], metric: str = "") -> bool:
        """See `SearchProblem.keep`; after Ctrl-C the run stops here.

        Raises:
            Interrupted: the run was asked to stop.
        """
        if self.bar is not None:
            self.bar.advance(f"training {step}/{steps}  {metric}".rstrip(), by=0)
        self._keeping.keep_training(step, steps, lambda: {"calls": self._calls, "strategy": state()}, metric)
        self._run.stop_if_asked()
        is_late = self._time_is_up
        if is_late and step < steps:
            self._run.log(event="time is up", step=step, steps=steps)
            out.note(f"the time is up: training ends after {step:,} of {steps:,} steps")
        return not is_late

"""The search strategy of a tuner: one with NNI's methods proposes trials, the search scores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Field

from nascli.component import Kind, Reference
from nascli.config import option
from nascli.errors import ArtifactError, BudgetSpent, RunFailed
from nascli.search_strategy.base import AskTell, Score, SearchProblem
from nascli.search_strategy.tuner import Tuner
from nascli.space import Archs
from nascli.space.exchange import read_answer, to_nni

TRIES = 10  # answers for each trial that is wanted
NO_MORE = ("NoMoreTrial", "NoMoreTrialError")
"""The names of what a tuner raises that proposes nothing now: this package's, and NNI's."""


class NniTuner(Protocol):
    """The methods of a tuner of NNI's."""

    def update_search_space(self, search_space: Any) -> None:
        """Called first."""

    def generate_parameters(self, parameter_id: int) -> Mapping[str, Any]:
        """The answer to try."""
        ...

    def receive_trial_result(self, parameter_id: int, parameters: Any, value: float) -> None:
        """A trial has a result."""

    def trial_end(self, parameter_id: int, success: bool) -> None:
        """A trial is over."""


@dataclass(frozen=True)
class _Trial:
    """One that is open: its number, its answer and what that means, (d,)."""

    number: int
    answer: Mapping[str, Any]
    arch: Archs


class Tuned(AskTell):
    """A tuner with NNI's methods, here over an ask/tell strategy; its trials are scored together, `concurrency` a time.

    For a tuner of one's own: a subclass with another `tuner`. An answer outside the constraint is a trial that failed.
    Results are told in the order of the trials, so that a search is the same wherever they ran.
    """

    class Config(AskTell.Config):
        """Options of trials."""

        strategy: Annotated[Reference, Kind("search_strategy")] = option(
            "evolution", description="The ask/tell search strategy that the tuner asks."
        )
        concurrency: int = Field(16, ge=1, description="trials that are open at a time")

    config: Config

    def tuner(self, seed: int) -> NniTuner:
        """A new tuner; called once a search."""
        return Tuner(self.config.strategy.build(), seed)

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """A tuner that knows the search space, in NNI's JSON where it is not this package's own."""
        self._problem, self._rng = problem, rng
        self._tuner = self.tuner(int(rng.integers(2**31)))
        self._tuner.update_search_space(problem.space if isinstance(self._tuner, Tuner) else to_nni(problem.space))
        self._number, self._open = 0, list[_Trial]()

    def ask(self) -> Archs:
        """What the tuner wants to try; a random architecture where all its answers break the constraint.

        Raises:
            BudgetSpent: the tuner proposes nothing any more.
        """
        wanted = min(self.config.concurrency, max(1, self._problem.remaining))
        self._open = []
        for tries in range(TRIES * wanted):
            trial = self._next() if len(self._open) < wanted else None
            if trial is None and not tries:
                raise BudgetSpent
            if trial is None:
                break
            if self._problem.feasible.contains(trial.arch[None])[0]:
                self._open.append(trial)
            else:
                self._tuner.trial_end(trial.number, False)
        if not self._open:
            return self._problem.feasible.sample(1, self._rng)
        return np.array([trial.arch for trial in self._open])

    def _next(self) -> _Trial | None:
        try:
            answer = self._tuner.generate_parameters(self._number)
        except Exception as error:
            if type(error).__name__ in NO_MORE:
                return None
            raise
        self._number += 1
        try:
            return _Trial(self._number - 1, answer, read_answer(self._problem.space, answer))
        except ArtifactError as error:
            raise RunFailed("the tuner proposed what is not in the search space", why=error.what) from None

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Results of the open trials, and their end."""
        for trial, score in zip(self._open, scores, strict=False):  # none is open for a random architecture
            if score.error is None:
                self._tuner.receive_trial_result(trial.number, trial.answer, score.accuracy)
            self._tuner.trial_end(trial.number, score.error is None)

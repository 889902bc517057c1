"""Where architectures are scored: in this process, or wherever an executor takes an evaluator's groups to."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import isfinite
from typing import Protocol

from nascli.component import Component
from nascli.errors import RunFailed
from nascli.run import Run
from nascli.search_strategy.base import Score
from nascli.space import Archs, compact
from nascli.training_agent.base import Evaluator
from nascli.training_agent.job import Job
from nascli.training_agent.settings import Engines

Scored = Generator[tuple[Archs, list[Score]], None, None]


class Workers(Protocol):
    """What scores groups of architectures."""

    @property
    def at_once(self) -> int:
        """How many groups are scored at the same time."""
        ...

    def scores(self, groups: Sequence[Archs]) -> Scored:
        """Each group (n, d) with its scores, in whatever order they come; closing it gives up those that have not.

        Raises:
            Interrupted: the run was asked to stop.
            RunFailed: nothing can be scored any more.
        """
        ...


def fitting(archs: Archs, scores: Sequence[Score], evaluator: str) -> Sequence[Score]:
    """The scores of a group (n, d), if they are what an evaluator may give.

    Raises:
        RunFailed: there are more or fewer than architectures, or one is no number without saying why.
    """
    rule = "an evaluator gives each architecture finite numbers, or NaN and an error"
    if len(scores) != len(archs):
        raise RunFailed(f"the evaluator {evaluator} gave {len(scores)} scores for {len(archs)} architectures", why=rule)
    for arch, score in zip(archs, scores, strict=True):
        if score.error is None and not (isfinite(score.accuracy) and isfinite(score.loss)):
            what = f"the evaluator {evaluator} scored {compact(arch)} with {score.accuracy}, loss {score.loss}"
            raise RunFailed(what, why=rule)
    return scores


class Executor(Component):
    """Takes groups of architectures to where they are scored, and brings their scores back."""

    @abstractmethod
    def check(self) -> None:
        """Refuse what cannot work here, before anything is loaded.

        Raises:
            UsageError: a package is missing.
        """

    def session(self) -> AbstractContextManager[None]:
        """What must be there while `engines` and `workers` are used; entered again within itself it does nothing."""
        return nullcontext()

    def engines(self, given: Engines) -> Engines:
        """Where and how to compute, in this process and in all others; by default as given."""
        return given

    @abstractmethod
    def workers(self, evaluator: Evaluator, job: Callable[[], Job], run: Run) -> AbstractContextManager[Workers]:
        """What scores for one search.

        Args:
            evaluator: prepared.
            job: gives what another process needs to come to the same evaluator.
        """


class Local(Executor):
    """This process scores one group after another."""

    def check(self) -> None:
        """Works everywhere."""

    def workers(self, evaluator: Evaluator, job: Callable[[], Job], run: Run) -> AbstractContextManager[Workers]:
        """The evaluator itself."""
        return nullcontext(ThisProcess(evaluator))


class ThisProcess:
    """The one worker that is there without others."""

    at_once = 1

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def scores(self, groups: Sequence[Archs]) -> Scored:
        """Each group when it is asked for, in order."""
        for archs in groups:
            yield archs, self._evaluator.evaluate(archs)


def shared_out(groups: Sequence[list[int]], parts: int) -> list[list[int]]:
    """The groups, neighbours in the same order, cut so that there are about `parts` of them or more."""
    most = -(-sum(map(len, groups)) // max(1, parts))
    return [rows[i : i + most] for rows in groups for i in range(0, len(rows), most)]

"""Executors: where an evaluator's groups of architectures are taken to be scored."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from nascli.component import Component
from nascli.run import Run
from nascli.training_agent.base import Evaluator
from nascli.training_agent.job import Job
from nascli.training_agent.settings import Engines
from nascli.training_agent.workers import Processes, Workers


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
    """The processes of the run score, as a rule this one alone, one group after another."""

    def check(self) -> None:
        """Works everywhere."""

    def workers(self, evaluator: Evaluator, job: Callable[[], Job], run: Run) -> AbstractContextManager[Workers]:
        """Each process with the evaluator that it has prepared."""
        return nullcontext(Processes(evaluator, run.ranks))

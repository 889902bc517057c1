"""Scores that come in another order than they were asked for, from workers of whatever kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nascli.artifacts.history import History
from nascli.errors import BudgetSpent, Interrupted
from nascli.search_strategy.base import Score
from nascli.search_strategy.evolution import Evolution
from nascli.space import Archs
from nascli.training_agent.executor import Local
from nascli.training_agent.problem import Problem
from nascli.training_agent.workers import Processes, Scored
from tests.search_strategy.helpers import Budget, Formulaic, Toy, additive, toy

TABLES = np.random.default_rng(2).integers(0, 90, (5, 4)).tolist()
FOUR = np.array([[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [2, 2, 2, 2, 2], [3, 3, 3, 3, 3]])


class Backwards(Processes):
    """The last group first; asked to stop, or late, once `most` groups are there."""

    def __init__(self, evaluator: Formulaic, problem: Problem, most: int = 10**9) -> None:
        super().__init__(evaluator)
        self.at_once, self._problem, self._most = 3, problem, most

    def scores(self, groups: Sequence[Archs]) -> Scored:
        for archs in reversed(groups):
            if self._most == 0:
                self._problem._run.stopping = True
                self._problem._run.stop_if_asked()
            self._most -= 1
            yield archs, self._evaluator.evaluate(archs)


def backwards(parts: Toy, most: int = 10**9, *, resume: bool = False) -> Problem:
    problem = parts.problem(resume=resume)
    problem._workers = Backwards(parts.evaluator, problem, most)
    return problem


def test_the_history_is_in_the_order_of_asking(tmp_path: Path) -> None:
    histories = []
    for name in ("local", "backwards"):
        parts = toy(tmp_path / name, TABLES, evaluations=40)
        problem = parts.problem() if name == "local" else backwards(parts)
        Evolution(Evolution.Config(population=8, parents=4)).search(problem, np.random.default_rng(0))
        histories.append(problem.history().sealed().header.digest)
    assert histories[0] == histories[1]


def test_what_came_before_its_turn_survives_an_interruption(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    problem = backwards(parts, most=2)
    with pytest.raises(Interrupted):
        problem.score(FOUR)
    assert parts.evaluator.seen == [tuple(FOUR[3]), tuple(FOUR[2])]
    assert problem.best()[0].tolist() in FOUR[2:].tolist()
    resumed = parts.problem(resume=True)
    resumed.score(FOUR)
    assert parts.evaluator.seen == [tuple(FOUR[0]), tuple(FOUR[1])]
    assert resumed.history().payload.archs.tolist() == FOUR.tolist()


def test_what_came_before_its_turn_is_in_a_checkpoint(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    parts.budget = Budget(checkpoint_minutes=0.0)
    problem = backwards(parts)
    coming = problem._workers.scores([FOUR[:1], FOUR[1:2]])
    problem._keeping.add(*next(coming))
    saved = History.open(tmp_path / "arch.npy.run/last.h5").payload
    assert (saved.archs.tolist(), problem.evaluated) == ([FOUR[1].tolist()], 0)


class Overtaken(Processes):
    """The third group comes before the second one."""

    def scores(self, groups: Sequence[Archs]) -> Scored:
        for i in (0, 2, 1, 3):
            yield groups[i], self._evaluator.evaluate(groups[i])


def test_what_has_come_when_the_time_is_up_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = toy(tmp_path, TABLES)
    problem = parts.problem()
    problem._workers = Overtaken(parts.evaluator)
    monkeypatch.setattr(Problem, "_is_late", property(lambda self: len(self._scores) >= 2))
    with pytest.raises(BudgetSpent):
        problem.score(FOUR)
    assert problem.history().payload.archs.tolist() == FOUR[:3].tolist()


class Comparing(Formulaic):
    """All in one group, whose scores hang on each other."""

    @property
    def compares(self) -> bool:
        return True

    def groups(self, archs: Archs) -> list[list[int]]:
        return [list(range(len(archs)))]

    def evaluate(self, archs: Archs) -> list[Score]:
        return [Score(0.5, len(archs), 1) for _ in archs]


def test_a_group_that_is_compared_is_not_shared_out(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    parts.kind = Comparing
    assert [score.loss for score in backwards(parts).score(FOUR)] == [4] * 4


def test_the_local_executor_scores_a_group_when_it_is_asked_for(tmp_path: Path) -> None:
    parts = Toy(tmp_path, toy(tmp_path, TABLES).model, additive(TABLES))
    parts.problem()

    def no_job() -> None:
        raise AssertionError("nobody needs a job here")

    with Local().workers(parts.evaluator, no_job, parts.run) as workers:  # type: ignore[arg-type]
        coming = workers.scores([FOUR[:2], FOUR[2:]])
        next(coming)
        assert len(parts.evaluator.seen) == 2

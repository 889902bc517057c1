"""Scores that come in another order than they were asked for, from workers of whatever kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.artifacts.history import History
from nascli.errors import BudgetSpent, Interrupted, RunFailed
from nascli.search_strategy.base import Score
from nascli.search_strategy.evolution import Evolution
from nascli.space import Archs
from nascli.training_agent.executor import Local, Scored, ThisProcess, fitting, shared_out
from nascli.training_agent.problem import Problem
from tests.search_strategy.helpers import Budget, Formulaic, Toy, additive, toy

TABLES = np.random.default_rng(2).integers(0, 90, (5, 4)).tolist()
FOUR = np.array([[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [2, 2, 2, 2, 2], [3, 3, 3, 3, 3]])


class Backwards(ThisProcess):
    """The last group first; asked to stop, or late, once `most` groups are there."""

    at_once = 3

    def __init__(self, evaluator: Formulaic, problem: Problem, most: int = 10**9) -> None:
        super().__init__(evaluator)
        self._problem, self._most = problem, most

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
    problem._receive(*next(coming))
    saved = History.open(tmp_path / "arch.npy.run/last.h5").payload
    assert (saved.archs.tolist(), problem.evaluated) == ([FOUR[1].tolist()], 0)


class Overtaken(ThisProcess):
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


@given(st.lists(st.integers(1, 9), max_size=6), st.integers(1, 9))
def test_groups_shared_out_keep_their_order_and_are_enough(sizes: list[int], parts: int) -> None:
    rows = iter(range(sum(sizes)))
    groups = [[next(rows) for _ in range(size)] for size in sizes]
    found = shared_out(groups, parts)
    assert [row for group in found for row in group] == list(range(sum(sizes)))
    assert max(map(len, found), default=1) <= max(1, -(-sum(sizes) // parts))


def test_the_local_executor_scores_a_group_when_it_is_asked_for(tmp_path: Path) -> None:
    parts = Toy(tmp_path, toy(tmp_path, TABLES).model, additive(TABLES))
    parts.problem()

    def no_job() -> None:
        raise AssertionError("nobody needs a job here")

    with Local().workers(parts.evaluator, no_job, parts.run) as workers:  # type: ignore[arg-type]
        coming = workers.scores([FOUR[:2], FOUR[2:]])
        next(coming)
        assert len(parts.evaluator.seen) == 2


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([Score(0.5, 1.0, 8)], "gave 1 scores for 2"),
        ([Score(0.5, 1.0, 8)] * 3, "gave 3 scores for 2"),
        ([Score(0.5, 1.0, 8), Score(float("nan"), 1.0, 8)], "scored 1,0 with nan"),
        ([Score(0.5, float("inf"), 8)] * 2, "scored 0,1 with 0.5, loss inf"),
    ],
)
def test_scores_that_an_evaluator_may_not_give_fail_the_run(scores: list[Score], said: str) -> None:
    with pytest.raises(RunFailed, match=f"the evaluator Mine {said}"):
        fitting(np.array([[0, 1], [1, 0]]), scores, "Mine")


def test_a_failed_score_is_one_that_an_evaluator_may_give() -> None:
    failed = [Score(float("nan"), float("nan"), 0, "out of memory")]
    assert fitting(np.array([[0, 1]]), failed, "Mine") == failed

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.errors import RunFailed
from nascli.ranks import Ranks
from nascli.search_strategy.base import Score
from nascli.space import Archs
from nascli.training_agent.base import Evaluator, EvaluatorInputs
from nascli.training_agent.workers import Processes, done, scored, serve, shared_out

ARCHS = np.arange(20).reshape(10, 2)


class Sums(Evaluator):
    """The score of an architecture is its sum."""

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        return {}

    def evaluate(self, archs: Archs) -> list[Score]:
        return [Score(float(arch.sum()), 0.0, 1) for arch in archs]


class Others(Ranks):
    """The first of three processes; what the others would do is done here."""

    world_size = 3

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator, self.parts, self.sizes = evaluator, [], []
        self.failure: Exception | None = None

    def broadcast(self, value: Any) -> Any:
        self.parts = value
        self.sizes.append([len(part) for part in value])
        return value

    def gather(self, value: Any) -> list[Any]:
        rest = [self.evaluator.evaluate(part) for part in self.parts[1:3]]
        return [value, *([self.failure] if self.failure else rest)]


FOURS = [list(range(i, min(i + 4, 10))) for i in range(0, 10, 4)]


def scores_of(workers: Processes, groups: list[list[int]]) -> list[tuple[list[int], float]]:
    """(architecture, score) in the order in which they arrive."""
    coming = workers.scores([ARCHS[rows] for rows in groups])
    return [(arch.tolist(), s.accuracy) for archs, scores in coming for arch, s in zip(archs, scores, strict=True)]


@pytest.mark.parametrize(("groups", "sizes"), [(FOURS, [[4, 4, 2]]), ([[0], [1], [2], [3, 4]], [[1, 1, 1], [2]])])
def test_processes_score_a_group_each_in_the_order_of_one(groups: list[list[int]], sizes: list[list[int]]) -> None:
    ranks = Others(Sums())
    assert scores_of(Processes(Sums(), ranks), groups) == scores_of(Processes(Sums()), groups)
    assert ranks.sizes == sizes


def test_what_fails_elsewhere_is_raised_here() -> None:
    ranks = Others(Sums())
    ranks.failure = RunFailed("out of memory")
    with pytest.raises(RunFailed, match="out of memory"):
        scores_of(Processes(Sums(), ranks), FOURS)


class Told(Ranks):
    """The second of two processes, which is told these things one after another."""

    rank, world_size = 1, 2

    def __init__(self, *told: Any) -> None:
        self.told, self.given = list(told), []

    def broadcast(self, value: Any) -> Any:
        return self.told.pop(0)

    def gather(self, value: Any) -> list[Any]:
        self.given.append(value)
        return []


def test_a_process_serves_until_the_search_is_done() -> None:
    ranks = Told([ARCHS[:1], ARCHS[1:3]], [ARCHS[:1]], ("done", "winner"))
    assert serve(Sums(), ranks) == "winner"
    assert [[score.accuracy for score in scores] for scores in ranks.given] == [[5.0, 9.0], []]


def test_the_first_process_ends_the_others_with_its_result() -> None:
    first = Others(Sums())
    done(["winner"], first)
    assert serve(Sums(), Told(first.parts)) == ["winner"]


@given(st.lists(st.integers(1, 9), max_size=6), st.integers(1, 9))
def test_groups_shared_out_keep_their_order_and_are_enough(sizes: list[int], parts: int) -> None:
    rows = iter(range(sum(sizes)))
    groups = [[next(rows) for _ in range(size)] for size in sizes]
    found = shared_out(groups, parts)
    assert [row for group in found for row in group] == list(range(sum(sizes)))
    assert max(map(len, found), default=1) <= max(1, -(-sum(sizes) // parts))


class Mine(Sums):
    """Gives these scores, whatever is asked for."""

    def __init__(self, *scores: Score) -> None:
        super().__init__()
        self.scores = list(scores)

    def evaluate(self, archs: Archs) -> list[Score]:
        return self.scores


NAN = float("nan")


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([Score(0.5, 1.0, 8)], "gave 1 scores for 2"),
        ([Score(0.5, 1.0, 8)] * 3, "gave 3 scores for 2"),
        ([Score(0.5, 1.0, 8), Score(NAN, 1.0, 8)], "scored 2,3 with nan"),
        ([Score(0.5, float("inf"), 8)] * 2, "scored 0,1 with 0.5, loss inf"),
    ],
)
def test_scores_that_an_evaluator_may_not_give_fail_the_run(scores: list[Score], said: str) -> None:
    with pytest.raises(RunFailed, match=f"the evaluator Mine {said}"):
        scored(Mine(*scores), ARCHS[:2])


def test_a_failed_score_is_one_that_an_evaluator_may_give() -> None:
    failed = Score(NAN, NAN, 0, "out of memory")
    assert scored(Mine(failed), ARCHS[:1]) == [failed]


def test_a_process_that_is_given_too_few_scores_tells_the_first_one() -> None:
    ranks = Told([ARCHS[:1], ARCHS[1:3]], ("done", "winner"))
    assert serve(Mine(), ranks) == "winner"
    assert "gave 0 scores for 2" in str(ranks.given[0])

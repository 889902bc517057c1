from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from nascli.errors import RunFailed
from nascli.ranks import Ranks
from nascli.search_strategy.base import Score
from nascli.space import Archs
from nascli.training_agent.base import Evaluator, EvaluatorInputs
from nascli.training_agent.sharding import Sharded, done, serve

ARCHS = np.arange(20).reshape(10, 2)


class Sums(Evaluator):
    """The score of an architecture is its sum; groups are of four, as they come or all together."""

    together = False
    chunk = 4

    @property
    def compares(self) -> bool:
        return self.together

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        return {}

    def groups(self, archs: Archs) -> list[list[int]]:
        return [list(range(len(archs)))] if self.together else super().groups(archs)

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


def sharded() -> tuple[Sharded, Others]:
    ranks = Others(Sums())
    return Sharded(Sums(), ranks), ranks


def scores_of(evaluator: Evaluator) -> list[tuple[int, float]]:
    """(row, score) in the order in which they arrive."""
    rows = evaluator.groups(ARCHS)
    return [(row, s.accuracy) for some in rows for row, s in zip(some, evaluator.evaluate(ARCHS[some]), strict=True)]


def test_scores_arrive_in_the_order_of_one_process() -> None:
    evaluator, ranks = sharded()
    assert scores_of(evaluator) == scores_of(Sums())
    assert ranks.sizes == [[4, 4, 2]]


def test_few_groups_are_cut_so_that_all_have_work() -> None:
    evaluator, ranks = sharded()
    (rows,) = evaluator.groups(ARCHS[:4])
    evaluator.evaluate(ARCHS[rows])
    assert rows == [0, 1, 2, 3]
    assert sorted(ranks.sizes[0]) == [1, 1, 2]


def test_what_is_compared_stays_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sums, "together", True)
    evaluator, ranks = sharded()
    assert scores_of(evaluator) == scores_of(Sums())
    assert ranks.sizes == [[10]]


def test_what_fails_elsewhere_is_raised_here() -> None:
    evaluator, ranks = sharded()
    ranks.failure = RunFailed("out of memory")
    with pytest.raises(RunFailed, match="out of memory"):
        scores_of(evaluator)


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


def test_the_end_of_a_search_on_one_process_tells_nobody() -> None:
    done("winner", Ranks())

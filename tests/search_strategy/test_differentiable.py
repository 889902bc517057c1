from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from nascli.cost.feasible import FeasibleSet
from nascli.errors import RunFailed
from nascli.search_strategy.base import Outcome
from nascli.search_strategy.differentiable import Differentiable
from nascli.testing.problem import FormulaProblem
from nascli.testing.spaces import chain, feasible, nested

COSTS = [[0, 3, 5], [1, 2, 9], [7, 4, 0]]
ALPHAS = [[0.0, 1.0, 3.0], [2.0, 0.5, 2.5], [0.0, 0.1, 0.2]]


class Preferring(FormulaProblem):
    """Architecture parameters of one's own."""

    arch_parameters: Mapping[str, Any]  # type: ignore[assignment]

    def __init__(self, inside: FeasibleSet, alphas: Sequence[Sequence[float]], budget: int = 12) -> None:
        super().__init__(inside, budget)
        labels = [decision.label for decision in inside.space.decisions]
        self.__dict__["preferred"] = dict(zip(labels, map(torch.tensor, alphas), strict=True))

    @property  # type: ignore[no-redef]
    def arch_parameters(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.__dict__["preferred"]
        return found


def search(problem: FormulaProblem, **options: Any) -> Outcome:
    return Differentiable(Differentiable.Config(**options)).search(problem, np.random.default_rng(0))


def log_probability(arch: Sequence[int]) -> float:
    rows = [torch.tensor(row, dtype=torch.float64).log_softmax(0) for row in ALPHAS]
    return sum(row[i].item() for row, i in zip(rows, arch, strict=True))


def test_without_a_constraint_each_decision_takes_its_most_probable_candidate() -> None:
    found = search(Preferring(feasible(chain(COSTS)), ALPHAS))
    assert found.archs.tolist() == [[2, 2, 2]]
    assert found.facts["decoded"] == "argmax"
    assert found.facts["gap"] == 0
    assert found.facts["log_probability"] == pytest.approx(log_probability([2, 2, 2]))


@pytest.mark.parametrize("bound", [11, 13, 14, 17, 18.5, 20, 22, 26])
def test_under_a_constraint_it_is_the_most_probable_feasible_one(bound: float) -> None:
    inside = feasible(chain(COSTS), f"macs<={bound}")
    found = search(Preferring(inside, ALPHAS))
    every = np.array(list(product(range(3), repeat=3)))
    best = max(every[inside.contains(every)].tolist(), key=log_probability)
    assert found.archs.tolist() == [best]
    assert found.facts["log_probability"] == pytest.approx(log_probability(best))
    assert found.facts["gap"] == pytest.approx(0, abs=1e-9)


def test_the_answer_is_scored_once() -> None:
    problem = Preferring(feasible(chain(COSTS), "macs<=16"), ALPHAS)
    found = search(problem)
    assert problem.asked == [tuple(found.archs[0])]


def test_further_answers_are_distinct_feasible_and_ordered_by_score() -> None:
    problem = Preferring(feasible(chain(COSTS), "macs<=18"), ALPHAS)
    found = search(problem, answers=5)
    assert len({tuple(arch) for arch in found.archs}) == len(problem.asked) == 5
    scores = [score.accuracy for score in problem.score(found.archs)]
    assert scores == sorted(scores, reverse=True)


def test_further_answers_stay_within_the_budget() -> None:
    problem = Preferring(feasible(chain(COSTS)), ALPHAS, budget=2)
    assert len(search(problem, answers=5).archs) == 2


def test_a_decision_that_does_not_exist_has_index_0() -> None:
    alphas = [[9.0, 0.0, 0.0], [0.0, 0.0, 5.0], [0.0, 1.0]]
    assert search(Preferring(feasible(nested()), alphas)).archs.tolist() == [[0, 0, 1]]


def test_parameters_that_are_not_finite_fail_the_run() -> None:
    broken = [[0.0, float("nan"), 1.0], *ALPHAS[1:]]
    with pytest.raises(RunFailed, match="not finite"):
        search(Preferring(feasible(chain(COSTS)), broken))

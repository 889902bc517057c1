from __future__ import annotations

from pathlib import Path

import numpy as np

from nascli.search_strategy.base import Score
from nascli.search_strategy.regularized_evolution import RegularizedEvolution
from nascli.space import Archs

from .helpers import Budget, Toy, searched, toy

LARGE = np.random.default_rng(11).integers(0, 100, (8, 6)).tolist()


def strategy(**options: float) -> RegularizedEvolution:
    return RegularizedEvolution(RegularizedEvolution.Config(**{"population": 20, "sample": 5, **options}))


def test_a_child_differs_from_a_member_in_one_decision(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE, evaluations=120)
    searched(strategy(), parts)
    seen = np.array(parts.evaluator.seen)
    for i in range(20, 120):
        assert (seen[max(0, i - 24) : i] != seen[i]).sum(axis=1).min() == 1


def test_the_parent_is_the_best_of_a_sample(tmp_path: Path) -> None:
    evolution = strategy(population=8, sample=1, batch=64)
    problem = toy(tmp_path, LARGE, evaluations=1000).problem()
    evolution.begin(problem, np.random.default_rng(0))
    first = evolution.ask()
    evolution.tell(first, problem.score(first))
    parents = {int((first != child).sum(axis=1).argmin()) for child in evolution.ask()}
    assert len(parents) == 8


def test_what_has_no_score_is_no_member(tmp_path: Path) -> None:
    def score(arch: Archs) -> Score:
        return Score(float("nan"), float("nan"), 0, "broken") if arch[0] else Score(0.5, 0.5, 1)

    parts = Toy(tmp_path, toy(tmp_path, LARGE).model, score, budget=Budget(60))
    evolution = strategy(population=4)
    problem = parts.problem()
    evolution.begin(problem, np.random.default_rng(0))
    for _ in range(8):
        archs = evolution.ask()
        evolution.tell(archs, problem.score(archs))
    assert all(arch[0] == 0 for arch, _ in evolution._members)


def test_a_small_budget_has_a_small_population(tmp_path: Path) -> None:
    evolution = strategy()
    evolution.begin(toy(tmp_path, LARGE, evaluations=25).problem(), np.random.default_rng(0))
    assert len(evolution.ask()) == 5

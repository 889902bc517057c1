from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nascli.search_strategy.base import Score
from nascli.search_strategy.local_search import LocalSearch
from nascli.space import Archs

from .helpers import Budget, Toy, additive, searched, toy

LARGE = np.random.default_rng(11).integers(0, 100, (8, 6)).tolist()
SMALL = [[0, 3, 5], [1, 2, 9, 4], [7, 7, 0]]


def strategy(**options: int) -> LocalSearch:
    return LocalSearch(LocalSearch.Config(**options))


@pytest.mark.parametrize("seed", range(4))
def test_it_climbs_to_the_optimum(tmp_path: Path, seed: int) -> None:
    parts = toy(tmp_path, LARGE, evaluations=300)
    assert parts.formula(searched(strategy(), parts, seed)[0]).accuracy == 1.0


def test_a_step_goes_to_a_neighbour(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE, evaluations=60)
    searched(strategy(starts=1, batch=1, pairs=0), parts)
    here = best = parts.evaluator.seen[0]
    for arch in parts.evaluator.seen[1:30]:
        assert sum(a != b for a, b in zip(arch, here, strict=True)) == 1
        best = max(best, arch, key=lambda one: parts.formula(one).accuracy)
        here = best


def test_at_a_bound_one_decision_pays_for_another(tmp_path: Path) -> None:
    """From [0, 1] no single change is both feasible and better; the best needs two."""
    costs, quality = [[0, 1], [0, 1]], [[0, 5], [0, 3]]

    def goes_on(pairs: int) -> bool:
        """Whether the climb goes on where the only neighbour is worse."""
        parts = toy(tmp_path, costs, "macs<=1")
        parts.formula = additive(quality)
        problem, climbing = parts.problem(), strategy(starts=1, pairs=pairs)
        climbing.begin(problem, np.random.default_rng(0))
        climbing.tell(np.array([[0, 1]]), problem.score(np.array([[0, 1]])))
        assert climbing.ask().tolist() == [[0, 0]]
        climbing.tell(np.array([[0, 0]]), problem.score(np.array([[0, 0]])))
        climbing.ask()
        return climbing._here is not None

    assert goes_on(pairs=4)
    assert not goes_on(pairs=0)


def test_it_starts_again_where_a_climb_ends(tmp_path: Path) -> None:
    """Two hills: alike architectures are good; the best of all stands on the hill of zeros."""

    def score(arch: Archs) -> Score:
        zeros, ones = (arch == 0).sum(), (arch == 1).sum()
        return Score(max(zeros / 8, ones / 10), 0.0, 1)

    parts = Toy(tmp_path, toy(tmp_path, LARGE).model, score, budget=Budget(1500))
    assert searched(strategy(starts=1, pairs=0), parts)[0].tolist() == [0] * 8


def test_it_ends_when_everything_was_tried(tmp_path: Path) -> None:
    assert len(searched(strategy(), toy(tmp_path, SMALL, evaluations=10_000))) == 36


def test_it_asks_for_nothing_twice(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE, evaluations=300)
    searched(strategy(), parts)
    assert len(set(parts.evaluator.seen)) == len(parts.evaluator.seen) == 300


def test_a_climb_goes_on_where_neighbours_have_no_score(tmp_path: Path) -> None:
    def score(arch: Archs) -> Score:
        return Score(float("nan"), float("nan"), 0, "broken") if arch[0] == 1 else additive(LARGE)(arch)

    parts = Toy(tmp_path, toy(tmp_path, LARGE).model, score, budget=Budget(400))
    best = sum(max(row) for row in LARGE[1:]) + max(LARGE[0][:1] + LARGE[0][2:])
    assert score(searched(strategy(), parts)[0]).accuracy == best / sum(max(row) for row in LARGE)

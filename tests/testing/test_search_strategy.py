"""The contract of search strategies notices every breach."""

from __future__ import annotations

import random

import numpy as np
import pytest

from nascli.search_strategy.base import Outcome, SearchProblem, SearchStrategy
from nascli.testing import SearchStrategyContract
from nascli.testing.problem import FormulaProblem
from nascli.testing.spaces import chain, feasible


class Sampler(SearchStrategy):
    """Right: scores a few samples."""

    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        archs = problem.feasible.sample(min(4, problem.remaining), rng)
        return Outcome(archs[problem.order(archs, problem.score(archs))])


class Unbound(Sampler):
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        archs = rng.integers(0, problem.space.sizes, size=(50, len(problem.space.sizes)))
        problem.score(archs)
        return Outcome(archs)


class Nothing(Sampler):
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        return Outcome(super().search(problem, rng).archs[:0])


class Floats(Sampler):
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        return Outcome(super().search(problem, rng).archs.astype(float))


class Idle(Sampler):
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        return Outcome(problem.feasible.sample(1, rng))


class Endless(Sampler):
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        while problem.remaining:
            outcome = super().search(problem, rng)
        return outcome


class Unseeded(Sampler):
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        return super().search(problem, np.random.default_rng())


class Remembering(Sampler):
    def __init__(self) -> None:
        super().__init__()
        self.kept: np.random.Generator | None = None

    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        self.kept = self.kept or rng
        return super().search(problem, self.kept)


class Fragile(Sampler):
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        archs = problem.feasible.sample(8, rng)
        assert not any(score.error for score in problem.score(archs)), "an error"
        return Outcome(archs)


class Globally(Sampler):
    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        random.random()
        return super().search(problem, rng)


TESTS = [name for name in dir(SearchStrategyContract) if name.startswith("test_")]


def kit(strategy: type[SearchStrategy]) -> SearchStrategyContract:
    return type("Kit", (SearchStrategyContract,), {"make": strategy})()


@pytest.mark.parametrize("test", TESTS)
def test_a_right_strategy_passes(test: str) -> None:
    getattr(kit(Sampler), test)()


@pytest.mark.parametrize(
    ("strategy", "test", "said"),
    [
        (Unbound, "test_it_finds_architectures_that_meet_the_constraint", "break the constraint"),
        (Nothing, "test_it_finds_architectures_that_meet_the_constraint", "finds nothing"),
        (Floats, "test_it_finds_architectures_that_meet_the_constraint", "int64, found float64"),
        (Idle, "test_it_spends_no_more_than_its_budget", "with a budget of 1 it scores nothing"),
        (Endless, "test_it_ends_when_everything_was_tried", "does not end"),
        (Unseeded, "test_it_is_a_function_of_the_problem_and_the_generator", "equal generators"),
        (Remembering, "test_it_can_search_a_second_time", "remembers the first"),
        (Fragile, "test_it_survives_architectures_without_a_score", "an error"),
        (Globally, "test_it_leaves_the_global_random_states_alone", "global generator of random"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_strategy_is_told_what_it_breaks(strategy: type[SearchStrategy], test: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(kit(strategy), test)()


def test_a_kit_without_a_strategy_says_what_to_set() -> None:
    with pytest.raises(NotImplementedError, match="make"):
        SearchStrategyContract().test_it_ends_when_everything_was_tried()


def test_a_problem_spends_its_budget_on_new_architectures_alone() -> None:
    problem = FormulaProblem(feasible(chain([[0, 1], [0, 1]])), budget=3)
    problem.score(np.array([[0, 0], [1, 0], [0, 0]]))
    assert problem.remaining == 1


def test_the_best_architecture_of_a_problem_is_its_last() -> None:
    problem = FormulaProblem(feasible(chain([[0, 1], [0, 1]])))
    archs = np.array([[0, 0], [1, 1], [0, 1]])
    assert problem.order(archs, problem.score(archs)).tolist() == [1, 2, 0]

"""What every search strategy keeps."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from nascli.cost.feasible import FeasibleSet
from nascli.errors import BudgetSpent
from nascli.search_strategy.base import SearchStrategy
from nascli.space import Archs
from nascli.testing.problem import FormulaProblem
from nascli.testing.randomness import no_global_randomness
from nascli.testing.spaces import usual


class SearchStrategyContract:
    """Tests to inherit; `make = MyStrategy`, or a method that returns a new strategy, is all they need.

    The problem offers scores, a relaxed loss and architecture parameters, and is small: a strategy that needs much
    budget, or trains long, gets small options in `make`.
    """

    def make(self) -> SearchStrategy:
        """A new strategy; called several times a test."""
        raise NotImplementedError("set `make` to the class of the strategy")

    def feasible_sets(self) -> list[FeasibleSet]:
        """Where it is tried; override it to leave out spaces that the strategy refuses."""
        return usual()

    def search(self, problem: FormulaProblem, seed: int = 0) -> Archs:
        """What a new strategy finds; nothing when it used up the budget."""
        try:
            return self.make().search(problem, np.random.default_rng(seed)).archs
        except BudgetSpent:
            return np.empty((0, len(problem.space.decisions)), dtype=np.int64)

    def test_it_finds_architectures_that_meet_the_constraint(self) -> None:
        for feasible in self.feasible_sets():
            found = self.search(FormulaProblem(feasible))
            assert len(found), "it finds nothing"
            assert found.dtype == np.int64, f"architectures are int64, found {found.dtype}"
            assert feasible.contains(feasible.space.check(found)).all(), "it returns what breaks the constraint"

    def test_it_spends_no_more_than_its_budget(self) -> None:
        for feasible in self.feasible_sets():
            for budget in (1, 2, 7):
                problem = FormulaProblem(feasible, budget)
                self.search(problem)
                assert problem.asked, f"with a budget of {budget} it scores nothing"

    def test_it_ends_when_everything_was_tried(self) -> None:
        for feasible in self.feasible_sets():
            self.search(FormulaProblem(feasible, budget=10**9))

    def test_it_survives_architectures_without_a_score(self) -> None:
        for feasible in self.feasible_sets():
            problem = FormulaProblem(feasible, broken=True)
            self.search(problem)
            assert problem.asked

    def test_it_is_a_function_of_the_problem_and_the_generator(self) -> None:
        for feasible in self.feasible_sets():
            first, again = FormulaProblem(feasible), FormulaProblem(feasible)
            found, found_again = self.search(first, seed=1), self.search(again, seed=1)
            assert first.asked == again.asked, "equal generators, but it asks for other architectures"
            assert np.array_equal(found, found_again), "equal generators, but it returns something else"

    def test_it_can_search_a_second_time(self) -> None:
        feasible, strategy = self.feasible_sets()[0], self.make()
        first, again = FormulaProblem(feasible), FormulaProblem(feasible)
        for problem in (first, again):
            with suppress(BudgetSpent):
                strategy.search(problem, np.random.default_rng(0))
        assert first.asked == again.asked, "a second search remembers the first"

    def test_it_leaves_the_global_random_states_alone(self) -> None:
        for feasible in self.feasible_sets():
            with no_global_randomness():
                self.search(FormulaProblem(feasible))

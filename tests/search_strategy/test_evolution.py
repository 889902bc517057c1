from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nascli.component import resolve
from nascli.errors import ConfigError
from nascli.search_strategy.base import Score
from nascli.search_strategy.evolution import Evolution
from nascli.search_strategy.random import Random
from nascli.space import Archs
from tests.cost.helpers import WHOLE, feasible, tables

from .helpers import Budget, Toy, searched, toy

SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
RNG = np.random.default_rng(11)
LARGE = RNG.integers(0, 100, (8, 6)).tolist()  # 1,679,616 architectures
SMALL = [[0, 3, 5], [1, 2, 9, 4], [7, 7, 0]]


def strategy(**options: float) -> Evolution:
    return Evolution(Evolution.Config(**{"population": 20, "parents": 8, **options}))


def best_of(parts: Toy, archs: Archs) -> float:
    return parts.formula(archs[0]).accuracy


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_the_optimum_where_random_search_does_not(tmp_path: Path, seed: int) -> None:
    parts = toy(tmp_path, LARGE, evaluations=400)
    assert best_of(parts, searched(strategy(), parts, seed)) == 1.0
    assert len(parts.evaluator.seen) == 400
    assert best_of(parts, searched(Random(), parts, seed)) < 1.0


def test_it_finds_the_best_within_a_constraint(tmp_path: Path) -> None:
    bound = sum(max(row) for row in LARGE) // 2
    parts = toy(tmp_path, LARGE, f"macs<={bound}", evaluations=400)
    found = searched(strategy(), parts)
    assert parts.model.total("macs", found[0]) == [bound]


@SOME
@given(tables(WHOLE, 4), st.data())
def test_it_proposes_feasible_architectures_alone_and_none_twice(
    tmp_path: Path, costs: list[list[int]], data: st.DataObject
) -> None:
    bound = data.draw(st.integers(sum(min(row) for row in costs), sum(max(row) for row in costs)))
    parts = toy(tmp_path, costs, f"macs<={bound}", evaluations=30)
    searched(strategy(population=4, parents=2, mutation=data.draw(st.floats(0, 1))), parts)
    seen = np.array(parts.evaluator.seen)
    assert feasible(parts.model, f"macs<={bound}").contains(seen).all()
    assert len(np.unique(seen, axis=0)) == len(seen)


@pytest.mark.parametrize("crossover", [0.0, 1.0])
def test_it_ends_when_everything_was_tried(tmp_path: Path, crossover: float) -> None:
    parts = toy(tmp_path, SMALL, evaluations=10_000)
    searched(strategy(population=4, parents=2, crossover=crossover), parts)
    assert len(parts.evaluator.seen) <= 36


def test_mutation_reaches_every_architecture(tmp_path: Path) -> None:
    mutating = strategy(population=4, parents=2, crossover=0.0, mutation=0.6)
    assert len(searched(mutating, toy(tmp_path, SMALL, evaluations=10_000))) == 36


def test_it_ends_on_a_space_of_one_architecture(tmp_path: Path) -> None:
    assert searched(strategy(), toy(tmp_path, [[3], [4]])).tolist() == [[0, 0]]


def test_it_is_a_function_of_the_generator(tmp_path: Path) -> None:
    orders = []
    for seed in (0, 0, 1):
        parts = toy(tmp_path, LARGE, evaluations=60)
        searched(strategy(), parts, seed)
        orders.append(parts.evaluator.seen)
    assert orders[0] == orders[1] != orders[2]


def test_it_asks_for_nothing_twice(tmp_path: Path) -> None:
    asked: list[Archs] = []

    class Watched(Evolution):
        """Keeps what it asked for."""

        def ask(self) -> Archs:
            asked.append(super().ask())
            return asked[-1]

    Watched(strategy().config).search(toy(tmp_path, LARGE, evaluations=300).problem(), np.random.default_rng(0))
    assert len(np.unique(np.concatenate(asked), axis=0)) == sum(map(len, asked)) == 300


def test_a_generation_does_not_exceed_the_budget(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE, evaluations=47)
    assert len(searched(strategy(), parts)) == 47


def test_architectures_without_a_score_have_no_offspring(tmp_path: Path) -> None:
    def score(arch: Archs) -> Score:
        return Score(float("nan"), float("nan"), 0, "broken") if arch[0] else Score(0.5, 0.5, 1)

    parts = Toy(tmp_path, toy(tmp_path, LARGE).model, score, budget=Budget(120))
    searched(strategy(crossover=1.0), parts)
    first, later = parts.evaluator.seen[:20], parts.evaluator.seen[20:60]  # then crossings are used up
    assert 2 <= sum(arch[0] == 0 for arch in first) < 8
    assert later
    assert all(arch[0] == 0 for arch in later)


def test_a_search_in_which_nothing_has_a_score_ends(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE, evaluations=30)
    parts.formula = lambda arch: Score(float("nan"), float("nan"), 0, "broken")
    assert len(searched(strategy(), parts)) == 30


@pytest.mark.parametrize("options", [{"population": 1}, {"parents": 1}, {"mutation": 1.5}, {"crossover": -0.1}])
def test_senseless_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        resolve("search_strategy", {"use": "evolution", **options})

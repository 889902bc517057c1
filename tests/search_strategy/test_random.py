from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nascli.component import resolve
from nascli.errors import ConfigError
from nascli.search_strategy.random import Random
from tests.cost.helpers import WHOLE, chi_square, feasible, inside, nested, tables

from .helpers import Budget, Toy, additive, searched, toy

SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TABLES = [[0, 3, 5], [1, 2, 9, 4], [7, 7, 0]]
UNIFORM = 5.0  # standard deviations


def strategy(batch: int = 16) -> Random:
    return Random(Random.Config(batch=batch))


@SOME
@given(tables(WHOLE, 4), st.integers(1, 20), st.data())
def test_it_proposes_feasible_architectures_alone(
    tmp_path: Path, costs: list[list[int]], batch: int, data: st.DataObject
) -> None:
    bound = data.draw(st.integers(sum(min(row) for row in costs), sum(max(row) for row in costs)))
    parts = toy(tmp_path, costs, f"macs<={bound}", evaluations=12)
    searched(strategy(batch), parts)
    assert feasible(parts.model, f"macs<={bound}").contains(np.array(parts.evaluator.seen)).all()


@pytest.mark.parametrize("batch", [1, 5, 16])
def test_it_spends_its_budget_on_distinct_architectures(tmp_path: Path, batch: int) -> None:
    parts = toy(tmp_path, TABLES, evaluations=23)
    assert len(searched(strategy(batch), parts)) == 23
    assert len(set(parts.evaluator.seen)) == 23


@pytest.mark.parametrize("batch", [1, 16, 100])
def test_it_ends_when_everything_was_tried(tmp_path: Path, batch: int) -> None:
    parts = toy(tmp_path, TABLES, "macs<=12", evaluations=10_000)
    among = inside(parts.model, "macs<=12")
    assert {tuple(arch) for arch in searched(strategy(batch), parts).tolist()} == {tuple(a) for a in among.tolist()}


def test_it_ends_on_a_space_of_one_architecture(tmp_path: Path) -> None:
    assert searched(strategy(), toy(tmp_path, [[3], [4]])).tolist() == [[0, 0]]


def test_its_proposals_are_uniform_over_the_feasible_architectures(tmp_path: Path) -> None:
    parts = Toy(tmp_path, nested(), additive([[1] * 3, [1] * 3, [1] * 4, [1] * 2]), ("macs<=24",), Budget(3))
    problem, rng = parts.problem(), np.random.default_rng(5)
    random = strategy(batch=1)
    drawn = []
    for _ in range(3000):
        random.begin(problem, rng)
        drawn.append(random.ask()[0])
    assert abs(chi_square(np.array(drawn), inside(nested(), "macs<=24"))) < UNIFORM


def test_it_is_a_function_of_the_generator(tmp_path: Path) -> None:
    orders = []
    for seed in (0, 0, 1):
        parts = toy(tmp_path, TABLES, evaluations=20)
        searched(strategy(), parts, seed)
        orders.append(parts.evaluator.seen)
    assert orders[0] == orders[1] != orders[2]


def test_the_best_stands_first(tmp_path: Path) -> None:
    assert searched(strategy(), toy(tmp_path, TABLES, evaluations=36))[0].tolist() == [2, 2, 0]


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch"):
        resolve("search_strategy", {"use": "random", "batch": 0})


def test_it_needs_scores_alone() -> None:
    assert Random.requires == {"score"}

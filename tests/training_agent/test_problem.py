from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.errors import BudgetSpent, RunFailed, UsageError
from nascli.search_strategy.base import Score
from nascli.space import Archs
from tests.cost.helpers import chain, nested
from tests.search_strategy.helpers import Budget, Formulaic, Toy, additive, toy

from .toys import FAILED, TABLES, archs, toy_of


def test_scores_come_in_the_order_of_the_architectures(tmp_path: Path) -> None:
    problem = toy(tmp_path, TABLES).problem()
    assert [s.accuracy for s in problem.score(archs([2, 2], [0, 0], [2, 2], [1, 1]))] == [1.0, 1 / 14, 1.0, 5 / 14]


def test_a_cached_score_costs_nothing(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES, evaluations=3)
    problem = parts.problem()
    first = problem.score(archs([0, 0], [1, 1], [0, 0]))
    again = problem.score(archs([1, 1], [0, 0]))
    assert parts.evaluator.seen == [(0, 0), (1, 1)]
    assert (problem.remaining, problem.evaluated) == (1, 2)
    assert again == [first[1], first[0]]


def test_vectors_of_one_network_share_their_score(tmp_path: Path) -> None:
    parts = Toy(tmp_path, nested(), additive([[1] * 3, [1] * 3, [1] * 4, [1] * 2]))
    problem = parts.problem()
    problem.score(archs([0, 1, 3, 0], [0, 1, 0, 0], [0, 1, 2, 0]))
    assert parts.evaluator.seen == [(0, 1, 0, 0)]
    assert problem.remaining == 99


def test_a_spent_budget_keeps_what_was_scored(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES, evaluations=2)
    problem = parts.problem()
    with pytest.raises(BudgetSpent):
        problem.score(archs([0, 0], [1, 1], [2, 2]))
    assert (parts.evaluator.seen, problem.remaining) == ([(0, 0), (1, 1)], 0)
    assert problem.history().payload.archs.tolist() == [[0, 0], [1, 1]]
    assert [s.accuracy for s in problem.score(archs([1, 1]))] == [5 / 14]
    assert problem.best()[0].tolist() == [1, 1]


SCORES = st.builds(Score, st.sampled_from([0.2, 0.5]), st.sampled_from([1.0, 2.0]), st.just(9)) | st.just(FAILED)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), SCORES), max_size=12))
def test_order_is_by_accuracy_loss_cost_and_indices_with_failed_ones_last(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, Score]]
) -> None:
    problem = toy(tmp_path_factory.getbasetemp(), TABLES).problem()
    given_archs = np.array([row[:2] for row in rows], dtype=np.int64).reshape(-1, 2)
    found = problem.order(given_archs, [score for _, _, score in rows])

    def key(position: int) -> tuple[float, ...]:
        i, j, score = rows[position]
        quality = (1.0, 0.0, 0.0) if score.error else (0.0, -score.accuracy, score.loss)
        return (*quality, TABLES[0][i] + TABLES[1][j], i, j)

    assert [key(position) for position in found] == sorted(map(key, range(len(rows))))


def test_without_costs_ties_are_broken_by_the_indices(tmp_path: Path) -> None:
    model = chain({"macs": TABLES})
    parts = Toy(tmp_path, type(model)(model.space, {}), additive(TABLES))
    tied = [Score(0.5, 1.0, 9)] * 3
    assert parts.problem().order(archs([2, 0], [0, 3], [0, 1]), tied).tolist() == [2, 1, 0]


def test_a_proposal_that_breaks_the_constraint_fails_the_run(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES, "macs<=10")
    with pytest.raises(RunFailed, match="proposed 2,2, which breaks the constraint") as caught:
        parts.problem().score(archs([0, 0], [2, 2]))
    assert caught.value.exit_code == 5
    assert parts.evaluator.seen == []


@pytest.mark.parametrize("proposal", [[[0, 4]], [[0, -1]], [[0, 0, 0]], [[0.0, 1.0]]])
def test_a_proposal_outside_the_space_fails_the_run(tmp_path: Path, proposal: list[list[float]]) -> None:
    with pytest.raises(RunFailed, match="not in the search space"):
        toy(tmp_path, TABLES).problem().score(np.array(proposal))


def test_a_failed_score_is_kept_and_costs_an_evaluation(tmp_path: Path) -> None:
    parts = Toy(tmp_path, chain({"macs": TABLES}), lambda arch: FAILED if arch[0] else Score(0.1, 2.0, 5))
    problem = parts.problem()
    problem.score(archs([1, 0], [0, 0]))
    assert problem.remaining == 98
    assert problem.best() == (pytest.approx([0, 0]), Score(0.1, 2.0, 5))
    assert problem.history().payload.errors == {0: "broken"}


def test_a_search_in_which_everything_failed_says_why(tmp_path: Path) -> None:
    problem = Toy(tmp_path, chain({"macs": TABLES}), lambda arch: FAILED).problem()
    problem.score(archs([1, 0], [0, 0]))
    with pytest.raises(RunFailed, match="no architecture could be scored") as caught:
        problem.best()
    assert caught.value.why == "broken"


def test_a_search_that_scored_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFailed) as caught:
        toy(tmp_path, TABLES).problem().best()
    assert caught.value.why == "nothing was scored"


def test_an_evaluator_of_scores_alone_offers_nothing_else(tmp_path: Path) -> None:
    problem = toy(tmp_path, TABLES).problem()
    with pytest.raises(UsageError, match="gives no gradient"):
        problem.relaxed_loss(problem.space.forward([0, 0]))
    assert (problem.arch_parameters, problem.offers, problem.kept) == ({}, {"score"}, None)


def test_evaluators_get_at_most_their_chunk(tmp_path: Path) -> None:
    sizes = []

    class Chunked(Formulaic):
        """Two at a time."""

        chunk = 2

        def evaluate(self, archs: Archs) -> list[Score]:
            sizes.append(len(archs))
            return [Score(0.5, 0.5, 1)] * len(archs)

    toy_of(Chunked, tmp_path).problem().score(archs([0, 0], [0, 1], [0, 2], [0, 1], [0, 3], [1, 0]))
    assert sizes == [2, 2, 1]


def test_by_default_groups_are_chunks(tmp_path: Path) -> None:
    class Two(Formulaic):
        chunk = 2

    assert Two().groups(np.zeros((5, 2), dtype=np.int64)) == [[0, 1], [2, 3], [4]]
    assert Formulaic().groups(np.zeros((2, 2), dtype=np.int64)) == [[0], [1]]


def test_when_the_time_is_up_what_was_scored_by_then_decides(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    parts.budget = Budget(time_budget=1e-9)
    problem = parts.problem()
    assert problem.remaining > 0  # something is scored whatever the time
    problem.score(archs([1, 0]))
    assert problem.remaining == 0
    problem.score(archs([1, 0]))  # what is known costs nothing
    with pytest.raises(BudgetSpent):
        problem.score(archs([0, 0]))
    assert problem.best()[0].tolist() == [1, 0]

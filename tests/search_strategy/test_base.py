from __future__ import annotations

from pathlib import Path

from nascli.search_strategy.base import AskTell

from .helpers import fixed, searched, toy

TABLES = [[0, 3, 5], [1, 2, 9, 4]]


def test_the_outcome_is_what_was_tried_best_first(tmp_path: Path) -> None:
    found = searched(fixed([0, 0], [2, 2], [1, 3]), toy(tmp_path, TABLES))
    assert found.tolist() == [[2, 2], [1, 3], [0, 0]]


def test_a_search_that_brings_nothing_new_ends_after_its_patience(tmp_path: Path) -> None:
    strategy = fixed([0, 0], [2, 2])
    searched(strategy, toy(tmp_path, TABLES))
    assert strategy.asked == 1 + AskTell.patience


def test_what_was_told_is_in_the_order_of_what_was_asked(tmp_path: Path) -> None:
    strategy = fixed([2, 2], [0, 0], [2, 2])
    searched(strategy, toy(tmp_path, TABLES))
    assert strategy.told[0] == [1.0, 1 / 14, 1.0]


def test_a_search_ends_with_its_budget(tmp_path: Path) -> None:
    strategy, parts = fixed([0, 0], [2, 2]), toy(tmp_path, TABLES, evaluations=2)
    assert searched(strategy, parts).tolist() == [[2, 2], [0, 0]]
    assert strategy.asked == 1


def test_asking_for_more_than_the_budget_keeps_what_was_scored(tmp_path: Path) -> None:
    problem = toy(tmp_path, TABLES, evaluations=2).problem()
    found = fixed([0, 0], [2, 2], [1, 3]).search(problem, problem._run.rng("search"))
    assert found.archs.tolist() == [[2, 2], [0, 0]]
    assert problem.best()[0].tolist() == [2, 2]

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from nascli.search_strategy.optuna import Optuna
from tests.cost.helpers import feasible, unordered

from .helpers import Toy, additive, searched, toy

LARGE = np.random.default_rng(11).integers(0, 100, (8, 6)).tolist()


@pytest.fixture(autouse=True)
def package() -> None:
    pytest.importorskip("optuna")


def test_it_starts_with_random_architectures(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE, evaluations=100)
    strategy = Optuna(Optuna.Config(startup=7))
    strategy.begin(parts.problem(), np.random.default_rng(0))
    assert len(strategy.ask()) == 7


def test_it_learns_from_what_was_scored_and_not_from_what_was_repaired(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE, f"macs<={sum(map(min, LARGE)) + 60}", evaluations=60)
    strategy = Optuna(Optuna.Config(startup=5))
    searched(strategy, parts)
    params = [list(trial.params.values()) for trial in strategy._study.trials if trial.state.name == "COMPLETE"]
    assert params == [list(arch) for arch in parts.evaluator.seen[: len(params)]]
    assert feasible(parts.model, *parts.constraints).contains(np.array(params)).all()


def test_it_asks_for_nothing_twice(tmp_path: Path) -> None:
    parts = toy(tmp_path, [[0, 3, 5], [1, 2, 9, 4], [7, 7, 0]], evaluations=30)
    searched(Optuna(Optuna.Config(startup=5)), parts)
    assert len(set(parts.evaluator.seen)) == len(parts.evaluator.seen) == 30


def test_it_searches_spaces_whose_vectors_are_not_all_architectures(tmp_path: Path) -> None:
    parts = Toy(tmp_path, unordered(), additive([[3, 2, 1]] * 3 + [[0, 1]]))
    assert len(searched(Optuna(Optuna.Config(startup=4)), parts))


def test_it_leaves_the_log_of_the_package_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched(Optuna(), toy(tmp_path, LARGE, evaluations=25))
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger("optuna").level == logging.WARNING

"""What the strategies that vary architectures do beyond what all strategies keep (tests/testing/test_built_in.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from nascli.errors import UsageError
from nascli.search_strategy.base import AskTell
from nascli.search_strategy.local_search import LocalSearch
from nascli.search_strategy.optuna import Optuna
from nascli.search_strategy.random import Random
from nascli.search_strategy.regularized_evolution import RegularizedEvolution

from .helpers import additive, toy

LARGE = [list(map(int, np.random.default_rng(i).permutation(8))) for i in range(12)]


def best(strategy: AskTell, folder: Path, seed: int, *constraints: str) -> float:
    parts = toy(folder, LARGE, *constraints, evaluations=120)
    strategy.search(parts.problem(), np.random.default_rng(seed))
    return max(additive(LARGE)(np.array(arch)).accuracy for arch in parts.evaluator.seen)


@pytest.mark.parametrize("kind", [RegularizedEvolution, LocalSearch, Optuna])
def test_they_find_more_than_random_search(tmp_path: Path, kind: type[AskTell]) -> None:
    found, baseline = ([best(each(), tmp_path, seed) for seed in range(3)] for each in (kind, Random))
    assert np.mean(found) > np.mean(baseline)
    assert max(found) > max(baseline)


def test_the_oldest_leaves_whatever_its_score(tmp_path: Path) -> None:
    strategy = RegularizedEvolution(RegularizedEvolution.Config(population=4, sample=2, batch=1))
    problem = toy(tmp_path, LARGE, evaluations=60).problem()
    strategy.begin(problem, np.random.default_rng(0))
    history: list[bytes] = []
    for _ in range(8):
        archs = strategy.ask()
        strategy.tell(archs, problem.score(archs))
        history += [arch.tobytes() for arch in archs]
        assert [arch.tobytes() for arch, _ in strategy._members] == history[-4:]


def test_a_climb_ends_where_no_neighbour_is_better_and_starts_again(tmp_path: Path) -> None:
    """An additive score has one summit: the climb gets there, and goes on elsewhere."""
    tables = [[0, 1, 2], [0, 2, 1], [1, 0, 2]]
    parts = toy(tmp_path, tables, evaluations=27)
    outcome = LocalSearch(LocalSearch.Config(starts=1, batch=2)).search(parts.problem(), np.random.default_rng(0))
    assert outcome.archs[0].tolist() == [2, 1, 2]
    assert len(set(parts.evaluator.seen)) == len(parts.evaluator.seen)


def test_optuna_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match="the search strategy 'optuna' needs the package optuna"):
        best(Optuna(), tmp_path, 0)


@pytest.mark.parametrize("kind", [RegularizedEvolution, LocalSearch, Optuna])
def test_nothing_outside_a_tight_constraint_is_asked_for(tmp_path: Path, kind: type[AskTell]) -> None:
    """`Problem` refuses what breaks it; the bound leaves few of 8^12."""
    assert best(kind(), tmp_path, 0, "macs<=12") <= 12 / sum(map(max, LARGE))

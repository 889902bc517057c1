"""A search whose architectures a tuner with NNI's methods proposes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.component import resolve
from nascli.errors import BudgetSpent, RunFailed, UsageError
from nascli.search_strategy.base import Score
from nascli.search_strategy.tuned import NniTuner, Tuned
from tests.cost.helpers import chain

from .helpers import Toy, searched, toy

TABLES = [[0, 3, 5], [1, 2, 9, 4], [7, 7, 0]]
LARGE = np.random.default_rng(11).integers(0, 100, (8, 6)).tolist()


class NoMoreTrialError(Exception):
    """As NNI names it."""


class Listed:
    """A tuner in NNI's style that goes through a list, and writes down all that it hears."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.heard = list(answers), list[Any]()

    def update_search_space(self, search_space: Any) -> None:
        self.heard.append(search_space)
        self.keys = list(search_space)

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> dict[str, Any]:
        if parameter_id >= len(self.answers):
            raise NoMoreTrialError
        return {key: {"_value": name} for key, name in zip(self.keys, self.answers[parameter_id], strict=True)}

    def receive_trial_result(self, parameter_id: int, parameters: Any, value: float, **kwargs: Any) -> None:
        self.heard.append((parameter_id, round(value, 3)))

    def trial_end(self, parameter_id: int, success: bool, **kwargs: Any) -> None:
        self.heard.append((parameter_id, success))


class Own(Tuned):
    """The tuner that a test gives."""

    given: Any

    def tuner(self, seed: int) -> NniTuner:
        return self.given


def own(tuner: Any, concurrency: int = 2) -> Own:
    made = Own(Tuned.Config(concurrency=concurrency))
    made.given = tuner
    return made


def names(space: Any, *arch: int) -> list[str]:
    return [d.candidates[i] for d, i in zip(space.decisions, arch, strict=True)]


def test_a_tuner_of_nni_hears_how_its_trials_did(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    space = parts.model.space
    tuner = Listed(names(space, 2, 2, 0), names(space, 0, 0, 2), names(space, 1, 1, 1))
    with pytest.raises(BudgetSpent):
        searched(own(tuner), parts)
    assert tuner.heard[0][space.decisions[0].label]["_type"] == "layer_choice"
    assert tuner.heard[1:] == [(0, 1.0), (0, True), (1, 0.048), (1, True), (2, 0.571), (2, True)]
    assert parts.evaluator.seen == [(2, 2, 0), (0, 0, 2), (1, 1, 1)]


def test_an_answer_outside_the_constraint_is_a_failed_trial(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES, "macs<=10")
    space = parts.model.space
    tuner = Listed(names(space, 2, 2, 0), names(space, 0, 0, 2))
    with pytest.raises(BudgetSpent):
        searched(own(tuner), parts)
    assert tuner.heard[1:] == [(0, False), (1, 0.048), (1, True)]


def test_a_failed_score_is_a_failed_trial(tmp_path: Path) -> None:
    failed = Score(float("nan"), float("nan"), 0, "broken")
    parts = Toy(tmp_path, chain({"macs": TABLES}), lambda arch: failed)
    tuner = Listed(names(parts.model.space, 0, 0, 0))
    with pytest.raises(BudgetSpent):
        searched(own(tuner), parts)
    assert tuner.heard[1:] == [(0, False)]


def test_where_no_answer_meets_the_constraint_random_ones_are_scored(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES, "macs<=8", evaluations=1)
    tuner = Listed(*[names(parts.model.space, 2, 2, 0)] * 30)
    searched(own(tuner), parts)
    assert len(parts.evaluator.seen) == 1
    assert (0, False) in tuner.heard


def test_an_answer_that_is_none_is_told(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    with pytest.raises(RunFailed, match="not in the search space"):
        searched(own(Listed(["a", "b", "c"])), parts)


def test_no_more_trials_are_open_than_wanted(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE)
    strategy = own(Listed(*[names(parts.model.space, i, 0, 0, 0, 0, 0, 0, 0) for i in range(6)]), concurrency=4)
    strategy.begin(parts.problem(), np.random.default_rng(0))
    assert len(strategy.ask()) == 4


def test_the_tuner_of_evolution_beats_the_tuner_of_random_search(tmp_path: Path) -> None:
    means = {}
    for name in ("evolution", "random"):
        best = []
        for seed in range(4):
            parts = toy(tmp_path, LARGE, evaluations=200)
            searched(Tuned(Tuned.Config(strategy=resolve("search_strategy", name))), parts, seed)
            best.append(max(parts.formula(np.array(arch)).accuracy for arch in parts.evaluator.seen))
        means[name] = np.mean(best)
    assert means["evolution"] > means["random"]


def test_a_strategy_that_is_not_asked_and_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="asks and tells"):
        searched(Tuned(Tuned.Config(strategy=resolve("search_strategy", "generator"))), toy(tmp_path, TABLES))

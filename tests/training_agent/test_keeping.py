"""What a search keeps, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.artifacts.history import History
from nascli.errors import Interrupted
from nascli.search_strategy.base import Score, SearchStrategy
from nascli.search_strategy.evolution import Evolution
from nascli.search_strategy.random import Random
from nascli.space import Archs, Forward
from nascli.training_agent.problem import Problem
from tests.cost.helpers import chain
from tests.search_strategy.helpers import Budget, Formulaic, Toy, additive, toy

from .toys import FAILED, TABLES, archs, toy_of

LARGE = np.random.default_rng(2).integers(0, 90, (6, 5)).tolist()
EVOLUTION = Evolution(Evolution.Config(population=8, parents=4))


class Gradual(Formulaic):
    """Gives the number of the call as a loss."""

    offers = frozenset({"score", "gradient"})

    def relaxed_loss(self, forward: Forward, call: int) -> torch.Tensor:
        return torch.tensor(float(call))


def gradual(folder: Path, checkpoint_minutes: float = 1e6, *, resume: bool = False) -> Problem:
    """A problem of which relaxed losses can be asked."""
    parts = Toy(folder, chain({"macs": TABLES}), additive(TABLES), (), Budget(9, checkpoint_minutes), Gradual)
    return parts.problem(resume=resume)


def losses(problem: Problem, n: int) -> list[float]:
    return [problem.relaxed_loss({}).item() for _ in range(n)]


def test_each_relaxed_loss_is_of_the_next_batch(tmp_path: Path) -> None:
    assert losses(gradual(tmp_path), 3) == [0, 1, 2]


def test_a_strategy_that_was_asked_to_stop_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    problem = gradual(tmp_path)
    losses(problem, 4)
    problem.score(archs([1, 0]))
    problem._run.stopping = True
    with pytest.raises(Interrupted):
        problem.keep(2, 5, lambda: {"weights": torch.ones(2), "note": "x"})
    resumed = gradual(tmp_path, resume=True)
    assert resumed.kept is not None
    step, state = resumed.kept
    assert (step, state["weights"].tolist(), state["note"]) == (2, [1, 1], "x")
    assert losses(resumed, 2) == [4, 5]
    resumed.score(archs([1, 0]))
    assert resumed._evaluator.seen == []  # type: ignore[attr-defined]


def test_a_strategy_is_asked_for_its_state_when_a_checkpoint_is_due(tmp_path: Path) -> None:
    def refuse() -> dict[str, Any]:
        raise AssertionError("nothing is due")

    gradual(tmp_path / "never").keep(1, 5, refuse)
    assert not (tmp_path / "never/arch.npy.run/last.pt").exists()
    gradual(tmp_path / "always", checkpoint_minutes=0.0).keep(1, 5, dict)
    assert (tmp_path / "always/arch.npy.run/last.pt").exists()


def test_training_ends_when_the_time_is_up_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = Toy(tmp_path, chain({"macs": TABLES}), additive(TABLES), budget=Budget(time_budget=1e-9), kind=Gradual)
    assert not parts.problem().keep(400, 1000, dict)
    assert "the time is up: training ends after 400 of 1,000 steps" in capsys.readouterr().err
    assert '"event": "time is up"' in (tmp_path / "arch.npy.run/log.jsonl").read_text()
    assert gradual(tmp_path).keep(1, 5, dict)


def test_the_clock_is_asked_once_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(Problem, "_time_is_up", property(lambda problem: next(answers)))
    problem = gradual(tmp_path)
    assert problem.keep(1, 5, dict)
    assert not problem.keep(2, 5, dict)


def test_steps_of_training_are_logged_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    problem = gradual(tmp_path)
    for step in range(1, 61):
        problem.keep(step, 60, dict, f"loss {step}")
    log = [json.loads(line) for line in (tmp_path / "arch.npy.run/log.jsonl").read_text().splitlines()]
    assert [(line["step"], line["metric"]) for line in log if line["event"] == "train"] == [
        (50, "loss 50"),
        (60, "loss 60"),
    ]


def interrupted_after(n: int, parts: Toy, strategy: SearchStrategy) -> list[tuple[int, ...]]:
    """Ctrl-C while the nth architecture is scored; what was scored until then."""
    problem, run = parts.problem(), parts.run
    formula = parts.evaluator.formula

    def stopping(arch: Archs) -> Score:
        run.stopping = len(parts.evaluator.seen) >= n
        return formula(arch)

    parts.evaluator.formula = stopping
    with pytest.raises(Interrupted):
        strategy.search(problem, run.rng("search"))
    return parts.evaluator.seen


@pytest.mark.parametrize("strategy", [Random(), EVOLUTION], ids=["random", "evolution"])
@pytest.mark.parametrize("n", [1, 13, 39])
def test_a_resumed_search_has_the_same_history_and_evaluates_nothing_twice(
    n: int, strategy: SearchStrategy, tmp_path: Path
) -> None:
    whole = toy(tmp_path / "whole", LARGE, evaluations=40)
    problem = whole.problem()
    strategy.search(problem, whole.run.rng("search"))
    parts = toy(tmp_path / "cut", LARGE, evaluations=40)
    before = interrupted_after(n, parts, strategy)
    resumed = parts.problem(resume=True)
    strategy.search(resumed, parts.run.rng("search"))
    assert len(before) == n
    assert before + parts.evaluator.seen == whole.evaluator.seen
    assert resumed.history().sealed().header.digest == problem.history().sealed().header.digest


def test_a_search_that_died_resumes_from_its_last_checkpoint(tmp_path: Path) -> None:
    parts = toy(tmp_path, LARGE, evaluations=20)
    parts.budget = Budget(20, checkpoint_minutes=0.0)
    problem, formula = parts.problem(), parts.formula

    def dying(arch: Archs) -> Score:
        if len(parts.evaluator.seen) == 8:
            raise MemoryError
        return formula(arch)

    parts.evaluator.formula = dying
    with pytest.raises(MemoryError):
        Random().search(problem, parts.run.rng("search"))
    before = parts.evaluator.seen[:7]
    resumed = parts.problem(resume=True)
    Random().search(resumed, parts.run.rng("search"))
    assert set(before).isdisjoint(parts.evaluator.seen)
    assert resumed.evaluated == 20


def test_failed_scores_are_resumed_with_their_reason(tmp_path: Path) -> None:
    parts = Toy(tmp_path, chain({"macs": TABLES}), lambda arch: FAILED, budget=Budget(9, checkpoint_minutes=0.0))
    parts.problem().score(archs([1, 0], [0, 0]))
    resumed = parts.problem(resume=True)
    assert [score.error for score in resumed.score(archs([0, 0], [1, 0]))] == ["broken"] * 2
    assert parts.evaluator.seen == []


def test_a_search_without_resume_ignores_an_old_checkpoint(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    parts.budget = Budget(9, checkpoint_minutes=0.0)
    parts.problem().score(archs([1, 0]))
    parts.problem().score(archs([1, 0]))
    assert parts.evaluator.seen == [(1, 0)]


def test_no_checkpoint_is_written_before_its_time(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    parts.problem().score(archs([1, 0]))
    assert not (tmp_path / "arch.npy.run/last.h5").exists()


class Backwards(Formulaic):
    """Takes two at a time, the last first; is asked to stop within a group when it meets an architecture."""

    fatal: tuple[int, ...] = ()

    def groups(self, archs: Archs) -> list[list[int]]:
        rows = list(range(len(archs)))[::-1]
        return [rows[i : i + 2] for i in range(0, len(rows), 2)]

    def evaluate(self, archs: Archs) -> list[Score]:
        if self.fatal in map(tuple, archs.tolist()):
            raise Interrupted("now")
        return super().evaluate(archs)


def grouped(folder: Path, *, resume: bool = False, fatal: tuple[int, ...] = ()) -> tuple[Problem, Backwards]:
    parts = toy_of(Backwards, folder)
    problem, made = parts.problem(resume=resume), parts.evaluator
    assert isinstance(made, Backwards)
    made.fatal = fatal
    return problem, made


def test_an_evaluator_says_what_is_scored_together(tmp_path: Path) -> None:
    problem, evaluator = grouped(tmp_path)
    found = problem.score(archs([0, 0], [1, 1], [2, 2]))
    assert evaluator.seen == [(2, 2), (1, 1), (0, 0)]
    assert [score.accuracy for score in found] == [1 / 14, 5 / 14, 1.0]


def test_an_evaluator_that_stops_within_a_group_loses_that_group_alone(tmp_path: Path) -> None:
    problem, evaluator = grouped(tmp_path, fatal=(0, 0))
    with pytest.raises(Interrupted):
        problem.score(archs([0, 0], [1, 1], [2, 2]))
    assert evaluator.seen == [(2, 2), (1, 1)]
    resumed, again = grouped(tmp_path, resume=True)
    resumed.score(archs([0, 0], [1, 1], [2, 2]))
    assert again.seen == [(0, 0)]
    whole, _ = grouped(tmp_path / "whole")
    whole.score(archs([0, 0], [1, 1], [2, 2]))
    assert resumed.history().sealed().header.digest == whole.history().sealed().header.digest


def test_the_time_of_an_interrupted_run_is_not_counted(tmp_path: Path) -> None:
    parts = toy(tmp_path, TABLES)
    parts.budget = Budget(checkpoint_minutes=0.0, time_budget=1e-9)
    parts.problem().score(archs([1, 0]))
    resumed = parts.problem(resume=True)
    resumed.score(archs([1, 0]))
    assert resumed.remaining == 0


def test_a_history_says_how_many_images_its_scores_are_of(tmp_path: Path) -> None:
    problem = toy(tmp_path, TABLES).problem()
    problem.score(archs([0, 0], [1, 1], [0, 0]))
    assert problem.history().header.summary["images"] == problem.images == 20


def test_the_history_holds_every_candidate_with_its_costs(tmp_path: Path) -> None:
    problem = toy(tmp_path, TABLES).problem()
    problem.score(archs([2, 2], [0, 0], [2, 0]))
    trials = problem.history().payload
    assert trials.archs.tolist() == [[2, 2], [0, 0], [2, 0]]
    assert trials.costs["macs"].tolist() == [14, 1, 6]
    assert trials.accuracy.tolist() == [1.0, 1 / 14, 6 / 14]
    assert trials.images.tolist() == [10] * 3


def test_an_empty_history_can_be_written(tmp_path: Path) -> None:
    history = toy(tmp_path, TABLES).problem().history()
    history.write(tmp_path / "history.h5")
    assert History.open(tmp_path / "history.h5").payload.archs.shape == (0, 2)


def test_the_rows_of_a_front_are_in_the_history(tmp_path: Path) -> None:
    problem = toy(tmp_path, TABLES).problem()
    problem.score(archs([1, 0], [0, 0], [0, 1]))
    assert problem.history(archs([0, 1], [1, 0])).header.summary["front"] == [2, 0]
    assert "front" not in problem.history().header.summary

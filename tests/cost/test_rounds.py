from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.cost.keeping import RunKeeper
from nascli.cost.load import Load, disturbed, together
from nascli.cost.rounds import Array, Goal, Judged, Rounds, Sampler, half_difference, reliability, run_rounds, spearman
from nascli.errors import ArtifactError, Interrupted
from nascli.run import Run

EVERYTHING: Judged = np.asarray
SOON = Goal(4, 0.9, 0.1, 60.0)


def counting(values: Sequence[float], calls: list[int]) -> list[Sampler]:
    """Samplers that always give the same, and write their number into a list."""

    def one(i: int) -> Sampler:
        def sample() -> float:
            calls.append(i)
            return values[i]

        return sample

    return [one(i) for i in range(len(values))]


def test_rounds_end_when_two_halves_agree() -> None:
    calls: list[int] = []
    found = run_rounds("x", counting([1.0, 2.0, 3.0], calls), EVERYTHING, SOON)
    assert found.samples.tolist() == [[1.0, 2.0, 3.0]] * 5
    assert all(sorted(calls[i : i + 3]) == [0, 1, 2] for i in range(0, 15, 3))


def test_rounds_that_do_not_agree_end_with_the_budget() -> None:
    rng = np.random.default_rng(0)
    goal = Goal(4, 1.0, 1e-9, 0.05)
    found = run_rounds("x", [lambda: float(rng.random())] * 4, EVERYTHING, goal)
    assert len(found.samples) >= 4
    assert not goal.reached(found.samples)
    assert found.facts["seconds"] >= 0


class Kept:
    """Some rounds from before."""

    def __init__(self, samples: Array, seconds: float = 1.0) -> None:
        self.rounds, self.kept = Rounds(samples, seconds, {"others": 1.0, "waiting": 0.0}), 0

    def restore(self, metric: str, columns: int) -> Rounds | None:
        return self.rounds

    def keep(self, metric: str, rounds: Rounds) -> None:
        self.kept += 1


def test_a_measurement_goes_on_where_it_was() -> None:
    calls: list[int] = []
    keeper = Kept(np.ones((3, 2)))
    found = run_rounds("x", counting([1.0, 1.0], calls), EVERYTHING, SOON, keeper)
    assert (len(found.samples), len(calls), keeper.kept) == (5, 4, 2)


@pytest.mark.parametrize(("rounds", "seconds"), [(5, 0.0), (4, 60.0)])
def test_a_measurement_that_was_done_is_left_as_it_is(rounds: int, seconds: float) -> None:
    calls: list[int] = []
    keeper = Kept(np.ones((rounds, 2)), seconds)
    found = run_rounds("x", counting([1.0, 1.0], calls), EVERYTHING, SOON, keeper)
    assert found is keeper.rounds
    assert (calls, keeper.kept) == ([], 0)


def test_the_budget_counts_what_was_spent_before_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, rng = iter(range(1000)), np.random.default_rng(0)
    monkeypatch.setattr("nascli.cost.rounds.time.monotonic", lambda: float(next(clock)))
    keeper = Kept(rng.random((8, 2)), 18.5)
    found = run_rounds("x", [lambda: float(rng.random())] * 2, EVERYTHING, Goal(2, 1.0, 1e-9, 20.0), keeper)
    assert 20 <= found.seconds < 22.5
    assert found.facts["seconds"] == found.seconds
    assert len(found.samples) in {9, 10}


def test_a_run_that_is_asked_to_stop_resumes_with_its_samples(tmp_path: Path) -> None:
    run = Run(tmp_path / "lut.h5")
    keeper = RunKeeper(run)
    assert keeper.restore("x", 2) is None
    run.stopping = True
    with pytest.raises(Interrupted):
        keeper.keep("x", Rounds(np.array([[1.0, 2.0]]), 0.25, {"others": None, "waiting": 0.5}))
    again = RunKeeper(Run(tmp_path / "lut.h5", resume=True))
    kept = again.restore("x", 2)
    assert kept is not None
    assert kept.samples.tolist() == [[1.0, 2.0]]
    assert (kept.seconds, kept.load) == (0.25, {"others": None, "waiting": 0.5})
    assert again.restore("x", 3) is None
    assert again.restore("y", 2) is None


def test_what_an_older_nascli_kept_is_no_bug(tmp_path: Path) -> None:
    Run(tmp_path / "lut.h5").checkpoint(Checkpoint(Progress(1, {"x": torch.ones(1, 2)})))
    with pytest.raises(ArtifactError, match="what it holds is not what a stage writes"):
        RunKeeper(Run(tmp_path / "lut.h5", resume=True))


def test_reliability_is_the_rank_correlation_of_the_halves() -> None:
    agree = np.array([[1.0, 2.0, 3.0], [1.1, 2.1, 3.1]])
    assert reliability(agree) == pytest.approx(1)
    assert reliability(np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])) == pytest.approx(-1)
    assert reliability(agree[:, :2]) is None
    assert half_difference(np.array([[1.0, 2.0], [3.0, 2.0]])) == pytest.approx(0.5)


def test_ranks_of_equal_numbers_are_shared() -> None:
    assert spearman(np.array([1.0, 1.0, 2.0, 3.0]), np.array([1.0, 1.0, 5.0, 9.0])) == pytest.approx(1)
    assert spearman(np.ones(4), np.arange(4.0)) is None


def test_two_stretches_of_time_count_by_their_length() -> None:
    first, second = {"others": 1.0, "waiting": None}, {"others": 0.0, "waiting": 0.5}
    assert together(first, 3.0, second, 1.0) == {"others": 0.75, "waiting": None}
    assert together({}, 0.0, second, 1.0) == second


def test_load_of_others_and_waiting_are_shares() -> None:
    load = Load()
    sum(range(10**6))
    facts = load.facts()
    assert facts["waiting"] is not None
    assert 0 <= facts["waiting"] <= 1
    assert facts["others"] is None or facts["others"] >= 0
    assert load.facts(threads=2)["waiting"] is None


@pytest.mark.parametrize(("others", "waiting", "expected"), [(1.0, 0.0, True), (0.0, 0.5, True), (0.1, 0.01, False)])
def test_a_busy_machine_disturbs(others: float, waiting: float, expected: bool) -> None:
    assert disturbed(others, waiting) is expected
    assert not disturbed(None, None)

"""A tuner: architectures out as JSON, results in, whatever the strategy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nascli.errors import UsageError
from nascli.search_strategy.base import AskTell, Outcome, Score, SearchStrategy
from nascli.search_strategy.evolution import Evolution
from nascli.search_strategy.random import Random
from nascli.search_strategy.tuner import NoMoreTrial, Tuner
from nascli.space import Archs, Decision, Space
from nascli.space.exchange import read_answer, to_nni
from nascli.testing.randomness import no_global_randomness
from tests.space.helpers import chained, places

SPACE = Space("toy", tuple(Decision(f"layer_{i}", ("a", "b", "c", "d")) for i in range(6)), (1, 8, 8), 10)
JSON = to_nni(SPACE)
BEST = [3, 0, 2, 1, 3, 0]  # of 4,096
SMALL = {"use": "evolution", "population": 8, "parents": 4, "mutation": 0.3}


def quality(arch: Sequence[int]) -> float:
    """0 at `BEST`, less for each index that is off."""
    return 0.0 - sum(abs(i - best) for i, best in zip(arch, BEST, strict=True))


def tuner(strategy: Any = "random", space: Any = None, **options: Any) -> Tuner:
    made = Tuner(strategy, **options)
    made.update_search_space(JSON if space is None else space)
    return made


def searched(made: Tuner, n: int, sign: int = 1) -> list[list[int]]:
    """`n` trials, one after another."""
    tried = []
    for i in range(n):
        answer = made.generate_parameters(i, trial_job_id="x")
        tried.append(read_answer(SPACE, answer).tolist())
        made.receive_trial_result(i, answer, sign * quality(tried[-1]))
        made.trial_end(i, True)
    return tried


class Recorded(AskTell):
    """Asks for fixed rounds of architectures; keeps what it was told."""

    rounds: tuple[Archs, ...] = ()

    def begin(self, problem: Any, rng: np.random.Generator) -> None:
        self.asked, self.told, self.problem = 0, list[tuple[list[list[int]], list[Score]]](), problem

    def ask(self) -> Archs:
        self.asked += 1
        return self.rounds[self.asked - 1]

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        self.told.append((archs.tolist(), list(scores)))


def recorded(*sizes: int) -> Recorded:
    strategy = Recorded()
    strategy.rounds = tuple(np.arange(6 * n).reshape(n, 6) % 4 for n in sizes)
    return strategy


@pytest.mark.parametrize("seed", range(3))
def test_evolution_finds_the_optimum_where_random_search_does_not(seed: int) -> None:
    assert BEST in searched(tuner(SMALL, seed=seed), 240)
    assert BEST not in searched(tuner("random", seed=seed), 240)


def test_values_are_minimised_on_request() -> None:
    assert BEST in searched(tuner(SMALL, optimize_mode="minimize"), 240, sign=-1)


def test_random_search_tries_the_whole_space_and_goes_on() -> None:
    made = tuner(space=to_nni(Space("small", SPACE.decisions[:2], (1, 8, 8), 10)))
    answers = []
    for i in range(60):
        answers.append(str(made.generate_parameters(i)))
        made.receive_trial_result(i, None, 0.5)
    assert len(set(answers)) == 16


@pytest.mark.parametrize("strategy", ["random", SMALL])
def test_equal_seeds_give_equal_trials(strategy: Any) -> None:
    first, again, other = (searched(tuner(strategy, seed=seed), 40) for seed in (0, 0, 1))
    assert first == again != other


def test_global_random_states_are_left_alone() -> None:
    with no_global_randomness():
        searched(tuner(SMALL), 20)


def test_a_strategy_can_be_handed_over_built() -> None:
    assert len(searched(tuner(Random(Random.Config(batch=3))), 10)) == 10
    assert len(searched(tuner(Evolution()), 40)) == 40


def test_a_round_is_told_when_its_last_result_is_there_in_the_order_it_was_asked_for() -> None:
    strategy = recorded(3, 1)
    made = tuner(strategy)
    for name in "abc":
        made.generate_parameters(name)
    for name, value in (("c", 3.0), ("a", {"default": 1, "size": 9}), ("b", np.float32(2))):
        assert strategy.told == []
        made.receive_trial_result(name, None, value)
    archs, scores = strategy.told[0]
    assert archs == [[0, 1, 2, 3, 0, 1], [2, 3, 0, 1, 2, 3], [0, 1, 2, 3, 0, 1]]
    assert [score.accuracy for score in scores] == [1, 2, 3]
    assert [score.error for score in scores] == [None] * 3


def test_trials_beyond_a_round_wait_for_its_results() -> None:
    strategy = recorded(2, 1)
    made = tuner(strategy)
    made.generate_parameters(0)
    made.generate_parameters(1)
    made.receive_trial_result(0, None, 1.0)
    with pytest.raises(NoMoreTrial, match="Recorded proposes nothing before 1 open trials end"):
        made.generate_parameters(2)
    made.receive_trial_result(1, None, 1.0)
    assert made.generate_parameters(2)
    assert strategy.asked == 2


def test_failed_and_lost_trials_are_told_as_failed() -> None:
    strategy = recorded(4, 1)
    made = tuner(strategy)
    for i in range(4):
        made.generate_parameters(i)
    made.trial_end(0, False)
    made.trial_end(1, True)
    made.receive_trial_result(2, None, float("nan"))
    made.receive_trial_result(3, None, 0.5)
    _, scores = strategy.told[0]
    assert [score.error for score in scores] == [
        "the trial failed",
        "the trial gave no result",
        "the result is nan",
        None,
    ]
    assert np.isnan([score.accuracy for score in scores[:3]]).all()


@pytest.mark.parametrize("strategy", ["random", SMALL])
def test_a_search_goes_on_when_all_trials_fail(strategy: Any) -> None:
    made = tuner(strategy)
    for i in range(40):
        made.generate_parameters(i)
        made.trial_end(i, False)


def test_failed_architectures_stand_behind_all_others() -> None:
    strategy = recorded(1)
    tuner(strategy)
    scores = [
        Score(float("nan"), float("nan"), 0, "failed"),
        Score(0.5, -0.5, 0),
        Score(0.7, -0.7, 0),
        Score(0.5, -0.5, 0),
    ]
    archs = np.array([[0, 0], [1, 1], [2, 2], [1, 0]])
    assert strategy.problem.order(archs, scores).tolist() == [2, 3, 1, 0]


def test_the_first_word_on_a_trial_counts() -> None:
    strategy = recorded(1, 1)
    made = tuner(strategy)
    made.generate_parameters(0)
    made.receive_trial_result(0, None, 1.0)
    made.receive_trial_result(0, None, 2.0)
    made.trial_end(0, False)
    assert [scores[0].accuracy for _, scores in strategy.told] == [1.0]


def test_a_new_search_space_starts_anew() -> None:
    strategy = recorded(1, 1)
    made = tuner(strategy)
    made.generate_parameters(0)
    made.update_search_space(JSON)
    made.receive_trial_result(0, None, 1.0)
    assert (strategy.asked, strategy.told) == (0, [])
    assert made.generate_parameters(1)


def test_a_space_keeps_its_conditions() -> None:
    made, seen = tuner(space=chained(), seed=3), set()
    for i in range(13):
        seen.add(tuple(read_answer(chained(), made.generate_parameters(i)).tolist()))
        made.receive_trial_result(i, None, 0.0)
    assert len(seen) == 13
    assert chained().count > 13


def test_a_space_keeps_its_unordered_decisions() -> None:
    of = places(4, at_least=3)
    made = tuner(space=of)
    for i in range(30):
        read_answer(of, made.generate_parameters(i))
        made.receive_trial_result(i, None, 0.0)


def test_parameters_before_a_search_space_are_refused() -> None:
    with pytest.raises(UsageError, match="the tuner knows no search space"):
        Tuner().generate_parameters(0)


def test_a_trial_gets_its_parameters_once() -> None:
    made = tuner()
    made.generate_parameters(7)
    with pytest.raises(UsageError, match="trial 7 has been given its parameters already"):
        made.generate_parameters(7)


@pytest.mark.parametrize("told", ["result", "end"])
def test_an_unknown_trial_is_named(told: str) -> None:
    made = tuner()
    with pytest.raises(UsageError, match="trial 7 is unknown"):
        made.receive_trial_result(7, None, 1.0) if told == "result" else made.trial_end(7, True)


@pytest.mark.parametrize("value", [None, "0.5", True, {}, {"default": None}, {"accuracy": 0.5}, [0.5]])
def test_a_result_that_is_no_number_is_refused(value: Any) -> None:
    made = tuner()
    made.generate_parameters(0)
    with pytest.raises(UsageError, match=r"trial 0: expected a number or \{'default': number\}"):
        made.receive_trial_result(0, None, value)


def test_a_strategy_that_cannot_be_asked_is_refused() -> None:
    class Whole(SearchStrategy):
        """Searches in one go."""

        def search(self, problem: Any, rng: Any) -> Outcome:
            return Outcome(np.zeros((1, 4), dtype=np.int64))

    class Steep(Recorded):
        """Needs gradients."""

        requires = frozenset({"score", "gradient"})

    for strategy in (Whole(), Steep()):
        with pytest.raises(UsageError, match=f"which {type(strategy).__name__} does not take"):
            Tuner(strategy)


def test_another_mode_is_refused() -> None:
    with pytest.raises(UsageError, match="optimize_mode is maximize or minimize, found 'max'"):
        Tuner(optimize_mode="max")  # type: ignore[arg-type]


def test_a_tuner_needs_no_torch() -> None:
    code = f"""
import sys
from nascli.search_strategy.tuner import Tuner
tuner = Tuner()
tuner.update_search_space({JSON!r})
tuner.generate_parameters(0)
tuner.receive_trial_result(0, None, 0.5)
print('torch' in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from math import gcd

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import UsageError
from nascli.space import Archs, Decision, Space, Unordered
from nascli.testing import TrainingStrategyContract
from nascli.testing.spaces import usual
from nascli.training_strategy.base import Pass, Update
from nascli.training_strategy.fair import Fair
from tests.cost.helpers import chi_square, everything
from tests.training_agent.helpers import batch, fresh, gradients, tiny, updater

from .helpers import arch_of, flat, ready, updates

SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=4)


class TestFair(TrainingStrategyContract):
    make = Fair

    def feasible_sets(self) -> list[FeasibleSet]:
        return [feasible for feasible in usual() if not any(d.active_if for d in feasible.space.decisions)]


def paths(strategy: Fair, step: int, seed: int = 0) -> Archs:
    """The architectures that a step runs, (m, d)."""
    (update,) = updates(strategy, step, seed)
    return np.array([arch_of(item.forward, strategy.space) for item in update.passes])


def turns(strategy: Fair, steps: range) -> list[list[int]]:
    """How often each index of each decision runs in some steps."""
    ran = np.concatenate([paths(strategy, step) for step in steps])
    return [
        np.bincount(column, minlength=size).tolist() for column, size in zip(ran.T, strategy.space.sizes, strict=True)
    ]


def test_with_equal_sizes_every_candidate_runs_exactly_once_a_step() -> None:
    strategy = ready(Fair(), flat(5, 5, 5))
    for step in range(20):
        assert turns(strategy, range(step, step + 1)) == [[1] * 5] * 3


@given(sizes=SIZES, step=st.integers(0, 10**6))
def test_a_step_has_as_many_passes_as_the_largest_decision_has_candidates(sizes: list[int], step: int) -> None:
    assert len(paths(ready(Fair(), flat(*sizes)), step)) == max(sizes)


@given(sizes=SIZES, step=st.integers(0, 10**6))
def test_no_candidate_runs_more_than_once_more_than_another_in_a_step(sizes: list[int], step: int) -> None:
    for counts, size in zip(turns(ready(Fair(), flat(*sizes)), range(step, step + 1)), sizes, strict=True):
        least, rest = divmod(max(sizes), size)
        assert sorted(counts) == [least] * (size - rest) + [least + 1] * rest


@given(sizes=SIZES, start=st.integers(0, 10**6))
def test_the_turns_that_are_left_over_go_round_without_favour(sizes: list[int], start: int) -> None:
    strategy, most = ready(Fair(), flat(*sizes)), max(sizes)
    for i, size in enumerate(sizes):
        period = size // gcd(size, most)
        assert len(set(turns(strategy, range(start, start + period))[i])) == 1


def test_equal_decisions_do_not_favour_the_same_candidates_in_a_step() -> None:
    third, fourth = turns(ready(Fair(), flat(4, 3, 3)), range(1))[1:]
    assert sorted(third) == sorted(fourth) == [1, 1, 2]
    assert third != fourth


def test_each_path_of_a_step_is_uniform_over_all_architectures() -> None:
    model = flat(3, 3, 3)
    strategy, among = ready(Fair(), model), everything(model.space)
    drawn = np.array([paths(strategy, step) for step in range(60 * len(among))])
    for i in range(3):
        assert abs(chi_square(drawn[:, i], among)) < 5


def test_orders_come_from_seed_and_step() -> None:
    strategy = ready(Fair(), flat(*[9] * 8))
    assert np.array_equal(paths(strategy, 3, seed=1), paths(strategy, 3, seed=1))
    assert not np.array_equal(paths(strategy, 3, seed=1), paths(strategy, 3, seed=2))
    assert not np.array_equal(paths(strategy, 4, seed=1), paths(strategy, 3, seed=1))


def test_a_step_is_one_update_of_the_weights_on_the_labels() -> None:
    (update,) = updates(ready(Fair(), flat(3, 2)), 0)
    assert (update.split, update.params, update.penalty) == ("train", "weights", None)
    assert all((item.target, item.scale) == ("labels", 1.0) for item in update.passes)


def test_a_constraint_plays_no_part() -> None:
    free, bound = ready(Fair(), flat(4, 4)), ready(Fair(), flat(4, 4), "macs<=2")
    assert np.array_equal(paths(free, 5), paths(bound, 5))


def test_the_gradient_of_a_step_is_the_sum_over_its_paths() -> None:
    space, data = tiny(), batch()
    whole = fresh(space.supernet)
    apart = [deepcopy(whole) for _ in range(5)]
    (update,) = updates(ready(Fair(), CostModel(space.space, {})), 0)
    updater(whole).run(update, data)
    for item, module in zip(update.passes, apart, strict=True):
        updater(module).run(Update([Pass(item.forward)]), data)
    parts = [gradients(module) for module in apart]
    found = gradients(whole)
    assert found.keys() == dict(whole.named_parameters()).keys()
    alone = Counter(name for part in parts for name in part)
    assert {alone[name] for name in found if ".layers." in name} == {1}
    for name, value in found.items():
        torch.testing.assert_close(value, torch.stack([part[name] for part in parts if name in part]).sum(0))


def refusal(*decisions: Decision, unordered: tuple[Unordered, ...] = ()) -> str:
    space = Space("strange", decisions, (3, 8, 8), 4, unordered=unordered)
    with pytest.raises(UsageError) as caught:
        ready(Fair(), CostModel(space, {}))
    return str(caught.value)


PLAIN = Decision("plain", ("a", "b", "c"))


@pytest.mark.parametrize(("n", "words"), [(2, "2 of its candidates"), (None, "any number of its candidates")])
def test_a_decision_for_several_candidates_is_refused(n: int | None, words: str) -> None:
    text = refusal(PLAIN, Decision("odd", ("a", "b", "c"), n_chosen=n))
    assert "'odd'" in text
    assert words in text


def test_a_decision_that_exists_only_sometimes_is_refused() -> None:
    text = refusal(PLAIN, Decision("odd", ("a", "b"), active_if=(("plain", (1, 2)),)))
    assert "'odd'" in text
    assert "only for some candidates of 'plain'" in text


def test_unordered_decisions_are_refused() -> None:
    places = [Decision(label, ("a", "b", "none")) for label in ("odd_0", "odd_1")]
    text = refusal(PLAIN, *places, unordered=(Unordered(("odd_0", "odd_1"), 2),))
    assert "'odd_0'" in text
    assert "order among others does not matter" in text

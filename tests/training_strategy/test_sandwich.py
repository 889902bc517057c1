from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel, Factor, Metric
from nascli.errors import UsageError
from nascli.space import Decision, Space
from nascli.supernet.choices import decisions_of
from nascli.testing import TrainingStrategyContract
from nascli.training_agent.classification import Classification
from nascli.training_strategy.sandwich import Sandwich
from tests.cost.helpers import chain, chi_square, inside
from tests.training_agent.helpers import fresh, gradients, updater

from .helpers import arch_of, cell_costs, images, ready, repeated, updates


def sandwich(**options: Any) -> Sandwich:
    return Sandwich(Sandwich.Config(**options))


class TestSandwich(TrainingStrategyContract):
    def make(self) -> Sandwich:
        return sandwich(allow_unshared=True)


class TestSandwichOfNestedCandidates(TrainingStrategyContract):
    make = Sandwich

    def feasible_sets(self) -> list[FeasibleSet]:
        return [FeasibleSet(widths())]


def widths() -> CostModel:
    """Three decisions whose candidates contain each other; the last exists from the middle width on."""
    decisions = (
        Decision("width", ("w1", "w2", "w3"), nested=True),
        Decision("depth", ("d1", "d2", "d3", "d4"), nested=True),
        Decision("more", ("m1", "m2"), active_if=(("width", (1, 2)),), nested=True),
    )
    factors = Factor((0, 2), np.array([[1, 1], [2, 3], [4, 6]])), Factor((1,), np.arange(4))
    space = Space("widths", decisions, (3, 8, 8), 4)
    return CostModel(space, {"macs": Metric("macs", "MAC", 0, factors, exact=True)})


def archs(strategy: Sandwich, step: int = 0) -> list[tuple[int, ...]]:
    (update,) = updates(strategy, step)
    return [arch_of(item.forward, strategy.space) for item in update.passes]


def test_the_largest_learns_the_labels_and_the_others_imitate_it() -> None:
    (update,) = updates(ready(sandwich(), widths()), 0)
    assert (update.split, update.params, update.penalty) == ("train", "weights", None)
    assert [item.target for item in update.passes] == ["labels", 0, 0, 0]
    assert {item.scale for item in update.passes} == {1.0}


def test_the_largest_has_the_last_candidates_and_the_smallest_the_first() -> None:
    for step in range(5):
        assert archs(ready(sandwich(), widths()), step)[:2] == [(2, 3, 1), (0, 0, 0)]


@pytest.mark.parametrize("random", [0, 1, 3])
def test_so_many_random_ones_come_last(random: int) -> None:
    assert len(archs(ready(sandwich(random=random), widths()))) == 2 + random


def test_random_ones_are_uniform_over_what_is_feasible() -> None:
    strategy, among = ready(sandwich(), widths(), "macs<=6"), inside(widths(), "macs<=6")
    drawn = np.array([arch for step in range(40 * len(among)) for arch in archs(strategy, step)[2:]])
    assert abs(chi_square(drawn, among)) < 5


def test_the_largest_and_the_smallest_are_those_of_the_whole_space() -> None:
    assert archs(ready(sandwich(), widths(), "macs<=6", "macs>=4"))[:2] == [(2, 3, 1), (0, 0, 0)]


def test_candidates_that_do_not_contain_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="those of 'op' do not") as caught:
        ready(sandwich(), cell_costs())
    assert "allow_unshared: true" in caught.value.hint


UNSHARED = chain({"macs": [[3, 9, 1], [5, 2, 2]], "latency_ms": [[2.0, 1.0, 4.0], [1.0, 1.5, 3.0]]})


@pytest.mark.parametrize(("metric", "ends"), [("macs", [(1, 0), (2, 1)]), ("latency_ms", [(2, 2), (1, 0)])])
def test_unshared_ones_are_the_costliest_and_the_cheapest(metric: str, ends: list[tuple[int, ...]]) -> None:
    strategy = ready(sandwich(allow_unshared=True, metric=metric), UNSHARED)
    assert archs(strategy)[:2] == ends


def test_where_all_candidates_are_nested_no_costs_are_asked_for() -> None:
    strategy = ready(sandwich(allow_unshared=True), CostModel(widths().space, {}))
    assert archs(strategy)[:2] == [(2, 3, 1), (0, 0, 0)]


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UsageError, match="'latency'; did you mean 'latency_ms'"):
        ready(sandwich(allow_unshared=True, metric="latency"), cell_costs())


def test_the_gradient_is_that_of_the_labels_and_of_what_the_largest_gave() -> None:
    supernet, data = fresh(repeated), images()
    space = Space("repeated", decisions_of(supernet.network), (3, 8, 8), 4)
    (update,) = updates(ready(sandwich(random=1), CostModel(space, {})), 0)
    by_hand = deepcopy(supernet)
    outputs = [by_hand(data.images, item.forward) for item in update.passes]
    imitations = [Classification().imitate(output, outputs[0].detach()) for output in outputs[1:]]
    torch.stack([cross_entropy(outputs[0], data.labels), *imitations]).sum().backward()
    updater(supernet).run(update, data)
    for name, value in gradients(by_hand).items():
        torch.testing.assert_close(gradients(supernet)[name], value, msg=name)

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.cost.constraint import Constraint, stated, tightened
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import Infeasible, UsageError

from .helpers import REAL, WHOLE, chain, everything, tables

MARGIN = st.floats(0, 0.9)


def measured(costs, error: float | None = None) -> CostModel:
    """Exact "macs" and measured "ms"."""
    model = chain({"ms": costs, "macs": [[1] * len(row) for row in costs]}, 1)
    return CostModel(model.space, {**model.metrics, "ms": replace(model["ms"], exact=False, error=error)})


def among(model: CostModel, *texts: str, margin: object = 0.0) -> FeasibleSet:
    return FeasibleSet(model, [Constraint.parse(text) for text in texts], margin=margin)  # type: ignore[arg-type]


@given(tables(st.one_of(WHOLE, REAL)), MARGIN, st.floats(0, 200))
def test_an_upper_bound_holds_for_the_worst_true_cost(costs, margin, bound):
    model = measured(costs)
    archs = everything(model.space)
    inside = among(model, f"ms<={bound}", margin=margin).contains(archs)
    worst = model["ms"].total(archs) * (1 + margin)
    assert (worst[inside] <= bound * (1 + 1e-12)).all()
    assert (worst[~inside] > bound * (1 - 1e-12)).all()


@given(tables(st.one_of(WHOLE, REAL)), MARGIN, st.floats(0, 200))
def test_a_lower_bound_holds_for_the_least_true_cost(costs, margin, bound):
    model = measured(costs)
    archs = everything(model.space)
    inside = among(model, f"ms>={bound}", margin=margin).contains(archs)
    least = model["ms"].total(archs) * (1 - margin)
    assert (least[inside] >= bound * (1 - 1e-12)).all()
    assert (least[~inside] < bound * (1 + 1e-12)).all()


@settings(max_examples=50)
@given(tables(REAL), MARGIN, st.floats(5, 200))
def test_counts_and_samples_keep_the_margin(costs, margin, bound):
    model = measured(costs)
    found = among(model, f"ms<={bound}", margin=margin)
    truth = int((model["ms"].total(everything(model.space)) * (1 + margin) <= bound * (1 - 1e-9)).sum())
    assert found.count.upper >= truth
    if truth:
        drawn = found.sample(20, np.random.default_rng(0))
        assert (model["ms"].total(drawn) * (1 + margin) <= bound * (1 + 1e-12)).all()


def test_exact_metrics_have_no_margin():
    model = measured([[1.0, 2.0]] * 3)
    assert among(model, "macs<=4", "ms<=5", margin=0.1).margins == {"ms": 0.1}
    assert among(model, "macs<=4", margin={"macs": 0.5}).contains(np.zeros((1, 3), dtype=np.int64)).all()


def test_none_takes_what_the_metric_states():
    assert among(measured([[1.0, 2.0]], 0.25), "ms<=5", margin=None).margins == {"ms": 0.25}
    assert among(measured([[1.0, 2.0]]), "ms<=5", margin=None).margins == {}
    assert among(measured([[1.0, 2.0]], 0.25), "ms<=5").margins == {}


def test_each_metric_may_have_its_own():
    assert among(measured([[1.0, 2.0]], 0.25), "ms<=5", margin={"ms": 0.5, "other": 2.0}).margins == {"ms": 0.5}


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf, {"ms": -1.0}])
def test_a_margin_below_zero_or_not_finite_is_refused(margin):
    with pytest.raises(UsageError, match="a margin is a finite number, 0 or more"):
        among(measured([[1.0, 2.0]]), "ms<=5", margin=margin)


def test_an_infeasible_bound_tells_the_margin():
    with pytest.raises(Infeasible) as caught:
        among(measured([[4.0, 5.0]]), "ms<=5.1", margin=0.03).require()
    assert caught.value.what == "no architecture meets ms<=5.1 with a margin of 3 %: the smallest reachable is ms=5 (0)"
    assert caught.value.hint == "--constraint 'ms<=5.15'"


@pytest.mark.parametrize("sign", ["<=", ">="])
@settings(max_examples=50)
@given(costs=tables(REAL), margin=MARGIN)
def test_the_hint_works_with_the_margin(sign, costs, margin):
    model = measured(costs)
    with pytest.raises(Infeasible) as caught:
        among(model, f"ms{sign}{0 if sign == '<=' else 10**9}", margin=margin).require()
    assert among(model, caught.value.hint.split("'")[1], margin=margin).status == "feasible"


def test_margins_that_leave_nothing_between_two_bounds_say_so():
    with pytest.raises(Infeasible, match=r"ms>=4\.9 and ms<=5\.1 with a margin of 10 %"):
        among(measured([[4.0, 3.9]]), "ms>=4.9", "ms<=5.1", margin=0.1).require()


@pytest.mark.parametrize("costs", [[[1, 2], [3, 4]], [[1.5, 2.0], [3.0, 4.0]]])
def test_errors_beyond_the_whole_leave_upper_bounds_alone(costs):
    model = measured(costs)
    assert among(model, "ms<=100", margin=1.5).status == "feasible"
    with pytest.raises(Infeasible, match="with a margin of 150 %: the largest reachable is"):
        among(model, "ms>=0.1", margin=1.5).require()


@given(st.floats(0, 1e9), MARGIN, st.booleans())
def test_a_stated_bound_is_met_by_its_estimate(estimate, margin, upper):
    bound = stated(estimate, margin, upper=upper)
    low, high = tightened((bound, bound), margin)
    assert estimate <= high if upper else estimate >= low
    assert bound == pytest.approx(estimate * (1 + margin if upper else 1 - margin))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nascli.cost import feasible as feasible_module
from nascli.cost import grid
from nascli.cost.model import CostModel
from nascli.cost.pair import Pair
from nascli.cost.restriction import Restriction
from nascli.cost.states import StateSpace
from nascli.errors import Infeasible

from .helpers import (
    REAL,
    WHOLE,
    chain,
    chi_square,
    everything,
    feasible,
    inside,
    large,
    metric,
    nested,
    space,
    tables,
    unordered,
)

UNIFORM = 5.0  # standard deviations

pairs = st.lists(st.lists(st.tuples(WHOLE, WHOLE, REAL), min_size=1, max_size=4), min_size=1, max_size=5)


def two(cells, second):
    """A model of whole "macs" and a second metric, whole or real."""
    part = 2 if second == "ms" else 1
    return chain({"macs": [[c[0] for c in row] for row in cells], second: [[c[part] for c in row] for row in cells]}, 3)


@given(pairs, st.integers(0, 250), st.integers(0, 250), st.sampled_from(["<=", ">="]), st.sampled_from(["<=", ">="]))
def test_two_whole_metrics_count_exactly(cells, macs, params, first, second):
    model, window = two(cells, "params"), (f"macs{first}{macs}", f"params{second}{params}")
    found = feasible(model, *window)
    truth = len(inside(model, *window))
    assert found.count.lower == found.count.upper == truth
    assert found.status == ("feasible" if truth else "infeasible")


@given(pairs, st.integers(0, 250), REAL)
def test_a_whole_and_a_real_metric_bracket_the_truth(cells, macs, ms):
    model, window = two(cells, "ms"), (f"macs<={macs}", f"ms>={3 * ms}")
    found = feasible(model, *window)
    truth = len(inside(model, *window))
    assert found.count.lower <= truth <= found.count.upper
    assert found.status == "feasible" or not truth
    if found.status == "infeasible":
        assert found.count.upper == 0


@settings(max_examples=40)
@given(pairs, st.integers(0, 250), REAL)
def test_few_cells_still_bracket_the_truth(cells, macs, ms):
    model, window = two(cells, "ms"), (f"macs<={macs}", f"ms<={4 * ms}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "MAX_CELLS", 64)
        count = feasible(model, *window).count
    assert count.lower <= len(inside(model, *window)) <= count.upper


@settings(max_examples=40)
@given(pairs, st.integers(0, 250), REAL)
def test_samples_meet_both(cells, macs, ms):
    model, window = two(cells, "ms"), (f"macs<={macs}", f"ms<={4 * ms}")
    assume(len(inside(model, *window)))
    drawn = feasible(model, *window).sample(20, np.random.default_rng(0))
    assert (model["macs"].total(drawn) <= macs).all()
    assert (model["ms"].total(drawn) <= 4 * ms).all()


def mixed():
    return two([[(3, 5, 0.7), (9, 1, 0.2), (5, 5, 0.4)]] * 4, "ms")


WINDOWS = [
    (unordered(), ("macs<=19", "ms<=1.4")),
    (unordered(), ("macs>=9", "ms<=1.2")),
    (mixed(), ("macs<=25", "ms<=5.2")),
    (mixed(), ("macs<=30", "macs>=20", "ms>=4.6")),
]


@pytest.mark.parametrize(("model", "window"), WINDOWS)
def test_samples_are_uniform_over_what_meets_both(model, window):
    among = inside(model, *window)
    assert len(among) > 3
    drawn = feasible(model, *window).sample(200 * len(among), np.random.default_rng(2))
    assert abs(chi_square(drawn, among)) < UNIFORM


def test_what_single_bounds_leave_open_is_settled_by_both():
    """What is cheap in one metric is dear in the other: 3000 together, and the totals of each are odd."""
    model = chain({"macs": [[i, 100 - i] for i in range(30)], "params": [[100 - i, i] for i in range(30)]})
    assert feasible(model, "macs<=1500", "params<=1500").status == "infeasible"
    found = feasible(model, "macs<=1501", "params<=1501")
    assert found.status == "feasible"
    assert found.count.exact


def test_the_table_of_two_metrics_of_a_large_space_keeps_its_memory(monkeypatch):
    model = large()
    limits = [f"{name}<={sum(np.quantile(f.values, 0.4) for f in model[name].factors)}" for name in model.metrics]
    found = feasible(model, *limits)
    assert found.status == "feasible"
    table = found.driver.table
    assert len(found.driver.binnings) == 2
    assert sum(level.nbytes for level in table._levels) <= 1.1 * grid.MAX_BYTES
    drawn, draw = [], table.sample
    monkeypatch.setattr(table, "sample", lambda n, rng: drawn.append(n) or draw(n, rng))
    assert found.contains(found.sample(500, np.random.default_rng(0))).all()
    assert sum(drawn) < 2000


def test_three_metrics_are_met_by_rejection_from_two():
    costs = {"macs": [[1, 5, 9]] * 5, "params": [[8, 3, 4]] * 5, "ms": [[0.5, 0.4, 0.1]] * 5}
    model, window = chain(costs), ("macs<=25", "params<=22", "ms<=1.9")
    among = inside(model, *window)
    found = feasible(model, *window)
    assert found.count.lower <= len(among) <= found.count.upper
    drawn = found.sample(200 * len(among), np.random.default_rng(0))
    assert abs(chi_square(drawn, among)) < UNIFORM


def test_the_hint_of_two_that_exclude_each_other_works():
    model = chain({"macs": [[0, 3, 7]] * 4, "ms": [[2.5, 1.25, 0.3]] * 4})
    with pytest.raises(Infeasible, match="no architecture meets both") as caught:
        feasible(model, "macs<=9", "ms<=2").require()
    bound = caught.value.hint.split("'")[1]
    kept = "macs<=9" if bound.startswith("ms") else "ms<=2"
    assert feasible(model, kept, bound).status == "feasible"


@pytest.mark.parametrize(
    ("window", "hint"),
    [
        (("macs<=9", "params>=20"), "params>=18"),
        (("macs<=6", "params>=15"), "params>=12"),
        (("macs<=13", "params>=27"), "macs<=14"),
    ],
)
def test_a_lower_bound_and_an_upper_one_exclude_each_other(window, hint):
    model = chain({"macs": [[0, 3, 7]] * 4, "params": [[0, 6, 14]] * 4})
    with pytest.raises(Infeasible) as caught:
        feasible(model, *window).require()
    assert caught.value.hint == f"replace its bound: --constraint '{hint}'"
    assert "macs<=" in caught.value.what
    assert "params>=" in caught.value.what


def test_where_nothing_is_found_under_the_first_it_says_which_windows_to_widen():
    states = StateSpace(space([2]))
    real = Restriction(states, metric("ms", [[0.5, 1.5]]), (0.5 + 1e-13, 1.0))
    other = Restriction(states, metric("macs", [[0, 1]]), (0.0, 0.0))
    assert real.grid.count.upper == 1
    assert Pair(real, other).infeasible().hint == "widen the window of macs or of ms"


def test_a_window_between_what_both_can_have_says_which_to_widen():
    model = chain({"macs": [[0, 4]] * 3, "params": [[0, 8]] * 3})
    found = feasible(model, "macs<=8", "macs>=3", "params>=17", "params<=30")
    with pytest.raises(Infeasible) as caught:
        found.require()
    assert caught.value.hint


@given(tables(WHOLE, most=4), st.integers(0, 120))
def test_equal_metrics_count_as_one(costs, bound):
    model = chain({"macs": costs, "params": costs})
    count = feasible(model, f"macs<={bound}", f"params<={bound}").count
    assert count.lower == count.upper == len(inside(model, f"macs<={bound}"))


def test_without_a_budget_of_probes_nothing_is_drawn_where_counts_decide(monkeypatch):
    monkeypatch.setattr(feasible_module, "PROBES", 0)
    for made in (nested(), unordered()):
        model = CostModel(made.space, {**made.metrics, "more": made["macs"]})
        top = int(model["macs"].total(everything(model.space)).max())
        assert feasible(model, f"macs<={top - 1}", f"more<={top - 2}").status == "feasible"

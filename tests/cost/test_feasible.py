from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.cost import bins
from nascli.cost import feasible as feasible_module
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel, Factor, Metric
from nascli.errors import Infeasible, UsageError

from .helpers import REAL, WHOLE, chain, everything, excluding, feasible, inside, large, nested, space, tables

BOUND = st.integers(0, 250)


def texts(name, low, high):
    return f"{name}>={min(low, high)}", f"{name}<={max(low, high)}"


@given(tables(WHOLE), BOUND, BOUND)
def test_whole_counts_are_exact(costs, low, high):
    model = chain({"macs": costs}, 7)
    window = texts("macs", low, high)
    count = feasible(model, *window).count
    assert count.exact
    assert count.lower == len(inside(model, *window))


@given(tables(WHOLE), BOUND)
def test_whole_counts_above_a_lower_bound_are_exact(costs, low):
    model = chain({"macs": costs}, 7)
    count = feasible(model, f"macs>={low}").count
    assert count.lower == count.upper == len(inside(model, f"macs>={low}"))


@given(tables(REAL), REAL, REAL)
def test_real_counts_bracket_the_truth(costs, low, high):
    model = chain({"ms": costs}, 0.3)
    window = texts("ms", low * 4, high * 4)
    found = feasible(model, *window)
    assert found.count.lower <= len(inside(model, *window)) <= found.count.upper


@given(tables(REAL), REAL, st.sampled_from(["<=", ">="]))
def test_real_counts_at_a_total_that_occurs_bracket_the_truth(costs, pick, sign):
    model = chain({"ms": costs}, 0.3)
    totals = model["ms"].total(everything(model.space))
    text = f"ms{sign}{totals.tolist()[int(pick) % len(totals)]}"
    count = feasible(model, text).count
    assert 1 <= count.lower <= len(inside(model, text)) <= count.upper


@given(costs=tables(WHOLE), low=BOUND, high=BOUND)
def test_whole_costs_with_too_many_bins_still_bracket_the_truth(costs, low, high):
    model = chain({"macs": costs})
    window = texts("macs", low, high)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bins, "MAX_BINS", 0)
        patch.setattr(bins, "BINS", 16)
        count = feasible(model, *window).count
    assert count.lower <= len(inside(model, *window)) <= count.upper


@given(tables(WHOLE, most=4), BOUND, REAL)
def test_two_metrics_bracket_the_truth(costs, macs, ms):
    model = chain({"macs": costs, "ms": [[0.5 * (60 - c) for c in row] for row in costs]})
    window = f"macs<={macs}", f"ms<={ms * 2}"
    found = feasible(model, *window)
    truth = len(inside(model, *window))
    assert found.count.lower <= truth <= found.count.upper
    assert found.status == "feasible" or truth == 0


@given(tables(REAL), REAL, REAL)
def test_contains_agrees_with_the_totals(costs, low, high):
    model = chain({"ms": costs})
    window = texts("ms", low * 2, high * 2)
    archs = everything(model.space)
    assert archs[feasible(model, *window).contains(archs)].tolist() == inside(model, *window).tolist()


def test_without_constraints_it_is_the_whole_space():
    found = feasible(large())
    assert found.count.lower == found.count.upper == 9**22
    assert found.status == "feasible"


def test_nested_decisions_count_canonical_architectures():
    model = nested()
    assert feasible(model).count.lower == len(everything(model.space)) == (1 + 2 * 4) * 3 * 2
    for bound in range(9, 36):
        assert feasible(model, f"macs<={bound}").count.lower == len(inside(model, f"macs<={bound}"))


def test_contains_reads_any_vector_of_a_network():
    found = feasible(nested(), "macs<=11")
    assert found.contains(np.array([[0, 0, 0, 0], [0, 0, 3, 0], [1, 0, 0, 0]])).tolist() == [True, True, False]


def test_counts_beyond_float_precision_are_exact_where_the_bins_are_few():
    model = chain({"macs": [[0, 1, 2]] * 60})
    assert feasible(model, "macs<=60").count.exact
    assert feasible(model, "macs<=60").count.lower + feasible(model, "macs>=61").count.lower == 3**60


def test_large_counts_with_many_bins_bracket_the_truth():
    model = large()
    low, high = feasible(model).bounds("macs")
    middle = (low + high) // 2
    below, above = feasible(model, f"macs<={middle}").count, feasible(model, f"macs>={middle + 1}").count
    assert not below.exact
    assert below.lower + above.lower <= 9**22 <= below.upper + above.upper
    assert below.upper - below.lower <= 1e-9 * below.lower


@pytest.mark.parametrize("decisions", [400, 2000])
def test_spaces_beyond_the_range_of_floats_count_exactly_or_honestly(decisions):
    model = chain({"macs": [[0, 1]] * decisions})
    count = feasible(model, f"macs<={decisions - 1}").count
    assert count.lower <= 2**decisions - 1 <= count.upper


@given(tables(WHOLE))
def test_bounds_are_the_extremes_of_the_whole_space(costs):
    model = chain({"macs": costs}, 3)
    totals = model["macs"].total(everything(model.space))
    assert feasible(model, "macs<=1000").bounds("macs") == (totals.min(), totals.max())


@given(tables(REAL))
def test_cheapest_and_costliest_attain_the_bounds(costs):
    model = chain({"ms": costs}, 0.1)
    found = feasible(model)
    low, high = found.bounds("ms")
    assert model.total("ms", found.cheapest("ms")).tolist() == [low]
    assert model.total("ms", found.costliest("ms")).tolist() == [high]


def test_below_the_smallest_total_says_what_is_reachable():
    model = chain({"macs": [[7, 5, 9], [3, 4, 2]]}, 100)
    found = feasible(model, "macs<=1")
    assert found.status == "infeasible"
    assert found.count.upper == 0
    with pytest.raises(Infeasible) as caught:
        found.require()
    assert caught.value.what == "no architecture meets macs<=1: the smallest reachable is macs=107 (1,2)"
    assert caught.value.hint == "--constraint 'macs<=107'"


def test_above_the_largest_total_says_what_is_reachable():
    with pytest.raises(Infeasible, match=r"the largest reachable is macs=113 \(2,1\)") as caught:
        feasible(chain({"macs": [[7, 5, 9], [3, 4, 2]]}, 100), "macs>=500").require()
    assert caught.value.hint == "--constraint 'macs>=113'"


def test_a_gap_between_totals_names_the_nearest_on_both_sides():
    with pytest.raises(Infeasible, match="the nearest reachable are macs=30 and macs=110") as caught:
        feasible(chain({"macs": [[0, 100], [0, 10, 20]]}, 10), "macs>=31", "macs<=99").require()
    assert caught.value.hint == "--constraint 'macs<=110'"


def test_a_gap_between_real_totals_says_the_range():
    with pytest.raises(Infeasible, match=r"totals run from ms=0 to ms=1\.5, and none lies inside"):
        feasible(chain({"ms": [[0.0, 1.5]]}), "ms>=0.5", "ms<=1").require()


@pytest.mark.parametrize("sign", ["<=", ">="])
@pytest.mark.parametrize("cells", [WHOLE, REAL], ids=["whole", "real"])
@settings(max_examples=30)
@given(data=st.data())
def test_the_hint_of_an_infeasible_bound_is_feasible(cells, sign, data):
    model = chain({"cost": data.draw(tables(cells))}, 1)
    found = feasible(model, f"cost{sign}{0 if sign == '<=' else 10**6}")
    with pytest.raises(Infeasible) as caught:
        found.require()
    works = feasible(model, caught.value.hint.split("'")[1])
    assert works.contains(works.sample(5, np.random.default_rng(0))).all()


def test_long_architectures_are_cut_in_messages():
    with pytest.raises(Infeasible, match=r"\((0,){12}…\)"):
        feasible(chain({"macs": [[1, 2]] * 30}), "macs<=1").require()


def test_metrics_that_exclude_each_other_are_infeasible_with_the_bound_that_works():
    model = chain({"macs": [[0, 1, 2, 3]] * 6, "params": [[3, 2, 1, 0]] * 6})
    found = feasible(model, "macs<=8", "params<=9")
    assert found.status == "infeasible"
    assert found.count.upper == 0
    with pytest.raises(Infeasible, match="no architecture meets both macs<=8 and params<=9") as caught:
        found.require()
    assert caught.value.why == "under macs<=8 the smallest params found is params=10"
    assert caught.value.hint == "replace its bound: --constraint 'params<=10'"


def test_three_metrics_that_exclude_each_other_are_undecided_with_what_to_do(monkeypatch):
    monkeypatch.setattr(feasible_module, "PROBES", 2**15)
    found = excluding()
    assert found.status == "undecided"
    assert found.count.lower == 0
    with pytest.raises(Infeasible, match="found no architecture for macs<=3 and params<=3 and ms<=3") as caught:
        found.require()
    assert caught.value.why.startswith("none of 32768 draws")
    assert caught.value.hint


def test_an_infeasible_metric_is_named_among_several():
    with pytest.raises(Infeasible, match="no architecture meets params<=0: the smallest"):
        feasible(chain({"macs": [[1, 2]], "params": [[3, 4]]}), "macs<=2", "params<=0").require()


def test_contradicting_constraints_are_refused_at_once():
    with pytest.raises(Infeasible, match="both macs>=5 and macs<=3"):
        feasible(chain({"macs": [[1, 9]]}), "macs<=3", "macs>=5")


def test_a_constraint_on_an_unknown_metric_is_refused_at_once():
    with pytest.raises(UsageError, match="did you mean 'macs'"):
        FeasibleSet(chain({"macs": [[1]]}), [Constraint("mac", 1, True)])


def test_a_cost_that_spans_two_groups_cannot_be_constrained():
    factor = Factor((0, 1), np.array([[1, 2], [3, 4]]))
    model = CostModel(space([2, 2]), {"macs": Metric("macs", "MAC", 0, (factor,), True)})
    with pytest.raises(UsageError, match="a cost depends on layer_0, layer_1"):
        feasible(model, "macs<=3").require()


def test_a_metric_without_a_constraint_may_span_groups():
    factor = Factor((0, 1), np.array([[1, 2], [3, 4]]))
    model = CostModel(space([2, 2]), {"macs": Metric("macs", "MAC", 0, (factor,), True)})
    assert feasible(model).count.lower == 4


def test_nothing_here_imports_torch():
    import subprocess

    code = "import sys, nascli.cost.feasible, nascli.cost.macs, nascli.cost.params; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_leading_metric_is_the_first_constraints_or_macs_or_any() -> None:
    both = chain({"ms": [[1, 2]], "macs": [[1, 2]]})
    assert feasible(both, "ms<=2", "macs<=2").leading == "ms"
    assert feasible(both).leading == "macs"
    assert feasible(chain({"ms": [[1, 2]], "energy": [[1, 2]]})).leading == "energy"
    assert FeasibleSet(CostModel(both.space, {})).leading is None

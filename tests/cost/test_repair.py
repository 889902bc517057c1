from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nascli.cost import repair
from nascli.cost.model import CostModel
from nascli.cost.states import StateSpace
from nascli.errors import Infeasible

from .helpers import REAL, WHOLE, chain, everything, excluding, feasible, inside, large, nested, tables, unordered


def changes(model, arch, among) -> np.ndarray:
    """How many groups each architecture changes."""
    states = StateSpace(model.space)
    return (states.encode(among) != states.encode(np.atleast_2d(arch))).sum(axis=1)


def check(model, window, arch) -> None:
    among = inside(model, *window)
    if not len(among):
        with pytest.raises(Infeasible):
            feasible(model, *window).repair(arch)
        return
    found = feasible(model, *window).repair(arch)
    assert (among == found).all(axis=1).any()
    assert changes(model, arch, found[None])[0] == changes(model, arch, among).min()


def picked(model, seed: int):
    return np.random.default_rng(seed).integers(0, model.space.sizes)


@given(tables(WHOLE), st.integers(0, 250), st.integers(0, 250), st.integers(0, 99))
def test_whole_costs_change_as_few_groups_as_brute_force(costs, low, high, seed):
    model = chain({"macs": costs}, 7)
    check(model, (f"macs>={min(low, high)}", f"macs<={max(low, high)}"), picked(model, seed))


@given(tables(REAL), REAL, st.integers(0, 99), st.sampled_from(["<=", ">="]))
def test_real_costs_change_as_few_groups_as_brute_force(costs, bound, seed, sign):
    model = chain({"ms": costs}, 0.3)
    check(model, (f"ms{sign}{4 * bound}",), picked(model, seed))


@settings(max_examples=50)
@given(tables(WHOLE), st.integers(0, 250), st.integers(0, 99))
def test_the_bins_alone_change_as_few_groups_as_brute_force(costs, bound, seed):
    model = chain({"macs": costs}, 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repair, "MAX_PAIRS", -1)
        patch.setattr(repair._Moves, "single", lambda self: iter(()))
        check(model, (f"macs<={bound}",), picked(model, seed))


@settings(max_examples=50)
@given(tables(WHOLE, most=4), st.integers(0, 250), REAL, st.integers(0, 99))
def test_two_metrics_change_as_few_groups_as_brute_force(costs, macs, ms, seed):
    model = chain({"macs": costs, "ms": [[0.5 * (60 - c) for c in row] for row in costs]})
    check(model, (f"macs<={macs}", f"ms<={ms * 2}"), picked(model, seed))


@settings(max_examples=300)
@given(tables(WHOLE, most=4), st.integers(0, 60), st.integers(0, 60), REAL, st.integers(0, 99))
def test_a_maximum_beside_a_sum_changes_as_few_groups_as_brute_force(costs, low, high, ms, seed):
    made = chain({"peak": costs, "ms": [[0.37 * ((7 * c) % 61) for c in row] for row in costs]})
    metrics = {"peak": replace(made["peak"], joins="max"), "ms": made["ms"]}
    model = CostModel(made.space, metrics)
    check(model, (f"peak>={min(low, high)}", f"peak<={max(low, high)}", f"ms<={ms}"), picked(model, seed))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("model", "window"),
    [
        (nested(), ("macs<=17",)),
        (nested(), ("macs>=29",)),
        (unordered(), ("macs<=9",)),
        (unordered(), ("macs>=20", "ms<=1.2")),
    ],
)
def test_nested_and_unordered_decisions_change_as_few_groups_as_brute_force(model, window, seed):
    check(model, window, model.space.canonical(picked(model, seed)))


@given(tables(WHOLE), st.integers(0, 250), st.integers(0, 99))
def test_among_equally_many_changes_the_cost_is_the_nearest(costs, bound, seed):
    model = chain({"macs": costs}, 7)
    arch, among = picked(model, seed), inside(model, f"macs<={bound}")
    assume(len(among))
    cost = model["macs"]
    found = feasible(model, f"macs<={bound}").repair(arch)
    alike = among[changes(model, arch, among) == changes(model, arch, found[None])[0]]
    assert cost.total(found[None])[0] == cost.total(alike).max()


def test_a_feasible_architecture_stays():
    found = feasible(nested(), "macs<=24")
    for arch in inside(nested(), "macs<=24"):
        assert (found.repair(arch) == arch).all()


def test_an_architecture_is_made_canonical():
    assert feasible(nested()).repair(np.array([0, 2, 3, 1])).tolist() == [0, 2, 0, 1]


def test_the_parent_is_not_written_into():
    arch = np.array([2, 2, 3, 1])
    feasible(nested(), "macs<=11").repair(arch)[:] = 0
    assert arch.tolist() == [2, 2, 3, 1]


@pytest.mark.parametrize("metric", ["macs", "latency_ms"])
@pytest.mark.parametrize("part", [0.0, 0.05, 0.3, 0.9])
def test_the_costliest_of_a_large_space_is_repaired_under_any_bound(metric, part):
    """The fewest changes are known: the largest savings first."""
    model = large()
    low, high = feasible(model).bounds(metric)
    bound = low + part * (high - low)
    found = feasible(model, f"{metric}<={bound!r}")
    arch = found.costliest(metric)
    fixed = found.repair(arch)
    savings = sorted((float(np.ptp(factor.values)) for factor in model[metric].factors), reverse=True)
    fewest = next(k for k in range(23) if high - sum(savings[:k]) <= bound * (1 + 1e-12))
    assert found.contains(fixed).all()
    assert (fixed != arch).sum() == fewest
    assert (found.repair(arch) == fixed).all()


def test_two_metrics_of_a_large_space_are_repaired():
    model = large()
    limits = [f"{name}<={sum(np.quantile(f.values, 0.3) for f in model[name].factors)}" for name in model.metrics]
    found = feasible(model, *limits)
    for arch in np.random.default_rng(0).integers(0, 9, size=(3, 22)):
        fixed = found.repair(arch)
        assert found.contains(fixed).all()
        assert 3 <= (fixed != arch).sum() <= 15


def test_samples_stand_in_where_the_table_leads_to_nothing(monkeypatch):
    monkeypatch.setattr(repair, "_tries", lambda *_: iter(()))
    found = feasible(nested(), "macs<=11")
    arch = np.array([2, 2, 3, 1])
    assert (
        changes(nested(), arch, found.repair(arch)[None])[0]
        == changes(nested(), arch, inside(nested(), "macs<=11")).min()
    )


def test_three_metrics_are_repaired():
    costs = {"macs": [[1, 5, 9]] * 5, "params": [[8, 3, 4]] * 5, "ms": [[0.5, 0.4, 0.1]] * 5}
    model = chain(costs)
    window = ("macs<=25", "params<=22", "ms<=1.9")
    found = feasible(model, *window)
    for arch in everything(model.space)[::17]:
        fixed = found.repair(arch)
        assert found.contains(fixed).all()
        assert changes(model, arch, fixed[None])[0] - changes(model, arch, inside(model, *window)).min() <= 1


def test_nothing_feasible_says_so():
    with pytest.raises(Infeasible):
        feasible(chain({"macs": [[1, 2]]}), "macs<=0").repair(np.array([1]))
    with pytest.raises(Infeasible):
        excluding().repair(np.zeros(10, dtype=np.int64))

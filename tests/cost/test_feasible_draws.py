from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nascli.cost import feasible as feasible_module
from nascli.errors import Infeasible

from .helpers import REAL, WHOLE, chain, chi_square, excluding, feasible, inside, large, nested, tables

UNIFORM = 5.0  # standard deviations

CASES = {
    "whole": (chain({"macs": [[0, 3, 5], [1, 2, 9, 4], [7, 7, 0], [2, 0]]}, 10), ("macs<=22", "macs>=15")),
    "lower": (chain({"macs": [[0, 3, 5], [1, 2, 9, 4], [7, 7, 0], [2, 0]]}, 10), ("macs>=24",)),
    "ties": (chain({"macs": [[1, 1, 1, 2], [1, 1, 3]]}), ("macs<=3",)),
    "real": (chain({"ms": [[0.1, 0.33, 0.7], [0.2, 0.9, 0.45], [0.61, 0.05], [0.2, 0.3]]}), ("ms<=1.2",)),
    "real window": (chain({"ms": [[0.1, 0.33, 0.7], [0.2, 0.9], [0.61, 0.05], [0.2, 0.3]]}), ("ms>=1", "ms<=1.3")),
    "two metrics": (
        chain({"macs": [[0, 3, 5], [1, 2, 9]] * 2, "ms": [[0.9, 0.2, 0.1], [0.3, 0.3, 0.5]] * 2}),
        ("macs<=14", "ms<=1.4"),
    ),
    "nested": (nested(), ("macs<=24", "macs>=14")),
    "nested, whole space": (nested(), ()),
}


@pytest.mark.parametrize("case", CASES)
def test_samples_are_uniform_over_the_feasible_architectures(case):
    model, window = CASES[case]
    among = inside(model, *window)
    drawn = feasible(model, *window).sample(200 * len(among), np.random.default_rng(1))
    assert abs(chi_square(drawn, among)) < UNIFORM


@pytest.mark.parametrize("cells", [WHOLE, REAL], ids=["whole", "real"])
@settings(max_examples=50)
@given(data=st.data())
def test_samples_are_feasible(cells, data):
    model = chain({"cost": data.draw(tables(cells))}, 1)
    among = inside(model, f"cost<={data.draw(st.integers(0, 150))}")
    assume(len(among))
    bound = float(model["cost"].total(among).max())
    found = feasible(model, f"cost<={bound!r}")
    drawn = found.sample(20, np.random.default_rng(0))
    assert drawn.shape == (20, len(model.space.decisions))
    assert drawn.dtype == np.int64
    assert (model["cost"].total(drawn) <= bound).all()


@pytest.mark.parametrize("sign", ["<=", ">="])
@pytest.mark.parametrize("metric", ["macs", "latency_ms"])
def test_the_extreme_of_a_large_space_alone_can_be_drawn(metric, sign):
    model = large()
    bound = feasible(model).bounds(metric)[sign == ">="]
    found = feasible(model, f"{metric}{sign}{bound!r}")
    extreme = found.cheapest(metric) if sign == "<=" else found.costliest(metric)
    assert found.count.lower >= 1
    assert (found.sample(3, np.random.default_rng(0)) == extreme).all()


@pytest.mark.parametrize("metric", ["macs", "latency_ms"])
def test_a_tight_window_of_a_large_space_takes_few_draws(metric, monkeypatch):
    model = large()
    low, high = feasible(model).bounds(metric)
    bound = low + 0.1 * (high - low)
    found = feasible(model, f"{metric}<={bound!r}", f"{metric}>={0.98 * bound!r}")
    table, draws = found.driver.table, []
    sample = table.sample
    monkeypatch.setattr(table, "sample", lambda n, rng: draws.append(n) or sample(n, rng))
    assert found.contains(found.sample(1000, np.random.default_rng(0))).all()
    assert sum(draws) < 20_000


def test_marginals_of_a_large_space_are_those_of_rejection():
    model = large()
    low, high = feasible(model).bounds("macs")
    bound = low + (high - low) // 2
    drawn = feasible(model, f"macs<={bound}").sample(40_000, np.random.default_rng(0))
    free = np.random.default_rng(1).integers(0, 9, size=(150_000, 22))
    kept = free[model["macs"].total(free) <= bound]
    ours, theirs = ([np.bincount(archs[:, i], minlength=9) / len(archs) for i in range(22)] for archs in (drawn, kept))
    error = np.sqrt(1 / 9 * 8 / 9 * (1 / len(drawn) + 1 / len(kept)))
    assert np.abs(np.array(ours) - np.array(theirs)).max() < UNIFORM * error


def test_equal_generators_draw_equal_architectures():
    model, window = CASES["two metrics"]
    first, second = (feasible(model, *window).sample(50, np.random.default_rng(7)) for _ in range(2))
    assert (first == second).all()


def test_the_global_generator_is_left_alone():
    model, window = CASES["real"]
    found, before = feasible(model, *window), np.random.get_state()[1].tolist()
    found.mutate(found.sample(5, np.random.default_rng(0))[0], 0.3, np.random.default_rng(0))
    assert np.random.get_state()[1].tolist() == before


def test_no_samples_are_an_empty_array():
    assert feasible(large(), "macs<=10000000").sample(0, np.random.default_rng(0)).shape == (0, 22)


def test_sampling_an_infeasible_set_says_so():
    with pytest.raises(Infeasible, match="the smallest reachable is"):
        feasible(large(), "macs<=1").sample(1, np.random.default_rng(0))


def test_sampling_gives_up_after_a_bounded_number_of_draws(monkeypatch):
    found = excluding()
    found.status = "feasible"
    monkeypatch.setattr(feasible_module, "PROBES", 1000)
    with pytest.raises(Infeasible, match="found too few architectures for") as caught:
        found.sample(2, np.random.default_rng(0))
    assert caught.value.why == "0 of 3000 draws were feasible, 2 were wanted"


@pytest.mark.parametrize("case", CASES)
def test_mutations_are_feasible_and_differ(case):
    model, window = CASES[case]
    found, rng = feasible(model, *window), np.random.default_rng(0)
    for parent in found.sample(30, rng):
        child = found.mutate(parent, 0.2, rng)
        assert found.contains(child).all()
        assert (model.space.canonical(child) == child).all()
        assert (child != parent).any()


def test_mutation_without_probability_moves_one_group():
    found, rng = feasible(large()), np.random.default_rng(0)
    parent = found.sample(1, rng)[0]
    assert [(found.mutate(parent, 0.0, rng) != parent).sum() for _ in range(20)] == [1] * 20


def test_mutation_moves_each_group_with_its_probability():
    found, rng = feasible(large()), np.random.default_rng(0)
    parent = found.sample(1, rng)[0]
    moved = np.mean([found.mutate(parent, 0.3, rng) != parent for _ in range(1000)])
    assert moved == pytest.approx(0.3, abs=0.02)


def test_mutation_reaches_all_other_states_alike():
    model = nested()
    among = inside(model)
    parent, others = among[0], among[1:]
    found, rng = feasible(model), np.random.default_rng(0)
    ops = np.array([found.mutate(parent, 0.0, rng) for _ in range(6000)])
    moved = ops[ops[:, 0] > 0][:, [0, 2]]
    assert abs(chi_square(moved, np.unique(others[others[:, 0] > 0][:, [0, 2]], axis=0))) < UNIFORM


def test_mutation_falls_back_to_a_sample_where_no_neighbour_is_feasible():
    model = chain({"macs": [[0, 1]] * 12})
    found = feasible(model, "macs>=6", "macs<=6")
    parent, rng = np.array([0, 1] * 6), np.random.default_rng(0)
    child = found.mutate(parent, 0.0, rng)  # one group alone always leaves the window
    assert found.contains(child).all()
    assert (child != parent).any()


def test_the_only_feasible_architecture_mutates_to_itself():
    found = feasible(chain({"macs": [[0, 1], [0, 1]]}), "macs<=0")
    assert found.mutate(np.array([0, 0]), 0.5, np.random.default_rng(0)).tolist() == [0, 0]


def test_a_space_of_one_architecture_mutates_to_itself():
    found = feasible(chain({"macs": [[1], [2]]}))
    assert found.mutate(np.array([0, 0]), 0.5, np.random.default_rng(0)).tolist() == [0, 0]


@pytest.mark.parametrize("case", CASES)
def test_children_are_feasible_and_made_of_their_parents(case):
    model, window = CASES[case]
    found, rng = feasible(model, *window), np.random.default_rng(0)
    archs = found.sample(60, rng)
    for a, b in zip(archs[::2], archs[1::2], strict=True):
        child = found.crossover(a, b, rng)
        assert found.contains(child).all()
        for group in model.space.groups:
            columns = list(group.decisions)
            assert child[columns].tolist() in (a[columns].tolist(), b[columns].tolist())


def test_a_child_of_unlike_parents_differs_from_both():
    found, rng = feasible(large()), np.random.default_rng(0)
    a, b = found.sample(2, rng)
    for _ in range(20):
        child = found.crossover(a, b, rng)
        assert (child != a).any()
        assert (child != b).any()


def test_a_child_of_parents_with_two_decisions_is_neither_of_them():
    found, rng = feasible(chain({"macs": [[0, 1], [0, 1]]})), np.random.default_rng(0)
    for _ in range(20):
        assert found.crossover(np.array([0, 0]), np.array([1, 1]), rng).tolist() in ([0, 1], [1, 0])


def test_crossover_falls_back_to_a_parent():
    found = feasible(chain({"macs": [[0, 1], [1, 0]]}), "macs>=1", "macs<=1")
    child = found.crossover(np.array([0, 0]), np.array([1, 1]), np.random.default_rng(0))
    assert child.tolist() in ([0, 0], [1, 1])


@pytest.mark.parametrize("name", ["mutate", "crossover"])
def test_variations_do_not_write_into_their_parents(name):
    found, rng = feasible(large()), np.random.default_rng(0)
    a, b = found.sample(2, rng)
    before = a.copy()
    child = found.mutate(a, 0.5, rng) if name == "mutate" else found.crossover(a, b, rng)
    child[:] = 0
    assert (a == before).all()

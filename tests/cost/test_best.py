from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.cost import best_table, bins
from nascli.errors import Infeasible
from nascli.space import Archs

from .helpers import REAL, WHOLE, chain, excluding, feasible, inside, large, nested, tables, unordered

SCORE = st.floats(-5, 5, allow_nan=False, width=32)


def some(of, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=size) for size in of.sizes]


def total(of, scores, archs: Archs) -> np.ndarray:
    """By brute force: a decision counts where it exists."""
    exists = of.exists(archs)
    return sum(score[archs[:, i]] * exists[:, i] for i, score in enumerate(scores))


def check(model, window, scores, *, exact: bool) -> None:
    among = inside(model, *window)
    if not len(among):
        with pytest.raises(Infeasible):
            feasible(model, *window).best(scores)
        return
    best = feasible(model, *window).best(scores)
    truth = total(model.space, scores, among).max()
    assert (among == best.arch).all(axis=1).any()
    assert best.score == pytest.approx(total(model.space, scores, best.arch[None])[0], abs=1e-9)
    assert best.score <= truth + 1e-9
    assert best.bound >= truth - 1e-9
    assert best.gap >= 0
    if exact:
        assert best.gap == 0
        assert best.score == pytest.approx(truth, abs=1e-9)


@given(tables(WHOLE), st.integers(0, 250), st.integers(0, 250), st.integers(0, 9))
def test_whole_costs_give_the_best_of_brute_force(costs, low, high, seed):
    model = chain({"macs": costs}, 7)
    window = f"macs>={min(low, high)}", f"macs<={max(low, high)}"
    check(model, window, some(model.space, seed), exact=True)


@given(tables(REAL), REAL, st.integers(0, 9), st.sampled_from(["<=", ">="]))
def test_real_costs_give_a_feasible_answer_and_a_bound(costs, bound, seed, sign):
    model = chain({"ms": costs}, 0.3)
    check(model, (f"ms{sign}{4 * bound}",), some(model.space, seed), exact=False)


@settings(max_examples=50)
@given(tables(REAL), REAL, st.integers(0, 9))
def test_coarse_bins_give_a_feasible_answer_and_a_bound(costs, bound, seed):
    model = chain({"ms": costs}, 0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bins, "BINS", 8)
        check(model, (f"ms<={4 * bound}", f"ms>={2 * bound}"), some(model.space, seed), exact=False)


@settings(max_examples=50)
@given(tables(WHOLE, most=4), st.integers(0, 250), st.integers(0, 9))
def test_two_whole_metrics_give_the_best_of_brute_force(costs, bound, seed):
    model = chain({"macs": costs, "params": [[(7 * c) % 31 for c in row] for row in costs]})
    check(model, (f"macs<={bound}", f"params<={bound // 2}"), some(model.space, seed), exact=True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("model", "window"),
    [
        (nested(), ("macs<=24", "macs>=14")),
        (nested(), ()),
        (unordered(), ("macs<=14",)),
        (unordered(), ()),
        (chain({"macs": [[1, 1, 1, 2], [1, 1, 3]]}), ("macs<=3",)),
    ],
)
def test_nested_and_unordered_decisions_and_ties_give_the_best_of_brute_force(model, window, seed):
    check(model, window, some(model.space, seed), exact=True)


@pytest.mark.parametrize("seed", range(5))
def test_three_metrics_give_a_feasible_answer_and_a_bound(seed):
    costs = {"macs": [[1, 5, 9]] * 5, "params": [[8, 3, 4]] * 5, "ms": [[0.5, 0.4, 0.1]] * 5}
    model = chain(costs)
    check(model, ("macs<=25", "params<=22", "ms<=1.9"), some(model.space, seed), exact=False)


def test_samples_stand_in_where_no_sum_of_the_table_leads_to_a_feasible_one(monkeypatch):
    monkeypatch.setattr(best_table, "ENDS", 1)
    costs = {"macs": [[2, 0, 0]] * 6, "params": [[2, 0, 0]] * 6, "ms": [[0.0, 1.0, 0.0]] * 6}
    found = feasible(chain(costs), "macs<=9", "params<=9", "ms<=5.5")
    best = found.best([np.array([0.0, 1.0, 0.0])] * 6)
    assert best.score == 5
    assert best.bound == pytest.approx(6)


def test_without_constraints_it_is_the_best_of_each_decision():
    model = large()
    scores = some(model.space)
    best = feasible(model).best(scores)
    assert best.arch.tolist() == [int(score.argmax()) for score in scores]
    assert best.gap == 0


@pytest.mark.parametrize("metric", ["macs", "latency_ms"])
@pytest.mark.parametrize("sign", ["<=", ">="])
def test_the_bound_of_a_large_space_is_close(metric, sign):
    model = large()
    low, high = feasible(model).bounds(metric)
    found, scores = feasible(model, f"{metric}{sign}{low + 0.3 * (high - low)}"), some(model.space)
    best = found.best(scores)
    assert found.contains(best.arch).all()
    assert 0 <= best.gap < 0.01
    drawn = found.sample(5000, np.random.default_rng(0))
    assert (total(model.space, scores, drawn) <= best.score).all()


def test_two_metrics_of_a_large_space_are_close():
    model = large()
    limits = [f"{name}<={sum(np.quantile(f.values, 0.4) for f in model[name].factors)}" for name in model.metrics]
    best = feasible(model, *limits).best(some(model.space))
    assert feasible(model, *limits).contains(best.arch).all()
    assert 0 <= best.gap < 1


def test_equal_calls_give_equal_answers():
    model = chain({"macs": [[1, 2, 3]] * 6})
    scores = [np.ones(3)] * 6
    first, second = (feasible(model, "macs<=12").best(scores).arch.tolist() for _ in range(2))
    assert first == second


@given(st.lists(SCORE, min_size=4, max_size=4))
def test_integer_and_float_scores_are_read_alike(values):
    model = chain({"macs": [[1, 2], [3, 4]]})
    rounded = np.round(values).reshape(2, 2)
    first = feasible(model, "macs<=5").best(list(rounded))
    second = feasible(model, "macs<=5").best(list(rounded.astype(np.int64)))
    assert (first.arch == second.arch).all()
    assert first.score == second.score


@pytest.mark.parametrize(
    "scores",
    [
        [np.zeros(2)],
        [np.zeros(2), np.zeros(3)],
        [np.zeros(2), np.array([0, np.nan])],
        [np.zeros(2), np.array([0, -np.inf])],
    ],
)
def test_scores_of_another_shape_or_not_finite_are_refused(scores):
    with pytest.raises(ValueError, match="expected finite scores"):
        feasible(chain({"macs": [[1, 2], [3, 4]]}), "macs<=5").best(scores)


def test_nothing_feasible_says_so():
    with pytest.raises(Infeasible, match="the smallest reachable"):
        feasible(chain({"macs": [[1, 2]]}), "macs<=0").best([np.zeros(2)])
    with pytest.raises(Infeasible, match="found no architecture"):
        feasible(excluding().model, "macs<=3", "params<=3", "ms<=3").best([np.zeros(3)] * 10)

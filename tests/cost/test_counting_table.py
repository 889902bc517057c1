from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.cost import counting_table
from nascli.cost.counting_table import CountingTable

from .helpers import chi_square, feasible, inside, large, nested, unordered

UNIFORM = 5.0  # standard deviations

OFFSETS = st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), min_size=1, max_size=4)


def table(rows, ends):
    return CountingTable([np.array(row).reshape(len(row), -1) for row in rows], ends)


def ways(rows, ends) -> list[tuple[int, ...]]:
    """All rows of states whose sums lie inside, by brute force."""
    found = []
    for states in np.ndindex(*map(len, rows)):
        sums = np.sum([np.atleast_1d(row[s]) for row, s in zip(rows, states, strict=True)], axis=0)
        if all(first <= total <= last for total, (first, last) in zip(sums, ends, strict=True)):
            found.append(states)
    return found


def deviations(states: np.ndarray, probabilities: list[np.ndarray]) -> np.ndarray:
    """Standard scores of the chi-square of each group's states."""
    scores = []
    for column, p in zip(states.T, probabilities, strict=True):
        expected, counts = len(states) * p, np.bincount(column, minlength=len(p)).astype(float)
        assert not counts[expected == 0].any()
        rare = expected < 20
        expected, counts = (np.append(x[~rare], x[rare].sum()) for x in (expected, counts))
        freedom = max(len(expected) - 2, 1)
        scores.append((((counts - expected) ** 2 / np.maximum(expected, 20)).sum() - freedom) / np.sqrt(2 * freedom))
    return np.array(scores)


def marginals(offsets: list[np.ndarray], ends: tuple[int, int]) -> list[np.ndarray]:
    """How often each state of each group occurs inside the range: sums of all other groups, from both sides."""
    before, after = [np.ones(1)], [np.ones(1)]
    for offset in offsets[:-1]:
        before.append(spread(before[-1], offset, ends[1]))
    for offset in offsets[:0:-1]:
        after.append(spread(after[-1], offset, ends[1]))
    result = []
    for left, right, offset in zip(before, reversed(after), offsets, strict=True):
        cumulative = np.concatenate([[0.0], np.cumsum(right)])
        # the sums of the groups behind that lead into the range, for each sum of those before
        low, high = (
            np.clip(end - np.arange(len(left))[:, None] - offset, 0, len(right)) for end in (ends[0], ends[1] + 1)
        )
        inside = (left[:, None] * (cumulative[high] - cumulative[low])).sum(axis=0)
        result.append(inside / inside.sum())
    return result


def spread(weights: np.ndarray, offset: np.ndarray, last: int) -> np.ndarray:
    """The weights of all sums up to the last one, with one more group."""
    result = np.zeros(len(weights) + min(int(offset.max()), last))
    for value in offset[offset <= last]:
        result[value : value + len(weights)] += weights / len(offset)
    return result[: last + 1]


@given(OFFSETS, st.integers(0, 30), st.integers(0, 30))
def test_one_metric_counts_as_brute_force(rows, first, last):
    assert table(rows, ((first, last),)).count.lower == len(ways(rows, ((first, last),)))


@settings(max_examples=60)
@given(OFFSETS, st.randoms(use_true_random=False), st.integers(0, 12), st.integers(0, 12), st.integers(0, 14))
def test_two_metrics_count_and_draw_as_brute_force(rows, random, first, width, other):
    rows = [[(value, random.randint(0, 6)) for value in row] for row in rows]
    ends = (first, first + width), (0, other)
    found, truth = table(rows, ends), ways(rows, ends)
    assert found.count.lower == found.count.upper == len(truth)
    assert found.drawable == bool(truth)
    if truth:
        assert set(map(tuple, found.sample(50, np.random.default_rng(0)).tolist())) <= set(truth)


@pytest.mark.parametrize("cells", [1, 8, 2**17])
def test_draws_are_uniform_whatever_the_size_of_a_chunk(cells, monkeypatch):
    monkeypatch.setattr(counting_table, "CELLS", cells)
    rows, ends = [[(0, 1), (2, 0), (2, 0)], [(1, 1), (3, 0)], [(0, 0), (1, 2), (2, 2), (1, 2)]], ((2, 6), (0, 3))
    drawn = table(rows, ends).sample(4000 if cells > 1 else 1000, np.random.default_rng(3))
    assert abs(chi_square(drawn, np.array(ways(rows, ends)))) < UNIFORM


def test_rows_and_columns_of_a_chunk_are_summed_alike():
    weights = np.random.default_rng(0).random((40, 39))
    wide = counting_table._cumulated(np.concatenate([weights, weights], axis=1))
    assert (counting_table._cumulated(weights.copy()) == wide[:, :39]).all()


@pytest.mark.parametrize("window", [(0.0, 0.05), (0.0, 0.3), (0.499, 0.501), (0.9, 1.0)])
@pytest.mark.parametrize("metric", ["macs", "latency_ms"])
def test_states_of_a_large_space_occur_as_often_as_the_table_says(metric, window):
    model = large()
    low, high = feasible(model).bounds(metric)
    first, last = (low + part * (high - low) for part in window)
    grid = feasible(model, f"{metric}>={first}", f"{metric}<={last}").driver
    (binning,) = grid.binnings
    drawn = grid.table.sample(20_000, np.random.default_rng(5))
    scores = deviations(drawn, marginals(list(binning.offsets), binning.outer))
    assert np.abs(scores).max() < UNIFORM
    assert abs(scores.mean()) < UNIFORM / np.sqrt(len(scores))


@pytest.mark.parametrize("model", [nested(), unordered()])
def test_groups_of_several_decisions_occur_as_often_as_the_table_says(model):
    found = feasible(model, "macs<=20")
    (binning,) = found.driver.binnings
    drawn = found.driver.table.sample(20_000, np.random.default_rng(0))
    assert np.abs(deviations(drawn, marginals(list(binning.offsets), binning.outer))).max() < UNIFORM
    assert found.count.lower == len(inside(model, "macs<=20"))


def test_two_metrics_of_a_large_space_occur_as_often_as_by_rejection():
    model = large()
    limits = [f"{name}<={sum(np.quantile(f.values, 0.45) for f in model[name].factors)}" for name in model.metrics]
    both = feasible(model, *limits)
    assert len(both.driver.binnings) == 2
    drawn = both.sample(20_000, np.random.default_rng(0))
    free = feasible(model, limits[0]).sample(100_000, np.random.default_rng(1))
    kept = free[both.contains(free)]
    ours, theirs = ([np.bincount(archs[:, i], minlength=9) / len(archs) for i in range(22)] for archs in (drawn, kept))
    error = np.sqrt(1 / 9 * 8 / 9 * (1 / len(drawn) + 1 / len(kept)))
    assert len(kept) > 10_000
    assert np.abs(np.array(ours) - np.array(theirs)).max() < UNIFORM * error

"""The statistics of benchmarks."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.pairs import compare, ratio


def test_the_interval_covers_the_true_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        times = [(2 * np.exp(rng.standard_t(2) / 5), 1.0) for _ in range(41)]
        found = ratio(times)
        covered += found.low <= 2 <= found.high
    assert 0.93 <= covered / 400 <= 0.99


def test_a_slow_spell_that_meets_both_halves_of_a_pair_changes_nothing() -> None:
    calm = [(3.0, 1.0)] * 20
    assert ratio(calm + [(30.0, 10.0)] * 20).value == ratio(calm).value == 3


def test_few_pairs_give_the_whole_range() -> None:
    found = ratio([(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)])
    assert (found.low, found.value, found.high, found.n) == (1, 2, 3, 3)


def test_pairs_go_on_until_the_time_is_up_where_the_interval_stays_wide() -> None:
    calls = []
    found = compare(lambda: calls.append(1), lambda: None, least=5, width=0.0, seconds=0.05, warmup=1)
    assert found.n >= 5
    assert len(calls) == found.n + 1


def test_pairs_end_with_a_narrow_interval() -> None:
    assert compare(lambda: None, lambda: None, least=4, width=1e9).n == 4


def test_pairs_are_timed_by_the_clock_that_is_given() -> None:
    ticks = iter(range(1000))
    found = compare(lambda: next(ticks), lambda: None, least=3, width=1e9, clock=lambda: float(next(ticks)))
    assert (found.value, found.n) == (2, 3)

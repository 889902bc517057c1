"""The statistics of the fidelity campaign, where the answers are known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.campaigns.fidelity_statistics import (
    Predictor,
    bootstrap,
    by_accuracy,
    ceiling,
    interval,
    kendall,
    reliability_of_halves,
    reliability_of_seeds,
    spearman,
    spearman_brown,
    tau_of,
    top_regret,
)


def measured(n: int, seeds: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Something standard normal (n,), and measurements of it (n, seeds)."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=n)
    return true, true[:, None] + noise * rng.normal(size=(n, seeds))


def test_a_measurement_twice_as_long() -> None:
    assert spearman_brown(0.5, 2) == pytest.approx(2 / 3)
    assert spearman_brown(spearman_brown(0.3, 4), 1 / 4) == pytest.approx(0.3)


@pytest.mark.parametrize("reliability", [reliability_of_seeds, reliability_of_halves])
@pytest.mark.parametrize(("seeds", "noise"), [(4, 1.0), (5, 2.0), (10, 1.0)])
def test_the_reliability_of_a_mean_is_the_share_of_its_variance_that_is_no_noise(
    reliability: object, seeds: int, noise: float
) -> None:
    _, values = measured(4000, seeds, noise)
    expected = 1 / (1 + noise**2 / seeds)
    assert reliability(values) == pytest.approx(expected, abs=0.03)  # type: ignore[operator]


def test_the_truth_itself_reaches_the_ceiling() -> None:
    true, values = measured(4000, 4, 1.0)
    top = ceiling(reliability_of_seeds(values))
    assert spearman(true, values.mean(1)) == pytest.approx(top, abs=0.02)
    assert kendall(true, values.mean(1)) == pytest.approx(tau_of(top), abs=0.02)


def test_a_constant_correlates_with_nothing() -> None:
    assert np.isnan(spearman(np.zeros(3), np.arange(3.0)))
    assert np.isnan(kendall(np.zeros(3), np.arange(3.0)))


def test_nothing_can_be_foretold_of_pure_noise() -> None:
    assert ceiling(-0.1) == 0
    assert (tau_of(0), tau_of(np.sqrt(0.5)), tau_of(1)) == pytest.approx((0, 0.5, 1))


def test_search_orders_by_accuracy_and_equal_ones_by_loss() -> None:
    assert by_accuracy(np.array([0.5, 0.9, 0.9, 0.1]), np.array([0.1, 0.5, 0.4, 0.0])).tolist() == [2, 1, 0, 3]


def test_regret_is_what_the_best_of_the_chosen_lacks() -> None:
    truth = np.array([0.1, 0.2, 0.3, 0.4])
    assert top_regret(truth, truth, k=1) == 0
    assert top_regret(-truth, truth, k=1) == pytest.approx(0.3)
    assert top_regret(-truth, truth, k=3) == pytest.approx(0.1)
    assert top_regret(-truth, truth, k=4) == top_regret(-truth, truth, k=9) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=7), st.integers(1, 7))
def test_regret_among_equal_predictions_is_the_expectation_over_draws(rows: list[tuple[int, int]], k: int) -> None:
    predicted, truth = np.array(rows, dtype=float).T
    k = min(k, len(rows))
    last = np.sort(predicted)[k - 1]
    sure = [i for i in range(len(rows)) if predicted[i] < last]
    tied = [i for i in range(len(rows)) if predicted[i] == last]
    draws = [truth[[*sure, *drawn]].min() for drawn in combinations(tied, k - len(sure))]
    assert top_regret(predicted, truth, k) == pytest.approx(np.mean(draws) - truth.min())


def test_a_seed_of_the_truth_is_compared_with_the_others() -> None:
    truth = np.array([[0.0, 1.0, 5.0], [1.0, 3.0, 7.0]])
    pairs = list(Predictor(truth, own_seeds=True).pairs(truth, [0, 1, 1, 2], [1]))
    assert [(mine.tolist(), others.tolist()) for mine, others in pairs] == [([1.0, 3.0], [2.5, 4.0])]


def test_two_seeds_agree_as_far_as_their_rankings_do() -> None:
    assert Predictor(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])).agreement() == -1
    assert Predictor(np.zeros((3, 1))).agreement() is None


def test_intervals_hold_the_value_of_a_population_as_often_as_they_say() -> None:
    rng, covered = np.random.default_rng(0), 0
    for trial in range(60):
        true = rng.normal(size=(40, 1))
        predictor = {"one": Predictor(true + rng.normal(size=(40, 1)))}
        low, high = interval(bootstrap(predictor, true, kendall, resamples=100, seed=trial)["one"])
        covered += low <= tau_of(np.sqrt(0.5)) <= high
    assert 0.85 <= covered / 60 <= 1


def test_resamples_of_architectures_are_common_to_all_predictors() -> None:
    true, values = measured(30, 4, 0.5)
    same = Predictor(true[:, None])
    drawn = bootstrap({"one": same, "other": same}, values, kendall, resamples=20)
    assert (drawn["one"] == drawn["other"]).all()
    assert np.ptp(drawn["one"]) > 0


def test_seeds_are_resampled_too() -> None:
    truth = np.arange(20.0)[:, None]
    either_way = Predictor(np.hstack([truth, -truth]))
    assert set(bootstrap({"": either_way}, truth, kendall, resamples=60)[""].round(6)) == {-1.0, 0.0, 1.0}

"""Statistics of rankings: how sure a ranking is of itself, and how near another comes to it.

Values are losses, lower is better: `truth` (n, s) of n architectures by s seeds, `predicted` (n, r) by r seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import asin, comb, pi, sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, spearmanr

Values = npt.NDArray[np.float64]
Statistic = Callable[[Values, Values], float]

MAX_HALVES = 200


def spearman_brown(r: float, factor: float) -> float:
    """The reliability of a measurement `factor` times as long as one of reliability `r` (Spearman, Brown, 1910)."""
    return factor * r / (1 + (factor - 1) * r)


def reliability_of_seeds(values: Values) -> float:
    """Of the mean over seeds: the mean rank correlation between two seeds, stepped up to their number."""
    n = values.shape[1]
    return spearman_brown(float(np.mean([spearman(*values[:, pair].T) for pair in combinations(range(n), 2)])), n)


def reliability_of_halves(values: Values) -> float:
    """Of the mean over seeds: the mean rank correlation between halves of the seeds, stepped up to all of them.

    All ways to draw two halves where they are few, else a fixed draw of them; an odd seed sits out in turns.
    """
    found = [spearman(values[:, a].mean(1), values[:, b].mean(1)) for a, b in _halves(values.shape[1])]
    return spearman_brown(float(np.mean(found)), values.shape[1] / (values.shape[1] // 2))


def _halves(n: int) -> Iterator[tuple[list[int], list[int]]]:
    if comb(n, n // 2) <= MAX_HALVES:
        for first in combinations(range(n), n // 2):
            rest = [i for i in range(n) if i not in first]
            yield from ((list(first), list(second)) for second in combinations(rest, n // 2))
        return
    rng = np.random.default_rng(n)
    for _ in range(MAX_HALVES):
        order = rng.permutation(n).tolist()
        yield order[: n // 2], order[n // 2 : n // 2 * 2]


def tau_of(rho: float) -> float:
    """Kendall's tau of two normal variables with this correlation (Kruskal, 1958)."""
    return 2 / pi * asin(rho)


def ceiling(reliability: float) -> float:
    """The largest correlation that anything can have with a measurement of this reliability."""
    return sqrt(max(0.0, reliability))


def kendall(predicted: Values, truth: Values) -> float:
    """Kendall's tau-b; nan of fewer than two."""
    if len(truth) < 2:
        return float("nan")
    return float(kendalltau(predicted, truth).statistic)


def spearman(predicted: Values, truth: Values) -> float:
    """Spearman's rank correlation; nan where one of them is constant."""
    if np.ptp(predicted) == 0 or np.ptp(truth) == 0:
        return float("nan")
    return float(spearmanr(predicted, truth).statistic)


def by_accuracy(accuracy: Values, loss: Values) -> Values:
    """Places (n,), 0 the best, in the order of `nascli search`: accuracy, then loss."""
    places: Values = np.empty(len(loss))
    places[np.lexsort((loss, -accuracy))] = np.arange(len(loss))
    return places


def top_regret(predicted: Values, truth: Values, k: int = 5) -> float:
    """How much worse than the best of all is the best of the k that are predicted to be the best.

    Where predictions are equal, the expectation over the ways to draw among them.
    """
    best, left = float("inf"), k
    for value in np.unique(predicted):
        tied = np.sort(truth[predicted == value])
        if len(tied) >= left:
            return float(_expected_least(np.minimum(tied, best), left) - truth.min())
        best, left = min(best, float(tied[0])), left - len(tied)
    return float(best - truth.min())


def _expected_least(ascending: Values, k: int) -> float:
    """The expected least of k values drawn without replacement; exactly, by how often each is the least."""
    n = len(ascending)
    weighted = sum(value * comb(n - 1 - i, k - 1) for i, value in enumerate(ascending.tolist()))
    return float(weighted) / comb(n, k)


@dataclass(frozen=True)
class Predictor:
    """What foretells the ranking: (n, r) values by r seeds.

    `own_seeds`: the values are the truth's own, so that each seed is compared with the mean over the others.
    """

    values: Values
    own_seeds: bool = False

    def among(self, rows: npt.NDArray[np.int64]) -> Predictor:
        """Of some architectures, each as often as it is named."""
        return Predictor(self.values[rows], self.own_seeds)

    def pairs(self, truth: Values, columns: Sequence[int], seeds: Sequence[int]) -> Iterator[tuple[Values, Values]]:
        """(predicted, true) values (n,) for each of the seeds; the truth is the mean over `columns`."""
        for seed in seeds:
            others = [c for c in columns if c != seed] if self.own_seeds else list(columns)
            if others:
                yield self.values[:, seed], truth[:, others].mean(1)

    def average(self, statistic: Statistic, truth: Values) -> float:
        """The statistic, mean over seeds."""
        return float(np.mean(self.each(statistic, truth)))

    def each(self, statistic: Statistic, truth: Values) -> list[float]:
        """The statistic of each seed."""
        pairs = self.pairs(truth, range(truth.shape[1]), range(self.values.shape[1]))
        return [statistic(*pair) for pair in pairs]

    def agreement(self) -> float | None:
        """Mean tau between two seeds; None where there is one."""
        pairs = combinations(range(self.values.shape[1]), 2)
        found = [kendall(*self.values[:, pair].T) for pair in pairs]
        return float(np.mean(found)) if found else None


def bootstrap(
    predictors: Mapping[str, Predictor], truth: Values, statistic: Statistic, *, resamples: int, seed: int = 0
) -> dict[str, Values]:
    """The statistic in each resample (resamples,), for each predictor.

    Architectures, seeds of the truth and seeds of each predictor are drawn with replacement, the first two in common
    for all predictors, so that differences between them can be taken resample by resample.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(resamples):
        rows = rng.integers(len(truth), size=len(truth))
        columns = rng.integers(truth.shape[1], size=(truth.shape[1],)).tolist()
        for name, predictor in predictors.items():
            n = predictor.values.shape[1]
            seeds = rng.integers(n, size=(n,)).tolist()
            pairs = predictor.among(rows).pairs(truth[rows], columns, seeds)
            found[name].append(float(np.mean([statistic(*pair) for pair in pairs])))
    return {name: np.array(values) for name, values in found.items()}


def interval(values: Values) -> tuple[float, float]:
    """The 95 % interval of resamples by their percentiles."""
    low, high = np.percentile(values, [2.5, 97.5]).tolist()
    return low, high

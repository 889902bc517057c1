"""Predicting the accuracy of architectures from scores so far, to sort out offspring before they are scored.

Predictors in neural architecture search: White et al., 2021, arXiv:2104.01177.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nascli.search_strategy.base import Score
from nascli.space import Archs, Space

Values = npt.NDArray[np.float64]

LEAST = 16  # scores before a prediction is worth anything
FOLDS = 5
ALPHAS = np.logspace(-2, 3, 11)


class Predictor(Protocol):
    """Learns (n, p) features → (n,) targets anew each time."""

    def fit(self, features: Values, targets: Values) -> None:
        """Forget what was learned, and learn this."""
        ...

    def predict(self, features: Values) -> Values:
        """Predictions (n,) in the targets' scale."""
        ...


class Ridge:
    """Linear regression with a squared penalty; its weight has the least error when each row is left out in turn."""

    def fit(self, features: Values, targets: Values) -> None:
        """See `Predictor`."""
        self._mean, self._offset = features.mean(axis=0), float(targets.mean())
        left, singular, right = np.linalg.svd(features - self._mean, full_matrices=False)
        projected = left.T @ (targets - self._offset)
        shrunk = [singular**2 / (singular**2 + alpha) for alpha in ALPHAS]
        errors = [self._left_out(left, projected, targets - self._offset, shrink) for shrink in shrunk]
        alpha = ALPHAS[int(np.argmin(errors))]
        self._weights = right.T @ (singular / (singular**2 + alpha) * projected)

    @staticmethod
    def _left_out(left: Values, projected: Values, targets: Values, shrink: Values) -> float:
        """The mean squared error of each row's prediction from all the others."""
        leverage = (left**2) @ shrink + 1 / len(targets)
        residual = targets - left @ (shrink * projected)
        return float(np.mean((residual / np.maximum(1 - leverage, 1e-9)) ** 2))

    def predict(self, features: Values) -> Values:
        """See `Predictor`."""
        predicted: Values = (features - self._mean) @ self._weights + self._offset
        return predicted


class Screen:
    """A predictor over the architectures of a space, fitted anew when scores came since it was last asked.

    It learns the ranks of accuracies, so that a few failures of training do not bend it.

    Args:
        kind: "ridge", or "mlp", a small network (imports torch).
        rng: gives the seed of the network alone; its stream is left as it is.
    """

    def __init__(self, space: Space, kind: Literal["ridge", "mlp"], rng: np.random.Generator) -> None:
        self._space, self._kind = space, kind
        self._seed = int(rng.spawn(1)[0].integers(2**31))
        self._scores: dict[bytes, float] = {}
        self._archs: list[Archs] = []
        self._fitted: tuple[int, Predictor] | None = None

    @property
    def ready(self) -> bool:
        """Whether there are enough scores."""
        return len(self._scores) >= LEAST

    def learn(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Remember architectures (n, d) and their scores; failed ones are left out."""
        for arch, score in zip(archs, scores, strict=True):
            if score.error is None and arch.tobytes() not in self._scores:
                self._scores[arch.tobytes()] = score.accuracy
                self._archs.append(arch)

    def predict(self, archs: Archs) -> Values:
        """Predicted ranks (n,) of architectures (n, d), 0 to 1 among those scored; higher is better."""
        n = len(self._archs)
        if self._fitted is None or self._fitted[0] != n:
            self._fitted = n, self._trained(self._features(np.array(self._archs)), self._ranks())
        return self._fitted[1].predict(self._features(archs))

    def facts(self) -> dict[str, Any]:
        """Kind, number of scores, and Kendall's tau of predictions on parts that were left out (five folds)."""
        return {"kind": self._kind, "scores": len(self._archs), "tau": self._tau() if self.ready else None}

    def _tau(self) -> float | None:
        from scipy.stats import kendalltau

        features, ranks = self._features(np.array(self._archs)), self._ranks()
        folds = np.random.default_rng(self._seed).permutation(len(ranks)) % FOLDS
        predicted = np.empty(len(ranks))
        for fold in range(FOLDS):
            part = folds == fold
            predicted[part] = self._trained(features[~part], ranks[~part]).predict(features[part])
        tau = float(kendalltau(predicted, ranks).statistic)
        return None if np.isnan(tau) else round(tau, 4)

    def _trained(self, features: Values, ranks: Values) -> Predictor:
        predictor = self._new()
        predictor.fit(features, ranks)
        return predictor

    def _new(self) -> Predictor:
        if self._kind == "ridge":
            return Ridge()
        from nascli.search_strategy.predictor_mlp import Mlp

        return Mlp(self._seed)

    def _ranks(self) -> Values:
        """Accuracies as ranks from 0 to 1; equal ones share their mean."""
        _, places, counts = np.unique(list(self._scores.values()), return_inverse=True, return_counts=True)
        means = np.cumsum(counts) - (counts + 1) / 2
        ranks: Values = means[places] / max(1, len(places) - 1)
        return ranks

    def _features(self, archs: Archs) -> Values:
        """One column for each index of each decision, 1 where it is chosen and the decision exists."""
        canonical = self._space.canonical(archs)
        starts = np.cumsum([0, *self._space.sizes[:-1]])
        features = np.zeros((len(archs), sum(self._space.sizes)))
        rows, columns = np.nonzero(self._space.exists(canonical))
        features[rows, (canonical + starts)[rows, columns]] = 1.0
        return features

"""The architecture that differentiable training prefers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nascli.errors import RunFailed
from nascli.search_strategy.base import Outcome, SearchProblem, SearchStrategy
from nascli.space import Archs

LogProbabilities = list[npt.NDArray[np.float64]]

DRAWS = 64  # for each further answer that is wanted


class Differentiable(SearchStrategy):
    """The most probable architecture by the supernet's architecture parameters (DARTS, Liu et al., 2019).

    Each decision takes its most probable candidate where that meets the constraint; otherwise the answer is the
    feasible architecture with the greatest sum of log-probabilities over the decisions that exist in it, exactly where
    costs are whole numbers; `gap` is how much greater the sum of another one can be at most. Further answers are drawn
    by the probabilities and compete by their scores (arXiv:1806.09055).
    """

    class Config(SearchStrategy.Config):
        """Options of the differentiable search."""

        answers: int = Field(1, ge=1, description="architectures that are scored; more than one: the best score wins")

    config: Config
    requires = frozenset({"score", "arch_parameters"})

    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        """Decode the parameters, and score what came out.

        Raises:
            RunFailed: the parameters are not finite.
        """
        scores = self._log_probabilities(problem)
        first, facts = self._decoded(problem, scores)
        archs = self._with_draws(problem, scores, first, rng)
        return Outcome(archs[problem.order(archs, problem.score(archs))], facts)

    def _log_probabilities(self, problem: SearchProblem) -> LogProbabilities:
        import torch

        found = [problem.arch_parameters[d.label].double().log_softmax(0) for d in problem.space.decisions]
        if not torch.cat(found).isfinite().all():
            raise RunFailed("the architecture parameters are not finite", hint="train the supernet anew")
        return [values.numpy() for values in found]

    def _decoded(self, problem: SearchProblem, scores: LogProbabilities) -> tuple[Archs, dict[str, Any]]:
        """The answer (d,), and how it came about."""
        likeliest = problem.space.canonical(np.array([int(values.argmax()) for values in scores], dtype=np.int64))
        exists = problem.space.exists(likeliest)
        total = float(sum(values[i] for values, i, there in zip(scores, likeliest, exists, strict=True) if there))
        if problem.feasible.contains(likeliest[None])[0]:
            return likeliest, {"decoded": "argmax", "log_probability": total, "gap": 0.0}
        best = problem.feasible.best(scores)
        facts = {"decoded": "best under the constraint", "log_probability": best.score, "gap": best.gap}
        return best.arch, facts | {"log_probability_unconstrained": total}

    def _with_draws(
        self, problem: SearchProblem, scores: LogProbabilities, first: Archs, rng: np.random.Generator
    ) -> Archs:
        """The first answer, then distinct feasible draws by the probabilities, the likeliest first; (n, d)."""
        wanted = min(self.config.answers, problem.remaining)
        if wanted <= 1:
            return first[None]
        n = DRAWS * wanted
        columns = [rng.choice(len(values), size=n, p=np.exp(values) / np.exp(values).sum()) for values in scores]
        drawn = problem.space.canonical(np.stack(columns, axis=1))
        drawn = np.unique(drawn[problem.feasible.contains(drawn)], axis=0)
        drawn = drawn[(drawn != first).any(axis=1)]
        likelihood = sum(values[drawn[:, i]] for i, values in enumerate(scores))
        return np.concatenate([first[None], drawn[np.argsort(-likelihood, kind="stable")[: wanted - 1]]])

"""Optuna's tree-structured Parzen estimator, asked and told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from nascli.cost.feasible import FeasibleSet
from nascli.errors import ArtifactError
from nascli.extras import need
from nascli.search_strategy.base import Score, SearchProblem
from nascli.search_strategy.screened import Screened
from nascli.space import Archs, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution


class Optuna(Screened):
    """TPE over one categorical parameter a decision (Bergstra et al., 2011; Watanabe, 2023, arXiv:2304.11127).

    A proposal outside the constraint is repaired, and the estimator hears of the repaired one alone. Needs the package
    optuna.
    """

    class Config(Screened.Config):
        """Options of TPE."""

        startup: int = Field(20, ge=1, description="random architectures that are scored before the estimator proposes")
        candidates: int = Field(24, ge=1, description="draws for each proposal, of which the best is taken")
        batch: int = Field(4, ge=1, description="proposals a round; many are scored faster, and learn less")

    config: Config

    def check(self, feasible: FeasibleSet) -> None:
        """Raises UsageError where the package is missing."""
        need("the search strategy 'optuna'", "optuna")

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start an empty study."""
        self.check(problem.feasible)
        super().begin(problem, rng)
        self._startup = self.affordable(self.config.startup)
        self._told = 0
        self._distributions = _distributions(problem.space)
        self._study = _study(int(rng.integers(2**31)), self._startup, self.config.candidates)

    def ask(self) -> Archs:
        """Random ones at first, then what the estimator proposes."""
        if self._told < self._startup:
            return self.drawn(self._startup - self._told)
        return self.fresh(self.config.batch, self._proposed)

    def _proposed(self) -> Archs:
        """A proposal inside the constraint; one that was asked for before is mutated."""
        from optuna.trial import TrialState

        feasible, space = self._problem.feasible, self._problem.space
        trial = self._study.ask(self._distributions)
        self._study.tell(trial, state=TrialState.FAIL)  # what is scored is added later, as it was scored
        try:
            arch = feasible.repair(space.check([trial.params[d.label] for d in space.decisions])[0])
        except ArtifactError:  # unordered decisions, too many of them empty
            arch = feasible.sample(1, self._rng)[0]
        seen = not len(self.unseen(arch[None]))
        return feasible.mutate(arch, 0.0, self._rng) if seen else arch

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Add what was scored to the study."""
        from optuna.trial import create_trial

        super().tell(archs, scores)
        for arch, score in zip(archs, scores, strict=True):
            if score.error is None:
                params = {d.label: int(i) for d, i in zip(self._problem.space.decisions, arch, strict=True)}
                trial = create_trial(params=params, distributions=self._distributions, value=score.accuracy)
                self._study.add_trial(trial)
                self._told += 1


def _study(seed: int, startup: int, candidates: int) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(n_startup_trials=startup, n_ei_candidates=candidates, seed=seed)
    return optuna.create_study(sampler=sampler, direction="maximize")


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution

    return {d.label: CategoricalDistribution(tuple(range(d.size))) for d in space.decisions}

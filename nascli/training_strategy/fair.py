"""Strict fairness between candidates (FairNAS)."""

from __future__ import annotations

import numpy as np

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import UsageError
from nascli.space import Archs, Space
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates


class Fair(TrainingStrategy):
    """All candidates of a decision are trained equally often (FairNAS, Chu et al., 2021, arXiv:1907.01845).

    A step is one update of m passes, m being the largest number of candidates. A decision with n candidates runs each
    of them ⌊m/n⌋ times a step, in random order, and m mod n of them once more; these take turns, so that after every
    n / gcd(n, m) steps all have run equally often. Constraints play no part: a path may miss them.
    """

    def setup(self, space: Space, costs: CostModel, feasible: FeasibleSet) -> None:
        """Look at the sizes.

        Raises:
            UsageError: the candidates of some decision cannot all run equally often.
        """
        super().setup(space, costs, feasible)
        unordered = {label for rule in space.unordered for label in rule.labels}
        for decision in space.decisions:
            if decision.n_chosen != 1:
                raise _refused(
                    decision.label, f"it takes {decision.n_chosen or 'any number'} of its candidates at once"
                )
            if decision.active_if:
                parent = decision.active_if[0][0]
                raise _refused(decision.label, f"it exists only for some candidates of '{parent}'")
            if decision.label in unordered:
                raise _refused(
                    decision.label, "its order among others does not matter, so its candidates are not its own"
                )
        self._passes = max(space.sizes)

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        """One update whose passes run every candidate of every decision."""
        paths = rng.permuted(self._turns(step), axis=1).T
        yield Update([Pass(self.space.forward(path)) for path in paths])

    def _turns(self, step: int) -> Archs:
        """The indices that each decision runs in a step, (d, m), not yet in random order.

        Where m / n leaves a remainder, a step goes on in the cycle of candidates where the step before it stopped;
        decisions start at different places of it, so that equal ones do not favour equal candidates together.
        """
        first = step * self._passes + np.arange(len(self.space.sizes))
        turns: Archs = (first[:, None] + np.arange(self._passes)) % np.array(self.space.sizes)[:, None]
        return turns


def _refused(label: str, why: str) -> UsageError:
    return UsageError(
        f"fair training cannot treat the candidates of '{label}' alike", why=why, hint="take another: uniform"
    )

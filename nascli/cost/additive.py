"""The best feasible architecture for a score that adds up over decisions, with a proof of how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nascli.cost.states import States
from nascli.space import Archs

if TYPE_CHECKING:
    from nascli.cost.feasible import FeasibleSet

SEARCHED = 4096  # samples that stand in where no architecture of the table is feasible
ROUNDING = 1e-12  # relative


@dataclass(frozen=True, eq=False)
class Best:
    """An architecture (d,), its score, and what no feasible architecture exceeds.

    The two are equal where the costs are whole and few enough to be counted exactly, or without constraints.
    """

    arch: Archs
    score: float
    bound: float

    @property
    def gap(self) -> float:
        """How much better another architecture could be, at most."""
        return self.bound - self.score


def best_of(feasible: FeasibleSet, scores: Sequence[npt.NDArray[Any]]) -> Best:
    """See `FeasibleSet.best`."""
    by_group = feasible.states.scores(scores)

    def score(states: States) -> float:
        return float(sum(group[state] for group, state in zip(by_group, states.tolist(), strict=True)))

    def found(states: States, bound: float) -> Best:
        value = score(states)
        return Best(np.array(feasible.states.decode(states[None])[0]), value, max(value, bound))

    if feasible.driver is None:
        return found(np.array([group.argmax() for group in by_group]), -np.inf)
    table = feasible.driver.best(by_group)
    bound = table.bound + ROUNDING * sum(float(np.abs(group).max()) for group in by_group)
    for batch, rows in enumerate(table.archs()):
        fitting = np.flatnonzero(feasible.fits(rows))
        if len(fitting):
            is_bound = batch == 0 and fitting[0] == 0
            return found(rows[fitting[0]], -np.inf if is_bound else bound)
    drawn = feasible.states.encode(feasible.sample(SEARCHED, np.random.default_rng(0)))
    return found(drawn[int(np.argmax([score(row) for row in drawn]))], bound)

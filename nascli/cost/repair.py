"""The feasible architecture that is nearest to a given one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nascli.cost.constraint import Window
from nascli.cost.model import Costs
from nascli.cost.restriction import Restriction
from nascli.cost.states import States
from nascli.space import Archs

if TYPE_CHECKING:
    from nascli.cost.feasible import FeasibleSet

MAX_PAIRS = 2**22
AT_ONCE = 1024
SAMPLES = 4096  # that stand in where no architecture of the table is feasible
ROUNDING = 1e-9  # relative: what adding differences of costs may lose; whatever is found is checked

Moved = npt.NDArray[np.float64]


def repaired(feasible: FeasibleSet, restrictions: Sequence[Restriction], arch: Archs) -> Archs:
    """See `FeasibleSet.repair`: one and two changes are all looked at, with the true costs; more in bins."""
    states = feasible.states.encode(np.atleast_2d(arch))
    for rows in _tries(feasible, restrictions, states[0]):
        fitting = np.flatnonzero(feasible.fits(rows))
        if len(fitting):
            return np.array(feasible.states.decode(rows[fitting[:1]])[0])
    archs = feasible.sample(SAMPLES, np.random.default_rng(0))
    changes = (feasible.states.encode(archs) != states).sum(axis=1)
    return np.array(archs[np.lexsort((*archs.T[::-1], changes))[0]])


def _tries(feasible: FeasibleSet, restrictions: Sequence[Restriction], states: States) -> Iterator[States]:
    yield states[None]
    if feasible.driver is None:
        return
    moves = _Moves(restrictions, states)
    yield from moves.single()
    yield from moves.double()
    same = [-1.0 * (np.arange(size) != state) for size, state in zip(feasible.states.sizes, states, strict=True)]
    yield from feasible.driver.best(same).archs(feasible.driver.sums(states))


class _Moves:
    """All other states of all groups, and what moving to each adds to the counted and to the true costs.

    What is counted adds up, also where the true total is a maximum: it tells which moves fit.
    """

    def __init__(self, restrictions: Sequence[Restriction], states: States) -> None:
        self._states = states
        sizes = [len(cost) for cost in restrictions[0].costs]
        groups = np.repeat(np.arange(len(sizes)), sizes)
        to = np.concatenate([np.arange(size) for size in sizes])
        moves = to != states[groups]
        self.groups, self.to = groups[moves], to[moves]
        self.counted = np.array([self._added(r.counted[0])[moves] for r in restrictions], dtype=np.float64)
        self.spans = [self._missing(*r.counted) for r in restrictions]
        self.costs = np.array([self._added(r.costs)[moves] / self._scale(r) for r in restrictions], dtype=np.float64)

    def _added(self, costs: Sequence[Costs]) -> Moved:
        rows = zip(costs, self._states.tolist(), strict=True)
        return np.concatenate([cost.astype(np.float64) - float(cost[state]) for cost, state in rows])

    def _scale(self, restriction: Restriction) -> float:
        total = restriction.metric.total(restriction.states.decode(self._states[None]))[0]
        return max(abs(float(total)), 1e-300)

    def _missing(self, costs: Sequence[Costs], base: int | float, window: Window) -> tuple[float, float]:
        total = base + sum(float(cost[state]) for cost, state in zip(costs, self._states.tolist(), strict=True))
        slack = ROUNDING * (1 + abs(base) + sum(float(cost.max()) for cost in costs))
        return window[0] - total - slack, window[1] - total + slack

    def single(self) -> Iterator[States]:
        """Rows of states (n, g) with one change that may fit, the nearest costs first."""
        return self._rows(self._fitting(self.counted), lambda places: (places,))

    def double(self) -> Iterator[States]:
        """Rows of states (n, g) with two changes that may fit, the nearest costs first."""
        n = len(self.to)
        if n * n > MAX_PAIRS:
            return iter(())
        later = self.groups[:, None] < self.groups
        places = self._fitting(self.counted[:, :, None] + self.counted[:, None, :], later)
        return self._rows(places, lambda flat: np.divmod(flat, n))

    def _fitting(self, added: Moved, among: npt.NDArray[np.bool_] | bool = True) -> States:
        """Flat places of the changes that may fit."""
        fits = np.full(added.shape[1:], among)
        for part, (low, high) in zip(added, self.spans, strict=True):
            fits &= (part >= low) & (part <= high)
        return np.flatnonzero(fits)

    def _rows(self, places: States, parts: Callable[[States], tuple[States, ...]]) -> Iterator[States]:
        """The changes in the order of how far they move the costs, relative."""
        moved = np.abs(sum(self.costs[:, moves] for moves in parts(places))).sum(axis=0)
        order = places[np.lexsort((places, moved))]
        for start in range(0, len(order), AT_ONCE):
            chosen = order[start : start + AT_ONCE]
            rows = np.repeat(self._states[None], len(chosen), axis=0)
            for moves in parts(chosen):
                rows[np.arange(len(chosen)), self.groups[moves]] = self.to[moves]
            yield rows
